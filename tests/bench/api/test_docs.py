"""docs/python.md: every block runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

PAGE = Path(__file__).parents[3] / "docs" / "python.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_documented_loop_is_short_and_moves_the_generator_to_the_data() -> None:
    loop, found = blocks()[-1], dict[str, Any]()
    assert "critic_step" in loop and len([line for line in loop.splitlines() if line]) <= 20
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(loop, found)
    assert set(found["scalars"]) == {"critic_loss", "penalty", "generator_loss"}
    mean = found["generator"](torch.randn(1000, 2, generator=found["rng"])).mean(dim=0)
    assert (mean > 0.5).all()  # the data lie at (3, 3), the generator starts at the origin
    x = torch.randn(1000, 2, generator=found["rng"]).requires_grad_()
    (slope,) = torch.autograd.grad(found["critic"].eval()(x).sum(), x)
    assert slope.norm(dim=1).max() < 1.05


@pytest.mark.slow
def test_page_runs_as_one_script(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("\n".join(blocks()), encoding="utf-8")
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout and "8 completed" in done.stdout
    assert (tmp_path / "w1.png").is_file() and (tmp_path / "results" / "first" / "report.html").is_file()
