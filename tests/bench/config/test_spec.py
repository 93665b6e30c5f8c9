"""From a suite to the specifications of its runs: what is recorded, what decides identity, what is refused."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.config.fingerprint import code_of
from lipbench.bench.config.recipes import PUBLISHED_POINTS, RECIPES
from lipbench.bench.config.spec import RunSpec, expand
from lipbench.bench.config.suite import Suite, load_suite
from lipbench.bench.run.context import RunContext
from lipbench.models import ARCHITECTURES
from lipbench.objectives import BUILTINS, BadInput

WritePlugin = Callable[..., Path]
SMALLEST: dict[str, Any] = {"name": "s", "objectives": ["wgan-gp"], "datasets": ["8gaussians"], "seeds": [0]}


def runs(folder: Path | None = None, **content: Any) -> list[RunSpec]:
    return expand(Suite.model_validate(SMALLEST | content), RunContext(Path(), suite_folder=folder or Path()))


def one(folder: Path | None = None, **content: Any) -> RunSpec:
    (spec,) = runs(folder, **content)
    return spec


def told(folder: Path | None = None, **content: Any) -> str:
    with pytest.raises(BadInput) as caught:
        runs(folder, **content)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_spec_records_every_argument_defaults_included() -> None:
    spec = one(objectives=[{"name": "wgan-gp", "weight": "2"}], recipe="matched")
    assert spec.arguments == {
        "loss": "wasserstein", "weight": 2.0, "at": "line", "one_sided": False, "target": 1.0,
    }  # fmt: skip
    assert spec.objective == "wgan-gp(weight=2)"
    assert spec.record()["objective_spec"] == {"name": "wgan-gp", "arguments": spec.arguments, "source": None}


def test_spec_record_is_json_and_says_everything_of_the_identity() -> None:
    spec = one()
    record = json.loads(json.dumps(spec.record()))
    assert record["run"] == spec.id
    assert record["loss"] == "wasserstein"
    assert record["code"] == spec.identity["code"]
    assert record["recipe_spec"]["lr"] == PUBLISHED_POINTS["wgan-gp"].recipe.lr
    assert record["architecture"] == "mlp-3x512"
    assert record["architecture_spec"]["activation"] == "relu"
    assert record["evaluation"]["count"] == 20
    said = {*record, *record["objective_spec"]}
    assert {k.removeprefix("objective_") for k in spec.identity} <= {k.removeprefix("objective_") for k in said}


CHANGES: dict[str, Any] = {
    "objectives": [{"name": "wgan-gp", "weight": 3}],
    "datasets": ["25gaussians"],
    "losses": ["hinge"],
    "architectures": [{"name": "mlp", "width": 8}],
    "recipe": ["matched"],
    "steps": 7,
    "seeds": [1],
    "evaluation": {"points": 999},
}


@pytest.mark.parametrize("key", CHANGES)
def test_spec_identity_changes_with_each_factor(key: str) -> None:
    assert one(**{key: CHANGES[key]}).id != one().id


def test_spec_identity_is_the_same_for_the_same_suite_and_for_what_says_only_where() -> None:
    spec = one()
    assert one(name="other", description="x").id == spec.id
    assert one(recipe=["published"], steps=3000).id == spec.id
    assert replace(spec, objective_target="a:B").id == spec.id


def test_spec_identity_changes_with_the_pictures_in_a_folder_and_not_with_their_times(tmp_path: Path) -> None:
    def identity() -> str:
        return one(datasets=[f"folder:{tmp_path}?size=32"]).id

    assert one(datasets=[f"folder:{tmp_path}/none?size=32"]).content is None  # reading it says that it is missing
    (tmp_path / "a.png").write_bytes(b"12")
    (tmp_path / "notes.txt").write_bytes(b"1")
    first = identity()
    (tmp_path / "notes.txt").write_bytes(b"123")
    os.utime(tmp_path / "a.png", (1, 1))
    assert identity() == first
    (tmp_path / "b.png").write_bytes(b"12")
    second = identity()
    (tmp_path / "b.png").write_bytes(b"123")
    third = identity()
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    assert len({first, second, third, identity()}) == 4
    assert one(datasets=[f"folder:{tmp_path}?size=32"]).record()["content"]
    assert (
        one(tmp_path.parent, datasets=[f"folder:{tmp_path.name}"]).content
        == one(datasets=[f"folder:{tmp_path}"]).content
    )
    assert "content" not in one().record()
    assert "content" not in one().identity


def test_spec_identity_has_the_code_and_changes_with_a_changed_default() -> None:
    spec = one()
    assert replace(spec, arguments=spec.arguments | {"target": 2.0}).id != spec.id
    assert spec.record()["code"] == spec.identity["code"] == code_of(spec)
    digest = hashlib.sha256(json.dumps(spec.identity, sort_keys=True).encode()).hexdigest()
    assert spec.id.endswith(f"_{digest[:10]}")


def test_spec_identity_changes_with_the_source_of_a_plugin(write_plugin: WritePlugin) -> None:
    path = write_plugin("x = 1")
    first = one(objectives=[f"{path}:Mine"], recipe="matched")
    write_plugin("x = 2")
    assert one(objectives=[f"{path}:Mine"], recipe="matched").id != first.id
    write_plugin("x = 1")
    assert one(objectives=[f"{path}:Mine"], recipe="matched").id == first.id


def test_spec_id_is_a_readable_file_name() -> None:
    spec = one(objectives=[{"name": "wgan-gp", "weight": 0.1}], seeds=[4])
    assert re.fullmatch(r"8gaussians_wgan-gp-weight=0\.1-_mlp-3x512_published_s4_[0-9a-f]{10}", spec.id)
    for letter in "aü統":  # of one, two and three bytes
        long = one(objectives=[{"name": "instance-noise", "sigma": 0.123}], recipe={"name": letter * 300, "lr": 1.0})
        assert len(f".{long.id}.partial".encode()) <= 255


def test_spec_crosses_losses_with_constraints() -> None:
    specs = runs(objectives=["minimax", "wgan-gp", "sn-gan"], losses=["minimax", "hinge"], recipe="matched")
    crossed = [(name, loss) for name in ("minimax", "wgan-gp", "sn-gan") for loss in ("minimax", "hinge")]
    assert [s.objective for s in specs] == [f"{name}(loss={loss})" for name, loss in crossed]
    assert [(s.arguments["loss"], s.record()["loss"]) for s in specs] == [(loss, loss) for _, loss in crossed]
    assert not any(s.skip for s in specs)


def test_spec_refuses_a_loss_of_an_objective_beside_the_crossing() -> None:
    line = told(objectives=[{"name": "wgan-gp", "loss": "hinge"}], losses=["minimax"])
    assert line == "suite 's': wgan-gp has loss=hinge, but 'losses' crosses every objective with its own"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("def __init__(self):\n    super().__init__(loss='hinge')", "mine: unknown argument 'loss'.*"),
        (
            "def __init__(self, *, loss: str = 'hinge'):\n    assert loss == 'hinge', 'hinge alone'\n"
            "    super().__init__(loss=loss)",
            "mine: AssertionError: hinge alone",
        ),
    ],
)
def test_spec_skips_a_loss_that_an_objective_does_not_take(write_plugin: WritePlugin, body: str, reason: str) -> None:
    target = f"{write_plugin(body)}:Mine"
    taken, crossed = runs(objectives=["minimax", target], losses=["minimax"], recipe="matched")
    assert taken.skip is None
    assert re.fullmatch(reason, crossed.skip or "")
    assert crossed.objective == "mine(loss=minimax)"
    assert crossed.arguments["loss"] == "minimax"


def test_spec_refuses_what_is_wrong_without_the_crossed_loss_too() -> None:
    line = told(objectives=[{"name": "wgan-gp", "weight": -1}], losses=["hinge"])
    assert line == "suite 's': wgan-gp: weight=-1.0: must be a number ≥ 0"


def test_spec_takes_a_plugin_with_arguments(write_plugin: WritePlugin) -> None:
    body = "def __init__(self, *, loss: str = 'wasserstein', k: int = 3):\n    super().__init__(loss=loss)"
    entry = {"name": "my.py:Mine", "loss": "hinge"}
    spec = one(write_plugin(body).parent, objectives=[entry], recipe="matched")
    assert (spec.objective, spec.objective_name, spec.objective_target) == ("mine(loss=hinge)", "mine", "my.py:Mine")
    assert spec.arguments == {"loss": "hinge", "k": 3}
    assert spec.source is not None
    assert spec.skip is None


def test_spec_skips_a_plugin_under_a_recipe_that_does_not_know_it(write_plugin: WritePlugin) -> None:
    specs = runs(write_plugin().parent, objectives=["minimax", "my.py:Mine"], recipe=["published", "matched"])
    assert [(s.objective, s.recipe, bool(s.skip)) for s in specs] == [
        ("minimax", "published", False), ("mine", "published", True),
        ("minimax", "matched", False), ("mine", "matched", False),
    ]  # fmt: skip
    assert specs[1].skip == "recipe 'published' says nothing about mine on points: give its own, or use 'matched'"


def test_spec_of_every_built_in_under_every_recipe_is_a_run_or_is_skipped() -> None:
    specs = runs(objectives=list(BUILTINS), recipe=list(RECIPES), datasets=["8gaussians", "mnist5k"])
    assert len(specs) == 2 * len(BUILTINS) * len(RECIPES)
    for spec in specs:
        assert spec.architecture_spec["name"] in ARCHITECTURES
        silent = f"recipe '{spec.recipe}' says nothing about {spec.objective} on "
        assert spec.skip is None or (spec.skip.startswith(silent) and spec.recipe not in ("matched", "sngan-a"))


@pytest.mark.parametrize(
    ("architecture", "name", "expected"),
    [
        ("mlp", "mlp-3x128", {"width": 128, "depth": 3}),
        ({"name": "mlp", "width": 8}, "mlp-3x8", {"width": 8}),
        ({"name": "mlp", "depth": "2", "activation": "tanh"}, "mlp-2x128(activation=tanh)", {"depth": 2, "width": 128}),
        ("dcgan", "dcgan", {"channels": 64, "critic_norm": "none"}),
        ({"name": "dcgan", "channels": 4}, "dcgan(channels=4)", {"channels": 4, "norm": "batch"}),
    ],
)
def test_spec_names_an_architecture_and_records_all_its_settings(
    architecture: Any, name: str, expected: dict[str, Any]
) -> None:
    spec = one(architectures=[architecture], recipe="matched")
    assert spec.architecture == name
    assert expected.items() <= spec.architecture_spec.items()
    assert all(value is not None for value in spec.architecture_spec.values())


def test_spec_architecture_without_settings_is_of_the_recipes_size() -> None:
    assert one(architectures=["mlp"], recipe="published").architecture == "mlp-3x512"
    assert one(architectures=["mlp"], recipe="matched").architecture == "mlp-3x128"
    assert one(architectures=["mlp"], recipe="matched", datasets=["mnist5k"]).architecture == "mlp-3x128"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"objectives": ["minmax"]}, r"objectives: unknown objective 'minmax' \(did you mean 'minimax'\?\); known: .*"),
        ({"objectives": ["absent.py:Mine"]}, r"objectives: objective file not found: .*absent\.py.*"),
        ({"objectives": [{"weight": 3}]}, r"objectives: an entry with settings needs a 'name': \{'weight': 3\}"),
        (
            {"objectives": [{"name": "wgan-gp", "wieght": 1}]},
            r"wgan-gp: unknown argument 'wieght' \(did you mean 'weight'\?\); known: .*",
        ),
        ({"objectives": [{"name": "wgan-gp", "weight": -1}]}, "wgan-gp: weight=-1.0: must be a number ≥ 0"),
        ({"objectives": [{"name": "wgan-gp", "weight": "x"}]}, "wgan-gp: weight='x': Input should be a valid number.*"),
        ({"objectives": [{"name": "wgan-gp", "loss": "hinje"}]}, r"wgan-gp: unknown loss 'hinje' \(did you mean .*"),
        (
            {"architectures": ["mpl"]},
            r"architectures: unknown architecture 'mpl' \(did you mean 'mlp'\?\).*",
        ),
        (
            {"architectures": [{"name": "mlp", "widht": 3}]},
            r"architectures: mlp: unknown setting 'widht' \(did you mean 'width'\?\); known: .*",
        ),
        (
            {"architectures": [{"name": "mlp", "width": "x"}]},
            "architectures: mlp: width='x': Input should be a valid integer.*",
        ),
        ({"objectives": ["minimax", "minimax"]}, "two runs go by one name: minimax on 8gaussians, mlp-3x512, recipe.*"),
        ({"objectives": [{"name": "wgan-gp", "weight": 1}, {"name": "wgan-gp", "weight": 1.0}]}, "two runs go by .*"),
    ],
)
def test_spec_tells_what_is_wrong(content: dict[str, Any], line: str) -> None:
    assert re.fullmatch(f"suite 's': {line}", told(**content))


def test_spec_messages_name_the_suite_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("objectives: [{name: wgan-gp, wieght: 1}]\ndatasets: [8gaussians]\n")
    suite, folder = load_suite(str(path))
    with pytest.raises(BadInput) as caught:
        expand(suite, RunContext(folder, suite_folder=folder))
    assert str(caught.value).startswith(f"{path}: wgan-gp: unknown argument 'wieght'")


def test_spec_survives_pickling_and_carries_no_live_object() -> None:
    import pickle

    spec = one()
    assert pickle.loads(pickle.dumps(spec)) == spec
    json.dumps(spec.identity)
