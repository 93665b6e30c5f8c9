"""The command line: what it prints, its exit status, and that every mistake is told in one line."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lipbench.bench.cli import main
from lipbench.bench.cli.commands import COMMANDS, Kind
from lipbench.bench.config.recipes import RECIPES
from lipbench.bench.config.suite import Suite, suite_names
from lipbench.bench.data import DATASETS
from lipbench.bench.data.idx import FASHION_MNIST, MNIST
from lipbench.bench.data.vision import VISION
from lipbench.bench.metrics.settings import Evaluation
from lipbench.bench.records.quantities import KNOWN as METRICS
from lipbench.bench.studies import STUDIES
from lipbench.models import ARCHITECTURES
from lipbench.models.recipe import Recipe
from lipbench.objectives import BUILTINS, LOSSES

Call = Callable[..., tuple[int, str, str]]
TINY = ["steps=4", "evaluation={count: 2, points: 50, mode_points: 100}", "architectures=[{name: mlp, width: 8}]"]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Runs a command line in tmp_path: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture
def suite_file(tmp_path: Path, make_suite: Callable[..., Suite]) -> Path:
    content = {k: v for k, v in make_suite(steps=4).model_dump().items() if v is not None}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path / "small.yaml"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_cli_help_is_there_for_every_command(call: Call, command: str) -> None:
    status, out, err = call(*command.split(), "--help")
    assert (status, err) == (0, "")
    assert out.startswith("usage: lipbench")
    if command:
        assert (COMMANDS[command].__doc__ or "").splitlines()[0] in out
        assert "SUPPRESS" not in out
    else:
        assert all(f"    {name} " in out for name in COMMANDS)


def test_cli_help_explains_every_option(call: Call) -> None:
    _, out, _ = call("run", "--help")
    for option in ("--out", "--jobs", "--seeds", "--set", "--data", "--device", "--logger", "--checkpoint-seconds"):
        assert re.search(rf"^  {option} [^\n]*\n?\s+\w+", out, flags=re.MULTILINE), option


def test_cli_version_is_the_distributions(call: Call) -> None:
    from importlib.metadata import version

    assert call("--version")[:2] == (0, f"lipbench {version('lipbench')}\n")


KNOWN: dict[str, Any] = {
    "objectives": BUILTINS,
    "datasets": [*DATASETS, "folder:PATH", "points:FILE"],
    "architectures": ARCHITECTURES,
    "recipes": RECIPES,
    "recipe-keys": [one.name for one in fields(Recipe)],
    "metrics": [key for key, metric in METRICS.items() if metric.quality],
    "suites": suite_names(),
    "suite-keys": [k for k in Suite.model_fields if k != "evaluation"]
    + [f"evaluation.{k}" for k in Evaluation.model_fields],
    "studies": STUDIES,
    "extractors": ["mnist-cnn", "efficientnet-lite0", "inception"],
    "losses": LOSSES,
}


@pytest.mark.parametrize("kind", Kind.__args__)
def test_cli_lists_everything_of_a_kind_with_a_word_about_it(call: Call, kind: str) -> None:
    status, out, err = call("list", kind)
    assert (status, err) == (0, "")
    rows = [line.split("│")[1:3] for line in out.splitlines() if line.startswith("│")]
    named = {name.strip(): about.strip() for name, about in rows if name.strip()}
    assert named.keys() == set(KNOWN[kind])
    assert all(len(about) > 10 and "partial(" not in about for about in named.values())


@pytest.mark.parametrize(("kind", "known"), [("objectives", BUILTINS), ("architectures", ARCHITECTURES)])
def test_cli_lists_every_setting_with_its_default(call: Call, kind: str, known: Any) -> None:
    told, last = dict[str, set[str]](), set[str]()
    for line in call("list", kind)[1].splitlines():
        if line.startswith("│"):
            name, about = (cell.strip() for cell in line.split("│")[1:3])
            last = told.setdefault(name, set()) if name else last
            last.add(about.partition(" (")[0])
    for name, value in known.items():
        parameters = inspect.signature(value).parameters.values()
        settings = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
        assert {line.partition(": ")[0] for line in told[name]} >= settings.keys(), name
    assert "weight: 10.0" in told.get("wgan-gp", ["weight: 10.0"]) and "depth: 3" in told.get("mlp", ["depth: 3"])


def test_cli_list_cites_data_sets_as_runs_do(call: Call) -> None:
    out = call("list", "datasets")[1]
    sources = [*VISION.values(), MNIST, FASHION_MNIST]
    assert [source.name for source in sources if f"{source.citation}; --data DIR or --download" not in out] == []


def test_cli_list_prints_formulas_as_they_are(call: Call) -> None:
    assert "E[f(G(z))] − E[f(x)]" in call("list", "losses")[1]


def test_cli_runs_a_tiny_suite_and_again_and_samples_from_it(call: Call, suite_file: Path, tmp_path: Path) -> None:
    status, out, err = call("run", "small.yaml", "--jobs", "1")
    assert (status, err) == (0, "")
    assert "small: 1 runs, 1 to make, 1 at a time; results in results/small" in out
    folder = tmp_path / "results" / "small"
    assert (folder / "report.html").exists()
    status, out, err = call("run", "small.yaml", "--jobs", "1")
    assert (status, err) == (0, "")
    assert "0 to make" in out
    status, out, err = call("report", str(folder))
    assert (status, err) == (0, "")
    (run,) = (folder / "runs").iterdir()
    assert call("sample", str(run)) == (0, f"{run / 'sample.png'}\n", "")
    assert call("sample", str(run), "--n", "7", "--out", "x.pt", "--seed", "3") == (0, "x.pt\n", "")
    assert torch.load(tmp_path / "x.pt", weights_only=True).shape == (7, 2)


def test_cli_tells_how_to_keep_the_runs_of_another_suite_in_the_tables(call: Call, suite_file: Path) -> None:
    call("run", "small.yaml", "--jobs", "1")
    other = ("run", "small.yaml", "--jobs", "1", "--set", "objectives=[sn-gan]")
    status, out, _ = call(*other)
    assert status == 0 and "1 finished runs are not asked for now" in out and "--add" in out
    status, out, _ = call("run", "small.yaml", "--jobs", "1", "--add")
    assert status == 0 and "superseded" not in out and "0 to make" in out


def test_cli_prints_as_much_as_is_asked_for(call: Call, suite_file: Path, tmp_path: Path) -> None:
    assert call("run", "small.yaml", "--jobs", "1", "--out", "a", "--quiet") == (0, "", "")
    (run,) = (tmp_path / "a" / "runs").iterdir()
    _, out, _ = call("run", "small.yaml", "--jobs", "1", "--out", "b", "-v")
    assert re.search(rf"\[1/1\] .*: completed, .* MB, {re.escape(run.name)}", out)
    short, whole = call("report", "a")[1], call("report", "a", "--notes")[1]
    assert "Each value is the median" in short and "Noise of one evaluation" not in short
    assert "more notes" in short and "Noise of one evaluation" in whole and "more notes" not in whole


def test_cli_dry_run_tells_runs_time_and_memory_and_makes_none(call: Call, suite_file: Path, tmp_path: Path) -> None:
    status, out, err = call("run", "small.yaml", "--jobs", "1", "--dry-run", "--seeds", "3", "--set", "steps=40")
    assert (status, err) == (0, "")
    assert "small: 3 runs, 3 to make, 1 at a time" in out and re.search(r"wgan-gp +3 +40 +\d+ s +\d+", out)
    assert re.search(r"About \d+ .* in all, and up to [\d,]+ MB a run, 1 at a time\.", out)
    assert not (tmp_path / "results").exists()


def test_cli_run_overrides_the_suite(call: Call, tmp_path: Path) -> None:
    """A suite of lipbench's, made tiny on the command line; what is given again is added."""
    status, out, _ = call(
        *("run", "quick", "--out", "here", "--jobs", "1", "--seeds", "2", "--data", ".", "--device", "cpu"),
        *("--set", *TINY, "--set", "objectives=[minimax]", "datasets=8gaussians", "name=tiny"),
    )
    assert status == 0
    assert "tiny: 2 runs, 2 to make" in out
    assert len(list((tmp_path / "here" / "runs").iterdir())) == 2
    steps = [json.loads(path.read_text())["steps"] for path in (tmp_path / "here" / "runs").glob("*/spec.json")]
    assert [f"steps={number}" in TINY for number in steps] == [True, True]
    assert "2 completed" in out


