"""Suite files: what they may hold, how they are overridden, and the one line that tells what is wrong."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import Suite, key_value, label, load_suite, suite_names
from lipbench.bench.data import DATASETS
from lipbench.bench.run.context import RunContext
from lipbench.objectives import LOSSES, BadInput

SMALLEST = {"objectives": ["minimax", "wgan-gp"], "datasets": ["8gaussians"]}
Told = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a suite file, from the smallest one and what is given, and returns its path."""

    def make(text: str | None = None, /, **content: Any) -> str:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(SMALLEST | content) if text is None else text, encoding="utf-8")
        return str(path)

    return make


@pytest.fixture
def told(write: Callable[..., str]) -> Told:
    """The one line, less the file's name that opens it."""

    def tell(text: str | None = None, /, *overrides: str, **content: Any) -> str:
        path = write(text, **content)
        with pytest.raises(BadInput) as caught:
            load_suite(path, list(overrides))
        line = str(caught.value)
        assert "\n" not in line
        return line.removeprefix(f"{path}: ")

    return tell


@pytest.mark.parametrize("name", suite_names())
def test_suite_that_comes_with_lipbench_can_be_expanded(name: str) -> None:
    suite, folder = load_suite(name)
    specs = expand(suite, RunContext(folder, suite_folder=folder))
    assert suite.name == name
    assert suite.description
    assert len({spec.id for spec in specs}) == len(specs)


def test_suite_has_the_documented_defaults(write: Callable[..., str], tmp_path: Path) -> None:
    suite, folder = load_suite(write())
    assert folder == tmp_path
    assert (suite.name, suite.recipe, suite.steps, suite.seeds) == ("small", ["published"], 3000, [0, 1, 2])
    assert suite.losses is suite.architectures is None


def test_suite_takes_one_thing_for_a_list_of_one(write: Callable[..., str]) -> None:
    one = {"objectives": "minimax", "datasets": "digits", "losses": "hinge", "recipe": "matched"}
    one |= {"architectures": "mlp"}
    suite, _ = load_suite(write(**one))
    assert {key: getattr(suite, key) for key in one} == {key: [value] for key, value in one.items()}
    suite, _ = load_suite(write(objectives={"name": "wgan-gp", "weight": 1}, architectures={"name": "mlp"}))
    assert suite.objectives == [{"name": "wgan-gp", "weight": 1}]
    assert suite.architectures == [{"name": "mlp"}]


@pytest.mark.parametrize(("seeds", "expected"), [(3, [0, 1, 2]), ([7, 1], [7, 1]), ([0], [0])])
def test_suite_takes_seeds_as_a_number_or_a_list(write: Callable[..., str], seeds: Any, expected: list[int]) -> None:
    assert load_suite(write(seeds=seeds))[0].seeds == expected


def test_suite_takes_steps_seeds_and_architectures_per_dataset(write: Callable[..., str]) -> None:
    suite, _ = load_suite(
        write(
            datasets=["8gaussians", "digits"],
            steps={"8gaussians": 50, "digits": 20},
            seeds={"8gaussians": 2, "digits": [5]},
            architectures={"digits": {"name": "dcgan", "channels": 4}},
        )
    )
    assert [suite.steps_on(d) for d in suite.datasets] == [50, 20]
    assert [suite.seeds_on(d) for d in suite.datasets] == [[0, 1], [5]]
    assert [suite.architectures_on(d) for d in suite.datasets] == [[None], [{"name": "dcgan", "channels": 4}]]


def test_suite_cells_are_every_combination_block_after_block_with_whole_replicates_in_each() -> None:
    suite = Suite(
        objectives=["a", "b"], datasets=["x", "y"], losses=["l", "m"], recipe=["r"], seeds=[4, 2], architectures=["n"]
    )
    cells = list(suite.cells())
    assert len(cells) == 16
    assert len({tuple(map(str, cell)) for cell in cells}) == 16
    assert [cell.dataset for cell in cells] == ["x"] * 8 + ["y"] * 8
    assert [cell.seed for cell in cells] == ([2] * 4 + [4] * 4) * 2
    assert {cell[:-1] for cell in cells} == {(d, o, x, "n", "r") for d in "xy" for o in "ab" for x in "lm"}


