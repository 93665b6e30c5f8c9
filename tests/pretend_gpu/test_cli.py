"""Commands that are told to use the pretended GPU, from end to end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lipbench.bench.cli import main

Call = Callable[..., int]
SUITE = {
    "name": "small",
    "objectives": ["wgan-gp", "orthogonal"],
    "datasets": ["8gaussians"],
    "architectures": [{"name": "mlp", "width": 8, "depth": 2}],
    "recipe": {"name": "r", "lr": 0.01, "batch": 16},
    "steps": 4,
    "seeds": [0],
    "evaluation": {"count": 2, "points": 50, "mode_points": 100},
}


@pytest.fixture
def call(gpu: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Runs a command line in an empty folder; its exit status."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        return int(left.value.code or 0)

    return run


def test_cli_makes_a_sweep_there(call: Call, tmp_path: Path) -> None:
    """What cannot be captured is skipped with the reason."""
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SUITE), encoding="utf-8")
    assert call("run", "small.yaml", "--out", "out", "--accelerate", "graph") == 0
    found = [json.loads((run / "result.json").read_text()) for run in (tmp_path / "out" / "runs").iterdir()]
    assert sorted(result["status"] for result in found) == ["completed", "skipped"]
    assert json.loads((tmp_path / "out" / "suite.json").read_text())["machine"]["device"] == "Pretended GPU"
    (folder,) = [run for run in (tmp_path / "out" / "runs").iterdir() if (run / "checkpoint").exists()]
    assert call("sample", str(folder), "--n", "5", "--out", "x.pt") == 0
