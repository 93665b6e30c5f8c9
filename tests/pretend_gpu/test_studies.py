"""The image studies on the pretended GPU, with next to nothing to train: their rows are the CPU's."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from lipbench.bench.studies import STUDIES, Resources, Setting, Size
from lipbench.bench.studies.engine import store

IMAGES = [name for name in STUDIES if name.startswith("G")]
TINY: dict[str, Any] = {
    "dataset": "digits",
    "architecture": {"name": "dcgan", "channels": 2},
    "steps": 2,
    "evaluation": {"count": 1, "images": 100, "metrics": ["fd", "is"], "repeats": 0},
    "rounds": 1,
    "pairs": 20,
}
TIMES = ["seconds", "ratio", "device"]  # of a machine, as are the rows of G7


def measured(name: str, folder: Path, device: str) -> pd.DataFrame:
    size = STUDIES[name].sizes["smoke"]
    assert isinstance(size, Size)
    options = {**size.options, **{key: value for key, value in TINY.items() if key in size.options}}
    folder.mkdir()
    torch.manual_seed(0)  # spectral norm begins with vectors from the global stream
    setting = Setting("smoke", (0,), options, folder, folder / "runs", Resources(device=device))
    return store.frame(STUDIES[name].run(setting))


@pytest.mark.parametrize("name", ["G1", "G2", "G6", "G7"])
def test_study_with_code_of_its_own_for_a_device_runs_there(gpu: Any, tmp_path: Path, name: str) -> None:
    assert not measured(name, tmp_path / "gpu", "cuda:0").empty


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGES)
def test_study_measures_what_it_does_on_the_cpu(gpu: Any, tmp_path: Path, name: str) -> None:
    here, there = measured(name, tmp_path / "cpu", "cpu"), measured(name, tmp_path / "gpu", "cuda:0")
    pd.testing.assert_frame_equal(here.drop(columns=TIMES, errors="ignore"), there.drop(columns=TIMES, errors="ignore"))
