"""lipbench from Python: the same records as by the command line, and results as frames, figures and modules."""

import importlib.util
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from rich.console import Console

from lipbench.bench import Results, check, merge, open_results, run_suite
from lipbench.bench.cli import main
from lipbench.bench.config.suite import Suite
from lipbench.bench.metrics import stability
from lipbench.bench.records.checksums import SUMS
from lipbench.objectives import BadInput, GradientPenalty, SpectralNorm

SUITE: dict[str, Any] = {
    "objectives": ["wgan-gp", "sn-gan", "gn-gan", "orthogonal", "layer-norm", "weight-norm"],
    "datasets": ["8gaussians"],
    "architectures": [{"name": "mlp", "width": 8, "depth": 2}],
    "recipe": {"name": "fast", "lr": 0.01, "n_critic": 2, "batch": 16},
    "steps": 6,
    "seeds": 1,
    "evaluation": {"count": 2, "points": 50, "mode_points": 100},
}
ONE = SUITE | {"objectives": ["sn-gan"], "seeds": 2}
COSTS = ("seconds", "memory")


@pytest.fixture(scope="module")
def quiet() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, quiet: Console) -> Results:
    return run_suite(SUITE, out=tmp_path_factory.mktemp("api") / "small", jobs=1, console=quiet)


def of(results: Results, objective: str) -> str:
    return next(record.id for record in results.records if record.objective == objective)


def same_but_costs(a: Path, b: Path) -> bool:
    if a.name == "result.json":
        one, two = (json.loads(path.read_text()) for path in (a, b))
        return {k: v for k, v in one.items() if not any(c in k for c in COSTS)} == {
            k: v for k, v in two.items() if not any(c in k for c in COSTS)
        }
    if a.name in ("history.csv", "runs.csv"):
        one, two = (pd.read_csv(path).filter(regex="^(?!.*(seconds|memory))") for path in (a, b))
        return one.equals(two)
    return a.read_bytes() == b.read_bytes()


