"""SECURITY.md: no file of a results folder, of the data or of the weights runs code when it is opened.

Each file is replaced by a trap, which makes a folder when it is unpickled. test_checkpoint.py does so with
checkpoints, test_slurm.py with the jobs of a queue.
"""

import ast
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from lipbench.bench import open_results
from lipbench.bench.cli import main
from lipbench.bench.records.checksums import write_sums
from lipbench.bench.records.reader import FILES, WEIGHTS
from lipbench.objectives import BadInput

ROOT = Path(__file__).parents[3]
Call = Callable[..., tuple[int, str]]


class Trap:
    """Unpickled, it makes the folder `sprung` in the working directory."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("sprung",)


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, fake=np.array([Trap()], dtype=object), real=np.array([Trap()], dtype=object))
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Trap()] * 40), allow_pickle=True)
    return file.getvalue()


def tensors() -> bytes:
    file = io.BytesIO()
    torch.save({"net.centers": Trap()}, file)
    return file.getvalue()


FORMS: dict[str, Callable[[], bytes]] = {
    "pickle": lambda: pickle.dumps(Trap(), protocol=2), "torch": tensors, "npy": array, "npz": archive,
}  # fmt: skip


@pytest.fixture(autouse=True)
def unsprung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test works in a folder of its own, where nothing has been unpickled at its end."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path("sprung").exists()


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """The exit status of a command line, and what it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return int(left.value.code or 0), out + err

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite and its results: one run."""
    place = tmp_path_factory.mktemp("made")
    suite = {
        "objectives": ["sn-gan"], "datasets": ["8gaussians"],
        "architectures": [{"name": "mlp", "width": 8, "depth": 2}],
        "recipe": {"name": "fast", "lr": 0.01, "batch": 16}, "steps": 2, "seeds": 1,
        "evaluation": {"count": 1, "points": 50, "mode_points": 100},
    }  # fmt: skip
    (place / "small.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["run", str(place / "small.yaml"), "--jobs", "1", "--out", str(place / "results")])
    assert not left.value.code
    return place


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "results"


@pytest.mark.parametrize("form", FORMS)
def test_traps_are_sprung_by_whoever_unpickles_them(form: str, tmp_path: Path) -> None:
    Path("trap").write_bytes(FORMS[form]())
    if form == "torch":
        torch.load("trap", weights_only=False)
    elif form == "pickle":
        pickle.loads(Path("trap").read_bytes())
    else:
        loaded = np.load("trap", allow_pickle=True)
        assert loaded["fake"] is not None if form == "npz" else True
    Path("sprung").rmdir()  # it was there


COMMANDS = {
    "report": ("results",),
    "compare": ("results", "results"),
    "merge": ("results", "results", "--out", "merged"),
    "sample": ("results/runs/RUN", "--n", "4", "--out", "drawn.png"),
}
RECORDS = [
    *((name, "pickle") for name in FILES[:3]),
    *(("samples.npz", form) for form in ("pickle", "npy", "npz")),
    *((name, form) for name in WEIGHTS for form in ("pickle", "torch")),
]


@pytest.mark.parametrize(("name", "form"), RECORDS)
def test_record_of_somebody_else_runs_no_code(name: str, form: str, results: Path, call: Call) -> None:
    """Even where its sums fit."""
    (run,) = (results / "runs").iterdir()
    (run / name).write_bytes(FORMS[form]())
    write_sums(run, [*FILES, *WEIGHTS])
    readers = {"samples.npz": ["report"], WEIGHTS[0]: ["sample"], WEIGHTS[1]: []}.get(name, [*COMMANDS])
    for command in readers:
        status, printed = call(command, *(word.replace("RUN", run.name) for word in COMMANDS[command]))
        assert status == 2 and Path(name).name in printed and len(printed.splitlines()) == 1, printed
    if name == WEIGHTS[1]:  # the report has what else there is of the run
        assert call("report", "results")[0] == 0


@pytest.mark.parametrize(("name", "form"), [("samples.npz", "npz"), *((name, "torch") for name in WEIGHTS)])
def test_opened_record_of_somebody_else_runs_no_code(name: str, form: str, results: Path) -> None:
    (run,) = (results / "runs").iterdir()
    (run / name).write_bytes(FORMS[form]())
    write_sums(run, [*FILES, *WEIGHTS])
    opened = open_results("results")
    open_it = {"samples.npz": opened.samples, WEIGHTS[0]: opened.generator, WEIGHTS[1]: opened.critic}[name]
    with pytest.raises(BadInput, match=name):
        open_it(run.name)


def test_damaged_record_is_made_again_and_not_unpickled(results: Path, call: Call) -> None:
    (run,) = (results / "runs").iterdir()
    for name in (*FILES, *WEIGHTS, "checksums.sha256"):
        (run / name).write_bytes(FORMS["pickle"]())
    for name in (".reported.json", "runs.csv", "summary.csv"):
        (results / name).write_bytes(FORMS["pickle"]())
    status, printed = call("run", "small.yaml", "--jobs", "1", "--out", "results")
    assert status == 0 and "1 completed" in printed
    (results / "suite.json").write_bytes(FORMS["pickle"]())
    status, printed = call("report", "results")
    assert status == 2 and "suite.json" in printed


@pytest.mark.parametrize(
    ("dataset", "file", "form", "line"),
    [
        ("points:trap.npy", "trap.npy", "npy", "trap.npy cannot be read"),
        ("points:trap.npy", "trap.npy", "pickle", "trap.npy cannot be read"),
        ("points:trap.npz?array=fake", "trap.npz", "npz", "trap.npz cannot be read"),
        ("points:trap.csv", "trap.csv", "pickle", "trap.csv cannot be read"),
        ("folder:photos?size=16", "photos/trap.png", "pickle", "photos"),
        ("funnels:d=2&n=4&official", "w1_benchmark/pairs/dim_2_funnels_4.pt", "torch", "damaged, or no parameters"),
        ("funnels:d=2&n=4&official", "w1_benchmark/pairs/dim_2_funnels_4.pt", "pickle", "damaged, or no parameters"),
    ],
)
def test_data_of_somebody_else_run_no_code(
    dataset: str, file: str, form: str, line: str, made: Path, call: Call
) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_bytes(FORMS[form]())
    status, printed = call(
        "run", str(made / "small.yaml"), "--data", ".", "--out", "out", "--set", f"datasets={dataset}"
    )
    assert status == 2 and line in printed and len(printed.splitlines()) == 1, printed


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_weights_of_somebody_else_run_no_code(form: str, made: Path, call: Call) -> None:
    Path("weights.pth").write_bytes(FORMS[form]())
    asked = ("datasets=digits", "architectures=[dcgan]", "evaluation.extractor=inception")
    status, printed = call("run", str(made / "small.yaml"), "--weights", "weights.pth", "--out", "out", "--set", *asked)
    assert status == 2 and "has sha256" in printed and len(printed.splitlines()) == 1, printed


def test_yaml_of_somebody_else_runs_no_code(made: Path, call: Call) -> None:
    trap = "!!python/object/apply:os.mkdir [sprung]"
    Path("trap.yaml").write_text((made / "small.yaml").read_text().replace("steps: 2", f"steps: {trap}"))
    assert "trap.yaml" in call("run", "trap.yaml")[1]
    for command in (
        ("run", str(made / "small.yaml"), "--set", f"steps={trap}"),
        ("check", "wgan-gp", "--set", f"weight={trap}"),
    ):
        status, printed = call(*command)
        assert status == 2 and len(printed.splitlines()) == 1, printed


@pytest.mark.parametrize("name", ["study.json", "measurements.csv"])
def test_record_of_a_study_runs_no_code(name: str, call: Call) -> None:
    asked = ("study", "T14", "--scale", "quick", "--jobs", "1", "--out", "studies")
    assert call(*asked)[0] == 0
    (file,) = Path("studies").rglob(name)
    file.write_bytes(FORMS["pickle"]())
    assert call(*asked)[0] == 0
    assert "superseded" in str(file) or json.loads(file.with_name("study.json").read_text())["seeds"]


UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
ARGUMENTS = {"torch.load": "weights_only=True", "np.load": "allow_pickle=False", "numpy.load": "allow_pickle=False"}
UNSAFE = {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "pd.read_pickle"}


def unpicklers(path: Path) -> list[str]:
    """The lines of a source file that may unpickle something."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        line = ast.unparse(node) if isinstance(node, ast.Import | ast.ImportFrom | ast.Call) else ""
        if isinstance(node, ast.Import) and UNPICKLERS & {name.name for name in node.names}:
            found.append(line)
        if isinstance(node, ast.ImportFrom) and node.module in UNPICKLERS and not line.endswith("UnpicklingError"):
            found.append(line)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in UNSAFE or ARGUMENTS.get(name, "") not in line:
                found.append(line)
    return found


def test_sources_call_nothing_that_may_unpickle() -> None:
    sources = [path for top in ("bench", "models", "objectives") for path in (ROOT / top).rglob("*.py")]
    assert len(sources) > 100
    assert not {str(path): found for path in sources if (found := unpicklers(path))}


def test_a_line_that_may_unpickle_is_found(tmp_path: Path) -> None:
    lines = [
        "import pickle",
        "from pickle import loads",
        "torch.load(p)",
        "np.load(p, allow_pickle=True)",
        "yaml.load(t, L)",
    ]
    (tmp_path / "a.py").write_text("\n".join([*lines, "from pickle import UnpicklingError", "yaml.safe_load(t)"]))
    assert sorted(unpicklers(tmp_path / "a.py")) == sorted(lines)
