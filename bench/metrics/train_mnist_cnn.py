"""Trains the classifier of the extractor `mnist-cnn` and writes its weights. Not needed to use lipbench.

`python -m lipbench.bench.metrics.train_mnist_cnn --data DIR` made the weights that are shipped: 99.55 % right on the
10,000 test images of MNIST after 10 epochs, two minutes on one thread.
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from math import pi
from pathlib import Path
from statistics import mean

import torch
from jsonargparse import auto_cli
from safetensors.torch import save as serialize
from torch import Tensor
from torch.nn import functional as F
from torchvision.datasets import MNIST

from ...objectives.errors import BadInput
from ..records.checksums import sha256_of
from .classifier import WEIGHTS, MnistCNN

TRAINING_SET = "MNIST, all 60,000 training images"
BATCH = 128
PEAK_LR = 3e-3


def read_mnist(root: Path, train: bool, download: bool) -> tuple[Tensor, Tensor]:
    """Images [N, 1, 28, 28] in [-1, 1] and labels [N] of MNIST; BadInput where `root` does not hold it."""
    try:
        data = MNIST(str(root), train=train, download=download)
    except RuntimeError as error:
        raise BadInput(f"{root}: no MNIST/raw with four unpacked files") from error
    return data.data[:, None] / 127.5 - 1, data.targets


def distort(images: Tensor, rng: torch.Generator) -> Tensor:
    """Rotate each image by up to 10 degrees, scale it by .9 to 1.1 and shift it by up to 2 pixels."""
    angle, scale, *shift = (torch.rand(4, len(images), generator=rng) * 2 - 1).unbind()
    angle, scale = angle * pi / 18, 1 + 0.1 * scale
    cos, sin = angle.cos() * scale, angle.sin() * scale
    across, down = (s * 4 / images.shape[-1] for s in shift)  # the picture is 2 wide in grid units
    theta = torch.stack([cos, -sin, across, sin, cos, down], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1  # padded with zeros, black is -1


def _batches(images: Tensor, labels: Tensor, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(images), generator=rng)
    for index in order[: len(order) // BATCH * BATCH].split(BATCH):
        yield distort(images[index], rng), labels[index]


def fit(images: Tensor, labels: Tensor, epochs: int, seed: int) -> MnistCNN:
    """Train on images [N, 1, 28, 28] in [-1, 1], N >= 128, by cross-entropy; AdamW, one learning-rate cycle.

    The same arguments give the same weights on the same machine; the global random state stays as it was.
    """
    rng = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = MnistCNN().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, total_steps=epochs * (len(images) // BATCH))
    for epoch in range(epochs):
        losses = []
        for batch, target in _batches(images, labels, rng):
            loss = F.cross_entropy(model(batch)[1], target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{epochs}: mean loss {mean(losses):.4f}", flush=True)
    return model.eval()


@torch.no_grad()
def accuracy(model: MnistCNN, images: Tensor, labels: Tensor) -> float:
    """Share of images [N, 1, 28, 28] whose largest logit is their label's."""
    right = [
        (model(x)[1].argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500), strict=True)
    ]
    return sum(right) / len(images)


def save(model: MnistCNN, out: Path, about: dict[str, object]) -> None:
    """Write the weights as safetensors; `about` becomes its one metadata entry, JSON (several come in random order)."""
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    out.write_bytes(serialize(weights, metadata={"about": json.dumps(about)}))


def train(
    data: Path, out: Path = WEIGHTS, epochs: int = 10, seed: int = 0, threads: int = 1, download: bool = False
) -> None:
    """Train on the MNIST under `data`, print the test accuracy, write the weights and print their sha256.

    Args:
        data: folder that holds MNIST/raw, as torchvision lays it out.
        out: where the safetensors go.
        epochs: passes over the 60,000 training images.
        seed: of the first weights, the order and the distortions.
        threads: CPU threads; another number changes the last bits of the weights.
        download: let torchvision fetch (or unpack) what is missing in `data`.
    """
    torch.set_num_threads(threads)
    test = read_mnist(data, train=False, download=download)
    model = fit(*read_mnist(data, train=True, download=download), epochs=epochs, seed=seed)
    reached = accuracy(model, *test)
    about = {"training_set": TRAINING_SET, "test_accuracy": round(reached, 4), "epochs": epochs, "seed": seed}
    about["versions"] = {name: version(name) for name in ("torch", "torchvision", "safetensors")}
    save(model, out, about)
    print(f"test accuracy {reached:.4f}; wrote {out}; its sha256 belongs into extractors.py:\n{sha256_of(out)}")


if __name__ == "__main__":
    try:
        auto_cli(train, as_positional=False)
    except BadInput as error:
        print(error, file=sys.stderr)
        sys.exit(2)
