"""Which edit repeats which run: a copy of the source is edited, and the codes of a matrix of runs are compared."""

import ast
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.config.fingerprint import code_of, source_with_names
from lipbench.bench.config.spec import RunSpec, expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.source import ROOT, Sources, stands_alone
from lipbench.bench.run.context import RunContext

Runs = dict[str, RunSpec]
MINE = """
from torch import nn
from torchmetrics import Metric
class Gap(Metric):
    def update(self, samples, real): ...
    def compute(self): return 0.0
class Net(nn.Flatten): ...
"""
LOSS = {"minimax": "minimax", "dragan": "non_saturating"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source, which every test leaves as it was."""
    copy = tmp_path_factory.mktemp("lipbench")
    for room in ("objectives", "models", "bench"):
        shutil.copytree(ROOT / room, copy / room, ignore=lambda _, names: [n for n in names if n.endswith("pyc")])
    return copy


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Names such as "dragan 8gaussians mlp mnist-cnn" → specification."""
    found: Runs = {}
    for data, networks, extractors in (
        (["8gaussians", "swissroll"], ["mlp"], [None]),
        (["mnist5k"], ["mlp", "dcgan"], [None, "inception"]),
    ):
        for extractor in extractors:
            content: dict[str, Any] = {"name": "s", "objectives": ["minimax", "dragan"], "seeds": [0]}
            content |= {"datasets": data, "architectures": networks, "recipe": "matched"}
            suite = Suite.model_validate(content | {"evaluation": {"extractor": extractor}})
            for spec in expand(suite, RunContext(Path())):
                networks_of = spec.architecture_spec["name"]
                found[f"{spec.objective} {spec.dataset} {networks_of} {extractor}"] = spec
    suite = {"name": "s", "objectives": ["minimax"], "datasets": ["8gaussians", "mnist5k"], "architectures": ["mlp"]}
    mine = tmp_path_factory.mktemp("mine") / "mine.py"
    mine.write_text(MINE, encoding="utf-8")
    evaluation = {"metrics": ["fd", f"{mine}:Gap"], "extractor": f"{mine}:Net"}
    brought = Suite.model_validate(suite | {"seeds": [0], "recipe": "matched", "evaluation": evaluation})
    found |= {f"minimax {spec.dataset} mlp own": spec for spec in expand(brought, RunContext(Path()))}
    assert len(found) == 14
    return found


@contextmanager
def edited(path: Path, content: str) -> Iterator[None]:
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(content, encoding="utf-8")
    try:
        yield
    finally:
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")


def changed(path: Path, name: str) -> str:
    """The file with another definition of that name: a statement more in a body, or a value of the same kind."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            last = node.body[-1]
            lines.insert((last.end_lineno or 0), f"{' ' * last.col_offset}assert True\n")
            return "".join(lines)
        targets = [*getattr(node, "targets", []), getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            segment = ast.get_source_segment(text, node) or ""
            return text.replace(segment, segment.replace(" = ", " = 0 or ", 1))
    raise AssertionError(f"no {name} in {path}")


def codes(tree: Path, runs: Runs) -> dict[str, str]:
    sources = Sources(tree)
    return {name: code_of(spec, sources) for name, spec in runs.items()}


@pytest.fixture(scope="module")
def before(tree: Path, runs: Runs) -> dict[str, str]:
    return codes(tree, runs)


def repeated(tree: Path, runs: Runs, before: dict[str, str], path: str, content: str) -> set[str]:
    """The runs that the edit makes different."""
    with edited(tree / path, content):
        return {name for name, code in codes(tree, runs).items() if code != before[name]}


def test_code_does_not_depend_on_where_the_source_lies(runs: Runs, before: dict[str, str]) -> None:
    assert {name: code_of(spec) for name, spec in runs.items()} == before


@pytest.mark.parametrize(
    ("path", "name", "who"),
    [
        ("objectives/game.py", "critic_step", lambda run: True),
        ("models/gan.py", "GAN", lambda run: True),
        ("models/recipe.py", "Recipe", lambda run: True),
        ("bench/run/evaluation.py", "evaluation_steps", lambda run: True),
        ("bench/run/noise.py", "measure_again", lambda run: True),
        ("bench/records/summary.py", "TAIL", lambda run: True),
        ("bench/records/summary.py", "BETTER", lambda run: True),
        ("bench/metrics/divergence.py", "Divergence", lambda run: True),
        ("bench/metrics/stability.py", "critic_slopes", lambda run: True),
        ("bench/data/dataset.py", "Dataset", lambda run: True),
        ("objectives/dragan.py", "DRAGAN", lambda run: "dragan" in run),
        ("objectives/penalties.py", "two_sided", lambda run: "dragan" in run),
        ("objectives/minimax.py", "Minimax", lambda run: "minimax" in run),
        ("objectives/losses.py", "MINIMAX", lambda run: LOSS[run.split()[0]] == "minimax"),
        ("objectives/losses.py", "non_saturating_generator", lambda run: LOSS[run.split()[0]] == "non_saturating"),
        ("objectives/losses.py", "hinge_critic", lambda run: False),
        ("models/mlp.py", "mlp", lambda run: "mlp" in run),
        ("models/dcgan.py", "dcgan", lambda run: "dcgan" in run),
        ("bench/data/toys.py", "eight_gaussians", lambda run: "8gaussians" in run),
        ("bench/data/toys.py", "swiss_roll", lambda run: "swissroll" in run),
        ("bench/data/embedded.py", "mnist5k", lambda run: "mnist5k" in run),
        ("bench/metrics/points.py", "wasserstein1", lambda run: "mnist5k" not in run),
        ("bench/metrics/features.py", "kernel_distance", lambda run: "mnist5k" in run),
        ("bench/metrics/protocols.py", "FLOOR_SEED", lambda run: "mnist5k" in run or run.endswith("own")),
        ("bench/metrics/extractors.py", "frozen", lambda run: "mnist5k" in run),
        ("bench/metrics/inception.py", "Inception", lambda run: "inception" in run),
        ("bench/metrics/classifier.py", "MnistCNN", lambda run: "mnist5k" in run and run.endswith("None")),
        ("bench/metrics/brought.py", "BroughtMetrics", lambda run: run.endswith("own")),
        ("bench/metrics/brought.py", "as_extractor", lambda run: "mnist5k" in run and run.endswith("own")),
        ("bench/metrics/efficientnet.py", "EfficientNetLite0", lambda run: False),
        ("bench/metrics/stacked.py", "StackedModes", lambda run: False),
        ("objectives/r1.py", "R1", lambda run: False),
        ("objectives/catalog.py", "BUILTINS", lambda run: False),
        ("models/resnet.py", "sngan_resnet", lambda run: False),
        ("bench/data/vision.py", "CIFAR10", lambda run: False),
        ("bench/records/summary.py", "WORST", lambda run: False),
        ("bench/records/quantities.py", "number", lambda run: False),
        ("bench/records/store.py", "Store", lambda run: False),
        ("bench/report/tables.py", "runs_table", lambda run: False),
        ("bench/config/recipes.py", "matched", lambda run: False),
        ("bench/sweep/runner.py", "Runner", lambda run: False),
        ("bench/run/checkpoint.py", "Checkpointer", lambda run: False),
    ],
)
def test_an_edit_repeats_exactly_the_runs_that_depend_on_it(
    tree: Path, runs: Runs, before: dict[str, str], path: str, name: str, who: Callable[[str], bool]
) -> None:
    content = changed(tree / path, name)
    assert repeated(tree, runs, before, path, content) == {run for run in runs if who(run)}


def test_comments_docstrings_blank_lines_and_new_neighbours_repeat_nothing(
    tree: Path, runs: Runs, before: dict[str, str]
) -> None:
    for path in [*tree.rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
                first = node.body[0].lineno - 1
                lines[first] = lines[first].replace('"""', '"""Otherwise said. ', 1)
        more = "# A comment.\n\n\n" + "".join(lines) + "\n\ndef nobody_uses_this() -> None:\n    pass\n"
        path.write_text(more, encoding="utf-8")
    try:
        assert codes(tree, runs) == before
    finally:
        for path in [*tree.rglob("*.py")]:
            path.write_bytes((ROOT / path.relative_to(tree)).read_bytes())


@pytest.mark.parametrize("path", ["objectives/catalog.py", "models/catalog.py", "bench/data/catalog.py"])
def test_a_line_more_in_a_catalog_repeats_nothing(tree: Path, runs: Runs, before: dict[str, str], path: str) -> None:
    text = (tree / path).read_text(encoding="utf-8")
    more = text.replace("    },\n)", '        "new": "new:New",\n    },\n)')
    assert more != text
    assert repeated(tree, runs, before, path, more) == set()


def test_names_swapped_by_an_import_are_an_edit(tree: Path, runs: Runs, before: dict[str, str]) -> None:
    path = "objectives/dragan.py"
    text = (tree / path).read_text(encoding="utf-8")
    other = text.replace("import two_sided", "import one_sided as two_sided")
    assert other != text
    assert repeated(tree, runs, before, path, other) == {run for run in runs if "dragan" in run}


def digest(target: str, root: Path = ROOT) -> str:
    return Sources(root).closure(target).digest


@pytest.mark.parametrize(
    ("path", "name", "again"),
    [
        ("objectives/game.py", "critic_step", True),
        ("bench/records/summary.py", "WORST", True),
        ("bench/studies/training/generators.py", "runs_of", True),
        ("bench/metrics/settings.py", "Evaluation", True),
        ("bench/studies/claims/s15_notebook.py", "run", True),
        ("bench/studies/claims/s15_notebook.py", "plot", False),
        ("bench/studies/claims/s09_penalty_places.py", "run", False),
        ("bench/studies/engine/judge.py", "judge", False),
        ("bench/sweep/runner.py", "records_of", False),
    ],
)
def test_a_study_by_runs_depends_on_how_they_are_made(tree: Path, path: str, name: str, again: bool) -> None:
    study = "lipbench.bench.studies.claims.s15_notebook:run"
    first = digest(study, tree)
    with edited(tree / path, changed(tree / path, name)):
        assert (digest(study, tree) != first) == again


def test_a_plugin_depends_on_its_file_and_on_what_it_imports(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    plugin, beside, further = (tmp_path / f"{name}.py" for name in ("mine_of_fp", "beside_of_fp", "further_of_fp"))
    plugin.write_text("import beside_of_fp\nfrom lipbench.objectives.slopes import slopes\nuse = slopes\n")
    beside.write_text("def f():\n    from further_of_fp import x\n")
    further.write_text("x = 1\n")
    target = f"{plugin}:Mine"
    assert not stands_alone(target)
    assert stands_alone(f"{further}:x")
    first = digest(target)
    for path in (plugin, beside, further):
        with edited(path, path.read_text() + "\n# a comment\n"):
            assert digest(target) == first
        with edited(path, path.read_text() + "y = 2\n"):
            assert digest(target) != first
    copied = digest(target, tree)
    slopes = tree / "objectives" / "slopes.py"
    with edited(slopes, changed(slopes, "slopes")):
        assert digest(target, tree) != copied
    elsewhere = tmp_path / "elsewhere" / "other_name.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(plugin.read_text())
    assert digest(f"{elsewhere}:Mine") == first


def test_a_package_counts_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "package_of_fp"
    package.mkdir()
    for name in ("__init__", "mine", "registry"):
        (package / f"{name}.py").write_text(f"name = '{name}'\n")
    target = "package_of_fp.mine:Mine"
    first = digest(target)
    with edited(package / "registry.py", "name = 'other'\n"):
        assert digest(target) != first
    assert digest(target) == first


def test_closure_refuses_what_is_not_there() -> None:
    with pytest.raises(LookupError, match="nothing"):
        Sources().closure("lipbench.objectives.dragan:nothing")


def test_source_with_names_follows_what_goes_by_a_name() -> None:
    alone = source_with_names(["lipbench.objectives.game:critic_step"])
    assert source_with_names(["lipbench.objectives.game:critic_step"], ["no name"]) == alone
    assert source_with_names(["lipbench.objectives.game:critic_step"], ["dragan"]) != alone