def test_suite_cells_follow_seeds_per_dataset() -> None:
    suite = Suite(objectives=["a"], datasets=["x", "y"], seeds={"x": [0, 1], "y": [1, 2]})
    assert [(cell[0], cell[-1]) for cell in suite.cells()] == [("x", 0), ("x", 1), ("y", 1), ("y", 2)]


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("steps=60", "steps", 60),
        ("seeds=[4, 5]", "seeds", [4, 5]),
        ("seeds=2", "seeds", [0, 1]),
        ("objectives=sn-gan", "objectives", ["sn-gan"]),
        ("objectives=[{name: wgan-gp, weight: 1}]", "objectives", [{"name": "wgan-gp", "weight": 1}]),
        ("recipe={lr: 0.1}", "recipe", [{"lr": 0.1}]),
        ("recipe.lr=0.1", "recipe", [{"lr": 0.1}]),
        ("steps.8gaussians=7", "steps", {"8gaussians": 7}),
        ("name=other", "name", "other"),
    ],
)
def test_suite_override_replaces_a_key(write: Callable[..., str], override: str, key: str, value: Any) -> None:
    assert getattr(load_suite(write(), [override])[0], key) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("[5e-5, -2E+3, .5e1, 3.e2, 1.5e-3]", [5e-5, -2e3, 5.0, 300.0, 1.5e-3]), ("0.25", 0.25),
        ("12", 12), ("1e", "1e"), ("e-4", "e-4"), ("1e-4x", "1e-4x"), ("'1e-4'", "1e-4"), ("1.2.3", "1.2.3"),
        ("0100", 100), ("-7", -7), ("1:30", "1:30"), ("2025-06-31", "2025-06-31"), ("0b_", "0b_"), ("-.inf", -math.inf),
    ],
)  # fmt: skip
def test_key_value_reads_numbers_as_they_are_written(text: str, value: Any) -> None:
    found = key_value(f"rates={text}")[1]
    assert (found, type(found)) == (value, type(value))


def test_suite_may_change_a_key_that_it_merges(write: Callable[..., str]) -> None:
    text = "steps: {<<: &shared {8gaussians: 1, digits: 2}, digits: 3}\n"
    suite, _ = load_suite(write(text + yaml.safe_dump(SMALLEST)))
    assert suite.steps == {"8gaussians": 1, "digits": 3}


def test_suite_overrides_reach_inside_and_the_last_one_wins(write: Callable[..., str]) -> None:
    path = write(evaluation={"count": 3, "points": 70}, steps={"8gaussians": 1})
    suite, _ = load_suite(path, ["evaluation.count=5", "steps.8gaussians=9", "steps.8gaussians=8"])
    assert (suite.evaluation.count, suite.evaluation.points, suite.steps_on("8gaussians")) == (5, 70, 8)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("steps", r"'steps': must be KEY=VALUE, e\.g\. steps=60"),
        ("steps.digits=4", r"steps\.digits=4: 'steps' is not a mapping"),
        ("steps=[1", r"steps=\[1: not valid YAML: .*"),
        ("step=4", r"unknown key 'step' \(did you mean 'steps'\?\); allowed: name, .*"),
        ("evaluation.cuont=4", r"unknown key 'evaluation\.cuont' \(did you mean 'count'\?\); allowed: count, .*"),
        ("=4", r"unknown key ''; allowed: .*"),
    ],
)
def test_suite_tells_what_is_wrong_with_an_override(told: Told, override: str, line: str) -> None:
    assert re.fullmatch(line, told(None, override, steps=3))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"objektives": 1}, r"unknown key 'objektives' \(did you mean 'objectives'\?\); allowed: name, .*evaluation"),
        ({"evaluation": {"pionts": 4}}, r"unknown key 'evaluation\.pionts' \(did you mean 'points'\?\); .*"),
        ({"steps": "many"}, "'steps' is 'many': input should be a valid integer"),
        ({"steps": True}, "'steps' is True: input should be a valid integer"),
        ({"steps": 2.5}, "'steps' is 2.5: input should be a valid integer"),
        ({"steps": 0}, "'steps' is 0: input should be greater than or equal to 1"),
        ({"steps": {"8gaussians": -1}}, "'steps.8gaussians' is -1: input should be greater than or equal to 1"),
        ({"steps": {"digits": 5}}, "steps: nothing for dataset '8gaussians'"),
        ({"steps": {"8gaussians": 5, "8gaussian": 6}}, r"steps: unknown dataset '8gaussian' \(did you mean .*"),
        ({"seeds": 0}, r"'seeds' is 0: must be how many seeds \(1 to 10000\), or a list of seeds"),
        ({"seeds": 10**23}, r"'seeds' is 10+: must be how many seeds .*"),
        ({"seeds": [10**23]}, "'seeds.0' is 10+: input should be less than or equal to 10+"),
        ({"seeds": -2}, "'seeds' is -2: must be how many seeds .*"),
        ({"seeds": "three"}, "'seeds' is 'three': must be how many seeds .*"),
        ({"seeds": [0, -1]}, "'seeds.1' is -1: input should be greater than or equal to 0"),
        ({"seeds": [0, "b"]}, "'seeds.1' is 'b': input should be a valid integer"),
        ({"seeds": []}, "'seeds' is .*: list should have at least 1 item .*"),
        ({"seeds": {"digits": 3}}, "seeds: nothing for dataset '8gaussians'"),
        ({"architectures": {"8gaussian": "mlp"}}, r"architectures: unknown dataset '8gaussian' \(did you mean .*"),
        ({"objectives": []}, "'objectives' is .*: value should have at least 1 item .*"),
        ({"objectives": 5}, "'objectives' is 5: input should be a valid string"),
        ({"objectives": ["minimax", 5]}, "'objectives.1' is 5: input should be a valid string"),
        ({"datasets": None}, "'datasets' is None: input should be a valid string"),
        ({"datasets": ["8gausians"]}, r"datasets: unknown dataset '8gausians' \(did you mean '8gaussians'\?\).*"),
        ({"losses": ["hinje"]}, r"losses: unknown loss 'hinje' \(did you mean 'hinge'\?\); known: .*wasserstein"),
        ({"evaluation": {"points": 5}}, r"'evaluation\.points' is 5: input should be greater than or equal to 10"),
        ({"evaluation": {"points": 6000}}, r"'evaluation\.points' is 6000: input should be less than or equal to 5000"),
        ({"evaluation": 4}, "'evaluation' is 4: must be a mapping of count, points, "),
        *(({"name": n}, "'name' is '.*': must be good for a folder: .*") for n in ("", ".", "..", "../x", "a\\b")),
        ({"name": 5}, "'name' is 5: input should be a valid string"),
    ],
)
def test_suite_tells_what_is_wrong_with_a_key(told: Told, content: dict[str, Any], line: str) -> None:
    assert re.match(f"{line}", told(None, **content))


