"""What an author of an objective does: the README's file, and a package with an entry point, run as they would be."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TINY = ["steps=4", "seeds=1", "evaluation={count: 2, points: 50, mode_points: 200}"]


def block(page: str, heading: str, language: str) -> str:
    """The first block of code in that language below the heading."""
    section = (ROOT / page).read_text(encoding="utf-8").split(f"# {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = re.search(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)
    assert found is not None
    return found.group(1)


def call(*command: str, cwd: Path, **environment: str) -> str:
    """What the command printed; fails the test, with all of it, on another exit status than 0."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("page", "heading", "name", "printed_as"),
    [
        ("README.md", "Your own objective", "ZeroCentred", "zero-centred"),
        ("docs/objective.md", "Your objective", "MyObjective", "zero-gp"),
    ],
)
def test_documented_objective_is_short_conforms_and_runs_beside_ours(
    lipbench: Callable[..., str], page: str, heading: str, name: str, printed_as: str, tmp_path: Path
) -> None:
    code, suite = block(page, heading, "python"), block(page, heading, "yaml")
    assert len(code.splitlines()) <= 18
    (tmp_path / "my.py").write_text(code, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(suite, encoding="utf-8")
    assert "0 failed" in lipbench("check", f"my.py:{name}")
    printed = lipbench("run", "mine.yaml", "--jobs", "1", "--set", *TINY)
    assert printed_as in printed and "wgan-gp" in printed
    assert (tmp_path / "results" / "mine" / "summary.csv").is_file()
    page = unescape((tmp_path / "results" / "mine" / "report.html").read_text(encoding="utf-8"))
    assert "between random real" in page and "arXiv:1902.03984)" in page and "not built into lipbench" not in page


def test_documented_objective_stands_among_critics_by_its_name(lipbench: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(block("README.md", "Your own objective", "python"), encoding="utf-8")
    tiny = ["steps=4", "seeds=1", "evaluation={count: 2, points: 50, repeats: 0}", "datasets=['funnels:d=2&n=4']"]
    asked = [*tiny, "objectives=[wgan-gp, my.py:ZeroCentred]"]
    printed = lipbench("run", "critics", "--jobs", "1", "--set", *asked)
    assert "2 completed" in printed
    table = (tmp_path / "results" / "critics" / "summary.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("|")}
    assert "cos ↑" in rows["objective"]
    assert all(re.search(r"1/1 ok .* [0-9.−]+ ", rows[name]) for name in ("wgan-gp", "zero-centred"))


@pytest.mark.slow
def test_python_of_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(block("README.md", "From Python", "python"), encoding="utf-8")
    assert "sn-gan" in call(sys.executable, "first.py", cwd=tmp_path)


@pytest.mark.slow
def test_plugin_package_is_listed_checked_and_run(tmp_path: Path) -> None:
    environment = tmp_path / "env"
    call(sys.executable, "-m", "venv", "--without-pip", str(environment), cwd=tmp_path)
    python = environment / "bin" / "python"
    purelib = call(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    # The packages of this environment, its editable ones too, are seen from the new one.
    (Path(purelib) / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    package = str(ROOT / "tests" / "example_plugin")
    source = tmp_path / "source"
    call("cp", "-rL", package, str(source), cwd=tmp_path)  # building leaves files beside the sources
    pip = (sys.executable, "-m", "pip", "--python", str(python))
    call(*pip, "install", "-q", "--no-deps", "--no-build-isolation", str(source), cwd=tmp_path)
    lipbench = (str(python), "-m", "lipbench.bench.cli")
    for kind in ("objectives", "architectures", "datasets", "metrics", "extractors"):
        assert "lipbench-example" in call(*lipbench, "list", kind, cwd=tmp_path, COLUMNS="250")
    targets = (["zero-gp"], ["absolute-critic", "--set", "generator=mlp"], ["two-rings"])
    for target in (*targets, ["energy-distance"], ["random-features", "--set", "width=8"]):
        assert "0 failed" in call(*lipbench, "check", *target, cwd=tmp_path)
    suite = (
        "objectives: [zero-gp, wgan-gp]\ndatasets: ['two-rings?n=200', digits]\nrecipe: matched\n"
        "architectures: {'two-rings?n=200': [{name: absolute-critic, generator: mlp}]}\n"
    )
    (tmp_path / "s.yaml").write_text(suite)
    measures = "{count: 2, points: 50, images: 100, metrics: [fd, energy-distance], extractor: random-features}"
    tiny = [*TINY[:-1], f"evaluation={measures}"]
    printed = call(*lipbench, "run", "s.yaml", "--jobs", "1", "--set", *tiny, cwd=tmp_path, COLUMNS="200")
    for heading in ("zero-gp", "absolute-critic", "two-rings", "energy-distance ↓", "FD(random-features) ↓"):
        assert heading in printed
