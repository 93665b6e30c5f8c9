"""What the command line imports before it knows what it is to do: a start takes tenths of a second, torch seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "pytorch_lightning", "pandas", "matplotlib", "scipy")
CODE = f"""
import sys
from lipbench.bench.cli import main
try:
    main()
finally:
    print("imported:", *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("--help", 0),
        ("run --help", 0),
        ("list objectives", 0),
        ("list datasets", 0),
        ("list losses", 0),
        ("list suites", 0),
        ("list studies", 0),
        ("completion bash", 0),
        ("run qick", 2),
        ("tune qick --budget 1", 2),
        ("run quick --set stesp=3", 2),
        ("run quick --set datasets=minst", 2),
        ("run quick --set losses=hinje", 2),
        ("run quick --nope", 2),
        ("list things", 2),
    ],
)
def test_cli_answers_without_heavy_imports(tmp_path: Path, arguments: str, status: int) -> None:
    command = [sys.executable, "-c", CODE, *arguments.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == status
    assert done.stderr.splitlines()[-1].strip() == "imported:"


def test_cli_tells_that_there_is_nothing_to_do_without_heavy_imports() -> None:
    code = f"import sys, lipbench.bench.sweep.unchanged; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_worker_that_has_just_been_started_follows_its_parent_before_torch_is_imported() -> None:
    """Importing torch takes long on a busy machine, and a parent that is killed meanwhile would leave the worker."""
    ask = "import sys, lipbench.bench.run.parent; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    assert "lipbench.bench.run.parent" in loaded
    assert not {"torch", "numpy", "pandas", "pytorch_lightning", "pydantic"} & set(loaded)