@pytest.mark.parametrize("kind", ["dataset", "loss"])
def test_suite_lists_everything_that_is_known(told: Told, kind: str) -> None:
    datasets = [*DATASETS, "folder:PATH", "points:FILE", "funnels:d=16&n=64"]
    content, known = {"dataset": ({"datasets": "x"}, datasets), "loss": ({"losses": "x"}, LOSSES)}[kind]
    assert told(None, **content).endswith(f"known: {', '.join(sorted(known))}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("objectives: [minimax", "not valid YAML: .*"),
        ("- minimax\n- wgan-gp\n", "a suite is a mapping of name, description, objectives, .*"),
        ("", "a suite is a mapping of .*"),
        ("datasets: [8gaussians]", "key 'objectives' is missing"),
        ("objectives: !!python/object/apply:os.system [echo]", "not valid YAML: .*tag .*"),
        ("7: 8\nobjectives: [minimax]\ndatasets: [digits]", ".*7.*"),
        ("steps: 5\nobjectives: [minimax]\nsteps: 9", "not valid YAML: line 3: .*'steps'.* twice.*"),
        ("evaluation: {count: 5, count: 6}", "not valid YAML: .*'count'.* twice.*"),
    ],
)
def test_suite_tells_what_is_wrong_with_a_file(told: Told, text: str, line: str) -> None:
    assert re.fullmatch(line, told(text))


def test_suite_that_names_a_seed_twice_is_refused(told: Told) -> None:
    assert "seed 1, 4 stands there more than once" in told(
        "objectives: [minimax]\ndatasets: [ring5]\nseeds: [4, 1, 2, 1, 4]"
    )
    assert "seed 3 stands there more than once" in told(
        "objectives: [minimax]\ndatasets: [ring5]\nseeds: {ring5: [3, 3]}"
    )


def test_suite_path_that_is_a_folder_or_has_another_ending_is_told(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").mkdir()
    (tmp_path / "suite.json").write_text("{}")
    with pytest.raises(BadInput, match=r"d\.yaml is a folder$"):
        load_suite(str(tmp_path / "d.yaml"))
    with pytest.raises(BadInput, match=r"suite\.json: its name must end in \.yaml$"):
        load_suite(str(tmp_path / "suite.json"))
    with pytest.raises(BadInput, match="unknown suite 'none-such'"):
        load_suite("none-such")


def test_suite_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00objectives")
    with pytest.raises(BadInput, match=r"binary\.yaml: not valid YAML: "):
        load_suite(str(path))


def test_suite_file_that_cannot_be_read_is_told(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **more: Any) -> str:
        raise PermissionError(13, "Permission denied")

    path = write()
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(BadInput, match=r"small\.yaml: cannot be read: Permission denied$"):
        load_suite(path)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("qick", r"unknown suite 'qick' \(did you mean 'quick'\?\); known: .*quick.*; or give the path of a .*"),
        ("absent.yaml", r"suite file not found: absent\.yaml"),
    ],
)
def test_suite_that_is_not_there_is_told(target: str, line: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_suite(target)
    assert re.fullmatch(line, str(caught.value))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "x"),
        ({"a": 1.0, "b": 0.5}, "x(a=1, b=0.5)"),
        ({"a": True, "b": "r"}, "x(a=true, b=r)"),
        ({"a": 1e-5}, "x(a=1e-05)"),
    ],
)
def test_label_shows_the_settings(settings: dict[str, Any], expected: str) -> None:
    assert label("x", settings) == expected