def test_python_and_command_line_make_the_same_records(
    tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("same.yaml").write_text(yaml.safe_dump(ONE), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["run", "same.yaml", "--out", "a/same", "--jobs", "1"])
    assert left.value.code == 0
    objects = ONE | {"objectives": [SpectralNorm]}
    results = run_suite(objects, out="b/same", jobs=1, console=quiet)
    capsys.readouterr()
    made = {path.relative_to("b/same") for path in Path("b/same").rglob("*") if path.is_file()}
    assert made == {path.relative_to("a/same") for path in Path("a/same").rglob("*") if path.is_file()}
    timed = {"suite.json", "report.html", ".lock", ".reported.json", SUMS}
    compared = [path for path in made if path.name not in timed and path.parent.name != "plots"]
    assert {"spec.json", "samples.npz", "critic.safetensors", "summary.csv"} <= {path.name for path in compared}
    assert [path for path in compared if not same_but_costs("a/same" / path, "b/same" / path)] == []
    a, b = (json.loads(Path(folder, "same/suite.json").read_text()) for folder in "ab")
    assert a.pop("command").startswith("lipbench") and b.pop("command").startswith("run_suite")
    assert a == b
    assert len(results.records) == 2


def test_folders_are_merged_as_on_the_command_line(
    tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    here = run_suite(ONE, out="here", jobs=1, console=quiet)
    run_suite(ONE | {"seeds": [7]}, out="there", jobs=1, console=quiet)
    with pytest.raises(SystemExit) as left:
        main(["merge", "here", "there", "--out", "a/both"])
    assert left.value.code == 0
    capsys.readouterr()
    both = merge([here, "there"], out="b/both", console=quiet)
    assert both.folder == Path("b/both") and sorted(both.runs["seed"]) == [0, 1, 7]
    files = {path.relative_to("a") for path in Path("a").rglob("*") if path.is_file() and path.name != ".lock"}
    assert files == {p.relative_to("b") for p in Path("b").rglob("*") if p.is_file() and p.name != ".lock"}
    told = {"suite.json", "report.html"}  # how the folder was made
    assert [f for f in files if f.name not in told and Path("a", f).read_bytes() != Path("b", f).read_bytes()] == []
    given: tuple[tuple[Any, str], ...] = (("here", "a list"), ([], "no folder"), (["nowhere"], "no such results"))
    for folders, line in given:
        with pytest.raises(BadInput, match=line):
            merge(folders, out="c", console=quiet)
    with pytest.raises(BadInput, match="holds runs already"):
        merge([here], out="b/both", console=quiet)
    assert not Path("c").exists()


def test_suite_may_be_a_file_or_a_checked_suite(tmp_path: Path, results: Results, quiet: Console) -> None:
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(ONE | {"seeds": 1}), encoding="utf-8")
    from_file = run_suite(tmp_path / "one.yaml", out=tmp_path / "a", jobs=1, console=quiet)
    checked = run_suite(Suite.model_validate(ONE | {"seeds": 1}), out=tmp_path / "b", jobs=1, console=quiet)
    ids = {record.id for record in from_file.records}
    assert ids == {record.id for record in checked.records} == {of(results, "sn-gan")}


def test_suite_that_is_complete_is_not_run_again(results: Results) -> None:
    before = {path: path.stat().st_mtime_ns for path in results.folder.rglob("*") if path.is_file()}
    console = Console(file=io.StringIO(), width=200)
    run_suite(SUITE, out=results.folder, jobs=1, console=console)
    assert "0 to make" in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert before == {path: path.stat().st_mtime_ns for path in results.folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("content", "more", "told"),
    [
        ({"stesp": 3}, {}, "stesp"),
        ({}, {"out": None}, "name"),
        ({}, {"jbos": 2}, "jbos"),
        ({}, {"executor": "lokal"}, "lokal"),
        ({"objectives": [lambda: None]}, {}, "top"),
        ({"objectives": [Path("x")]}, {}, "objectives"),
    ],
)
def test_suite_that_cannot_be_used_is_told_in_a_line(
    tmp_path: Path, content: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadInput) as error:
        run_suite(SUITE | content, **{"out": tmp_path / "new", **more})
    assert told in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_runs_and_summary_are_typed_frames_of_the_records(results: Results) -> None:
    runs, summary = results.runs, results.summary
    assert len(runs) == 6 and set(runs["status"]) == {"completed"}
    assert runs.dtypes[["run", "reason", "seed", "diverged_at", "w1_final"]].astype(str).tolist() == [
        "string",
        "string",
        "Int64",
        "Int64",
        "float64",
    ]
    record = next(record for record in results.records if record.objective == "sn-gan")
    tails = runs.loc[runs["run"] == record.id, "w1_tail_mean"].tolist()
    assert tails == [record.metrics["w1"]["tail_mean"]]
    w1 = summary.query("objective == 'sn-gan' and metric == 'w1'").iloc[0]
    assert (w1["median"], w1["n"], w1["better"]) == (record.metrics["w1"]["tail_mean"], 1, "lower")
    assert w1["floor"] == record.floors["w1"] and np.isnan(w1["low"])
    assert not summary.duplicated(["dataset", "architecture", "recipe", "objective", "metric"]).any()


def test_history_is_one_frame_over_runs(results: Results) -> None:
    history = results.history("w1", "penalty")
    assert list(history.columns[-2:]) == ["w1", "penalty"] and len(history) == 6 * 3
    assert str(history["step"].dtype) == "Int64"
    record = results.records[0]
    own = history[history["run"] == record.id]
    assert own["w1"].tolist() == record.history["w1"].tolist() and set(own["seed"]) == {0}
    assert set(results.history().columns) >= {"modes", "slope_line_max", "generator_grad_norm"}
    with pytest.raises(BadInput, match="w2"):
        results.history("w2")


def test_samples_are_those_of_the_last_evaluation(results: Results) -> None:
    found = results.samples(results.runs.iloc[0])
    assert found["fake"].shape == (512, 2) and found["steps"].tolist() == [0, 3, 6]
    assert (found["snapshots"][-1] == found["fake"]).all()


@pytest.mark.parametrize("objective", SUITE["objectives"])
def test_critic_comes_back_as_it_was_trained(results: Results, objective: str) -> None:
    run = of(results, objective)
    critic, x = results.critic(run), torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    record = next(record for record in results.records if record.id == run)
    measured = stability.singular_values(critic, x[:2])
    assert measured == pytest.approx(record.measurements.layers["singular_values"], rel=1e-5)
    assert critic(x).shape == (64,) and not critic.training
    if objective == "sn-gan":
        assert max(measured.values()) < 1.05


def test_networks_come_back_also_from_records_without_the_datas_shape(results: Results, tmp_path: Path) -> None:
    run, z = of(results, "sn-gan"), torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    shutil.copytree(results.folder, tmp_path / "old")
    path = tmp_path / "old" / "runs" / run / "spec.json"
    spec = json.loads(path.read_text())
    assert spec.pop("shape") == [2]
    path.write_text(json.dumps(spec))
    (path.parent / SUMS).unlink()
    old = open_results(tmp_path / "old")
    assert torch.equal(old.generator(run)(z), results.generator(run)(z))
    assert torch.equal(old.critic(run)(z), results.critic(run)(z))


@pytest.mark.parametrize("damage", ["gone", "altered"])
def test_critic_that_is_not_what_was_written_is_told(results: Results, tmp_path: Path, damage: str) -> None:
    shutil.copytree(results.folder, tmp_path / "old")
    run = of(results, "sn-gan")
    path = tmp_path / "old" / "runs" / run / "checkpoint" / "critic.safetensors"
    content = path.read_bytes()
    path.unlink()
    if damage == "altered":
        path.write_bytes(content[:-1] + b"!")
    with pytest.raises(BadInput, match=f"{run}.*(gone|damaged)"):
        Results(tmp_path / "old").critic(run)


def test_plot_is_a_figure_with_a_panel_per_block(results: Results) -> None:
    figure = results.plot("w1", against="critic_steps")
    (axes,) = figure.axes
    assert axes.get_title() == "8gaussians" and axes.get_xlabel() == "critic steps"
    assert len(axes.lines) >= 6
    for metric, against in (("w2", "step"), ("w1", "hours")):
        with pytest.raises(BadInput, match="known"):
            results.plot(metric, against)


def test_report_is_written_from_the_records(results: Results) -> None:
    (results.folder / "summary.csv").unlink()
    assert results.report().read_text(encoding="utf-8").startswith("<!doctype html>".upper()[:2])
    assert (results.folder / "summary.csv").is_file()


def test_results_of_what_is_not_there_are_told(results: Results, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such results folder"):
        open_results(tmp_path / "nothing")
    with pytest.raises(BadInput, match="unknown run"):
        results.samples("nobody")


def test_check_takes_a_class_or_a_name() -> None:
    report = check(GradientPenalty, weight=5.0)
    assert report.ok and "GradientPenalty" in str(report)
    with pytest.raises(BadInput, match="wgan-gpp"):
        check("wgan-gpp")
    with pytest.raises(BadInput, match="wieght"):
        check(GradientPenalty, wieght=5.0)


def test_import_and_results_need_no_torch() -> None:
    code = "import sys; from lipbench.bench import run_suite, open_results; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


NOTEBOOK = """
import torch
from lipbench.objectives import Objective

WEIGHT = 1.0

def square(x):
    return x.flatten(1).square().sum(dim=1)

class Mine(Objective):
    name = "mine"
    reference = "a test"

    def penalty(self, critic, batch):
        x = batch.real.detach().requires_grad_()
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return WEIGHT * square(slope).mean()
"""


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Makes code the main module, as a notebook does, and gives it."""

    def define(code: str) -> Any:
        path = tmp_path / f"cell{len(list(tmp_path.glob('cell*')))}.py"
        path.write_text(code, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("__main__", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "__main__", module)
        spec.loader.exec_module(module)
        return module

    return define


def test_class_of_a_notebook_is_run_and_made_again_where_what_it_uses_changes(
    tmp_path: Path, quiet: Console, notebook: Callable[[str], Any]
) -> None:
    def ids(code: str) -> set[str]:
        suite = SUITE | {"objectives": [notebook(code).Mine]}
        return {record.id for record in run_suite(suite, out=tmp_path / "out", console=quiet).records}

    first = ids(NOTEBOOK)
    assert ids("# a comment\nOTHER = 3\n" + NOTEBOOK) == first
    assert ids(NOTEBOOK + "\nx, slope = 5, 6\n") == first  # later cells may call something as functions call theirs
    assert ids(NOTEBOOK.replace("WEIGHT = 1.0", "WEIGHT = 2.0")).isdisjoint(first)
    assert ids(NOTEBOOK.replace(".square()", ".abs()")).isdisjoint(first)


def test_metric_of_a_notebook_is_measured(tmp_path: Path, quiet: Console, notebook: Callable[[str], Any]) -> None:
    metric = notebook(
        "from torchmetrics import Metric\nclass Three(Metric):\n    higher_is_better = True\n"
        "    def update(self, samples, real): ...\n    def compute(self): return 3.0\n"
    ).Three
    suite = SUITE | {"evaluation": SUITE["evaluation"] | {"metrics": [metric]}}
    results = run_suite(suite, out=tmp_path / "out", console=quiet)
    rows = results.summary[results.summary["metric"] == "Three"]
    assert set(rows["median"]) == {3.0} and set(rows["better"]) == {"higher"} and set(rows["floor"]) == {3.0}


def test_class_of_a_notebook_runs_in_its_process_alone(tmp_path: Path, notebook: Callable[[str], Any]) -> None:
    suite = SUITE | {"objectives": [{"name": notebook(NOTEBOOK).Mine}]}
    asked: tuple[dict[str, Any], ...] = ({"jobs": 2}, {"executor": "ray"})
    for more in asked:
        with pytest.raises(BadInput, match="jobs=1"):
            run_suite(suite, out=tmp_path / "out", **more)
