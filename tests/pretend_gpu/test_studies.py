"""The image studies on the pretended GPU, with next to nothing to train."""

from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.studies import STUDIES, Resources, Setting, Size

TINY: dict[str, Any] = {
    "dataset": "digits",
    "architecture": {"name": "dcgan", "channels": 2},
    "steps": 2,
    "evaluation": {"count": 1, "images": 100, "metrics": ["fd", "is"], "repeats": 0},
    "rounds": 1,
    "pairs": 20,
}


@pytest.mark.parametrize("name", ["G1", "G2", "G6", "G7"])
def test_study_with_code_of_its_own_for_a_device_runs_there(gpu: Any, tmp_path: Path, name: str) -> None:
    size = STUDIES[name].sizes["smoke"]
    assert isinstance(size, Size)
    options = {**size.options, **{key: value for key, value in TINY.items() if key in size.options}}
    setting = Setting("smoke", (0,), options, tmp_path, tmp_path / "runs", Resources(device="cuda:0"))
    assert STUDIES[name].run(setting)
