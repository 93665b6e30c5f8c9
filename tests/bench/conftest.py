"""What the tests of runs and sweeps share: plug-in files, tiny suites, and a place to make runs in."""

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = """
import torch
from lipbench.objectives import Batch, Objective

class Mine(Objective):
    name = "mine"
    reference = "a test"
"""


@pytest.fixture
def write_plugin(tmp_path: Path) -> Callable[..., Path]:
    """Writes my.py with the class `Mine`, whose body is given; `head` replaces everything before it."""

    def write(body: str = "", name: str = "my.py", head: str = HEAD) -> Path:
        path = tmp_path / name
        path.write_text(head + "".join(f"    {line}\n" for line in body.splitlines()), encoding="utf-8")
        return path

    return write
