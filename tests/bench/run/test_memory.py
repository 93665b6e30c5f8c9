"""Memory does not grow with the length of a run."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, resource, sys
from pathlib import Path
import pytorch_lightning as pl
from lipbench.bench.data import load
from lipbench.bench.run.evaluation import Evaluator
from lipbench.bench.metrics.settings import Evaluation
from lipbench.models import ARCHITECTURES, GAN, Iteration, Recipe
from lipbench.objectives import GradientPenalty

class Watch(pl.Callback):
    seen = {}
    def on_train_batch_end(self, trainer, module, *args, **kwargs):
        if module.iteration.updates in (2000, 6000, 10000):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.seen[module.iteration.updates] = pages * resource.getpagesize() / 2**20

data = load("8gaussians")
networks = ARCHITECTURES["mlp"](data.shape, width=8, depth=2)
gan = GAN(Iteration(networks, GradientPenalty(), Recipe(batch=16, ema=0.9), data, steps=10000, seed=0))
asked = Evaluation(count=20, points=50, mode_points=100)
trainer = pl.Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
                     enable_progress_bar=False, enable_model_summary=False,
                     callbacks=[Evaluator(data, asked, 10000), Watch()])
trainer.fit(gan)
print(json.dumps(Watch.seen))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_memory_does_not_grow_over_10000_iterations() -> None:
    """By less than 8 MiB from iteration 2,000 to 10,000: 1 KiB kept in each iteration would be seen."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=True)
    resident = json.loads(done.stdout.splitlines()[-1])
    print(resident)
    assert resident["10000"] - resident["2000"] < 8