def test_cli_run_ends_with_1_when_a_run_has_failed(
    call: Call, suite_file: Path, write_plugin: Callable[..., Path]
) -> None:
    write_plugin("def penalty(self, critic, batch):\n    raise ZeroDivisionError('on purpose')")
    status, out, err = call("run", "small.yaml", "--jobs", "1", "--set", "objectives=my.py:Mine")
    assert (status, err) == (1, "")
    assert "failed (ZeroDivisionError: on purpose at my.py:" in out


def test_cli_run_ends_with_130_when_it_is_stopped(call: Call, suite_file: Path, interrupt_at: Any) -> None:
    with interrupt_at(2):
        status, _, err = call("run", "small.yaml", "--jobs", "1")
    assert (status, err) == (130, "lipbench: stopped; the same command goes on from here\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("", r"lipbench: expected \"command\" to be one of .*"),
        ("runn small.yaml", r"lipbench: argument command: invalid choice: 'runn' .*"),
        ("run", "lipbench run: the following arguments are required: suite; see lipbench run --help"),
        ("run small.yaml small.yaml", "lipbench run: unrecognized arguments: small.yaml; see lipbench run --help"),
        (
            "run small.yaml --precision 16",
            "lipbench run: argument --precision: must be one of '32', 'tf32', 'bf16', not '16'; see .*",
        ),
        ("run small.yaml --nope", "lipbench run: unrecognized arguments: --nope; see lipbench run --help"),
        ("run small.yaml --jobs many", "lipbench run: argument --jobs: must be of type int, not 'many'; see .*"),
        ("run small.yaml --time-limit no", "lipbench run: argument --time-limit: must be of type float, .*"),
        ("run small.yaml --time_limit no", "lipbench run: argument --time-limit: must be of type float, .*"),
        ("run small.yaml --logger paper", "lipbench: unknown logger 'paper'; known: csv, .*"),
        ("list things", "lipbench list: argument kind: must be one of 'objectives', .*, not 'things'; see .*"),
        ("run qick", r"lipbench: unknown suite 'qick' \(did you mean 'quick'\?\); known: .*"),
        ("run absent.yaml", "lipbench: suite file not found: absent.yaml"),
        ("run broken.yaml", "lipbench: broken.yaml: not valid YAML: .*"),
        ("run misspelt.yaml", r"lipbench: misspelt.yaml: unknown key 'stesp' \(did you mean 'steps'\?\); allowed: .*"),
        ("run small.yaml --jobs 0", "lipbench: --jobs 0: must be 1 to 1,000"),
        ("run small.yaml --seeds 0", "lipbench: small.yaml: 'seeds' is 0: must be how many seeds .*"),
        ("run small.yaml --device tpu", "lipbench: device 'tpu': must be auto, cpu, cuda or cuda:N"),
        ("run small.yaml --device cudax", "lipbench: device 'cudax': must be auto, cpu, cuda or cuda:N"),
        ("run small.yaml --device cuda:99", r"lipbench: device 'cuda:99': \w+ GPUs can be used here"),
        ("run small.yaml --checkpoint_seconds -1", "lipbench: --checkpoint-seconds -1: must be 0 or more"),
        (
            "tune small.yaml --budget 1 --checkpoint-seconds -1",
            "lipbench: --checkpoint-seconds -1: must be 0 or more",
        ),
        ("tune small.yaml", "lipbench tune: the following arguments are required: --budget; see lipbench tune --help"),
        ("tune small.yaml --budget 0", "lipbench: --budget 0: must be 1 to 5,000, .*"),
        ("run small.yaml --time-limit 0", "lipbench: --time-limit 0: must be more than 0 seconds, .*"),
        ("run small.yaml --gpus-per-run -1", "lipbench: --gpus-per-run -1: must be a number, 0 or more"),
        ("run small.yaml --jobs=", "lipbench run: argument --jobs: must be of type int, not ''; see .*"),
        (f"run small.yaml --jobs {'9' * 400}", "lipbench run: 9{20}…: a number of that many digits .*"),
        (f"run small.yaml --time-limit {'9' * 400}", "lipbench run: 9{20}…: a number of that many digits .*"),
        (f"run small.yaml --data {'a' * 5000}", "lipbench: a+ … a+: File name too long"),
        ("run small.yaml --nope=\x1b[31m", r"lipbench run: unrecognized arguments: --nope=\\x1b\[31m; see .*"),
        ("run small.yaml --set architectures=[{name:\xa0mlp,depth:\xa01000000}]", "lipbench: .*: must be at most 1000"),
        (
            "run small.yaml --set architectures=[{name:\xa0mlp,width:\xa01000000}]",
            "lipbench: .* parameters: .* at most .*",
        ),
        (
            "run small.yaml --set recipe={batch:\xa010000000}",
            "lipbench: .*batch=10000000: must be .* at most 1,000,000",
        ),
        ("run small.yaml --set evaluation.mode_points=10000000", "lipbench: .* less than or equal to 1000000"),
        ("run small.yaml --set steps", "lipbench: 'steps': must be KEY=VALUE, e.g. steps=60"),
        ("run small.yaml --set steps=few", "lipbench: small.yaml: 'steps' is 'few': input should be a valid integer.*"),
        ("run small.yaml --set objectives=minmax", "lipbench: small.yaml: objectives: unknown objective 'minmax' .*"),
        ("run small.yaml --set datasets=minst", "lipbench: small.yaml: datasets: unknown dataset 'minst' .*"),
        (
            "run small.yaml --set architectures=mpl",
            ".* architectures: unknown architecture 'mpl' .*",
        ),
        ("run small.yaml --set recipe=mached", "lipbench: small.yaml: recipe: unknown recipe 'mached' .*"),
        ("run small.yaml --set recipe={lr:\xa0-1}", "lipbench: small.yaml: recipe: lr=-1.0: must be > 0"),
        ("run small.yaml --set losses=hinje", "lipbench: small.yaml: losses: unknown loss 'hinje' .*"),
        (
            "run small.yaml --set objectives=[{name:\xa0wgan-gp,weight:\xa0-1}]",
            "lipbench: small.yaml: wgan-gp: weight=-1.0: must be a number ≥ 0",
        ),
        (
            "run small.yaml --data absent",
            "lipbench: --data absent: there is no such folder; with --download it is made",
        ),
        ("tune small.yaml --budget 1 --weights a.pth", "lipbench: --weights a.pth: there is no such file"),
        ("tune small.yaml --budget 1 --weights .", r"lipbench: --weights \.: not a file"),
        ("study T1 --data small.yaml --download", "lipbench: --data small.yaml: not a folder"),
        ("study T1 --set foo=3", "lipbench: T1 at scale quick: 'foo' is set: this study has no options"),
        (
            "run small.yaml --set datasets=mnist --data empty",
            "lipbench: mnist: .* is missing; .*; add --download to fetch it there, or name the .* --data DIR",
        ),
        ("study S1 --set foo=3", "lipbench: S1 at scale quick: unknown option 'foo'; known: .+"),
        ("run small.yaml --set evaluation.cont=5", r"lipbench: .*'evaluation.cont' \(did you mean 'count'\?\); .*"),
        ("run small.yaml --set recipe={decay:\xa0cosine}", r"lipbench: .* unknown decay 'cosine'; known: linear, none"),
        ("run small.yaml --executor ray --jobs 2", "lipbench: --jobs: for the executor local; this is ray"),
        ("run small.yaml --set datasets=mnist --data corrupt", "lipbench: mnist: .* is corrupt .*"),
        ("run small.yaml --out small.yaml/out", "lipbench: results folder small.yaml/out: cannot write there: .*"),
        ("run small.yaml --out small.yaml", "lipbench: results folder small.yaml: cannot write there: .*"),
        ("report absent", "lipbench: no such results folder: absent"),
        ("report corrupt", "lipbench: no finished run in corrupt/runs"),
        ("study T99", "lipbench: unknown study 'T99'.*"),
        ("sample absent", "lipbench: absent: no trained generator here; give the folder of a run, .*"),
        ("sample absent --out x.gif", "lipbench: x.gif: must end in .png or .pt"),
        ("sample absent --n few", "lipbench sample: argument --n: must be of type int, not 'few'; see .*"),
        ("check minmax", "lipbench: unknown objective 'minmax' .*"),
        ("check absent.py:Mine", "lipbench: objective file not found: absent.py"),
        ("check wgan-gp --set weight", "lipbench: 'weight': must be KEY=VALUE, .*"),
        ("check wgan-gp --set wieght=1", "lipbench: --set: wgan-gp: unknown argument 'wieght' .*"),
        ("check wgan-gp --set weight=-1", "lipbench: --set: wgan-gp: weight=-1.0: must be a number ≥ 0"),
        ("check wgan-gp --set weight=[1", r"lipbench: weight=\[1: not valid YAML: .*"),
    ],
)
def test_cli_tells_a_mistake_in_one_line_and_ends_with_2(
    call: Call, suite_file: Path, tmp_path: Path, arguments: str, line: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.yaml").write_text("objectives: [minimax")
    (tmp_path / "misspelt.yaml").write_text("objectives: [minimax]\ndatasets: [8gaussians]\nstesp: 3\n")
    raw = tmp_path / "corrupt" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x01\x05")
    status, out, err = call(*split(arguments))
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert re.fullmatch(line, err.rstrip("\n")), err
    assert not (tmp_path / "results").exists()


def split(arguments: str) -> list[str]:
    """At spaces, but not at those that do not break."""
    return [part.replace("\xa0", " ") for part in arguments.split(" ") if part]


def test_cli_record_cut_in_half_is_named_by_report_and_made_again_by_run(
    call: Call, suite_file: Path, tmp_path: Path
) -> None:
    call("run", "small.yaml", "--jobs", "1")
    folder = tmp_path / "results" / "small"
    path = next(folder.glob("runs/*/history.csv"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    status, _, err = call("report", str(folder))
    assert status == 2
    assert err.startswith(f"lipbench: damaged record {path}: ")
    assert err.count("\n") == 1
    status, out, err = call("run", "small.yaml", "--jobs", "1")
    assert (status, err) == (0, "")
    assert f"runs again: damaged record {path.relative_to(tmp_path)}" in out


@pytest.mark.slow
def test_cli_is_a_program_of_its_own(suite_file: Path) -> None:
    """Nothing but the results on standard output, and not a word on standard error."""
    program = Path(sys.executable).with_name("lipbench")
    done = subprocess.run([program, "run", "small.yaml"], cwd=suite_file.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([program, "run", "qick"], cwd=suite_file.parent, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
