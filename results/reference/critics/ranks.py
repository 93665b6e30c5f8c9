"""Prints the stable rank of the middle layer of SN-GAN's critics, of each run of d = 2 or 16 in a folder of runs."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

for critic in sorted(Path(sys.argv[1]).glob("*sn-gan*/checkpoint/critic.safetensors")):
    weight = next(w for w in load_file(critic).values() if w.shape == (128, 128))
    s = torch.linalg.svdvals(weight.double())
    print(f"{(s**2).sum() / s[0] ** 2:.2f}", critic.parts[-3])
