"""The named recipes against the papers' numbers, and recipes that a suite gives itself."""

import re
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.config.recipes import RECIPES, preset
from lipbench.bench.config.spec import RunSpec, expand
from lipbench.bench.config.suite import Suite, load_suite
from lipbench.bench.run.context import RunContext
from lipbench.models import Recipe
from lipbench.objectives import BUILTINS, BadInput


def runs(recipe: Any, objectives: Any = ("minimax", "wgan-gp"), datasets: Any = "8gaussians") -> list[RunSpec]:
    content = {"name": "s", "objectives": list(objectives), "datasets": datasets, "recipe": recipe, "seeds": [0]}
    return expand(Suite.model_validate(content), RunContext(Path()))


def told(recipe: Any) -> str:
    with pytest.raises(BadInput) as caught:
        runs(recipe)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("objective", "kind", "recipe", "arguments"),
    [
        ("minimax", "digits", ("adam", 2e-4, (0.5, 0.999), 1, 64), {}),
        ("wgan-clip", "digits", ("rmsprop", 5e-5, None, 5, 64), {"clip": 0.01}),
        ("wgan-gp", "digits", ("adam", 1e-4, (0.0, 0.9), 5, 64), {"weight": 10}),
        ("sn-gan", "digits", ("adam", 2e-4, (0.5, 0.999), 1, 64), {"loss": "hinge"}),
        ("minimax", "photos", ("adam", 2e-4, (0.5, 0.999), 1, 64), {}),
        ("wgan-clip", "photos", ("rmsprop", 5e-5, None, 5, 64), {"clip": 0.01}),
        ("wgan-gp", "photos", ("adam", 1e-4, (0.5, 0.9), 5, 64), {"weight": 10}),
        ("sn-gan", "photos", ("adam", 2e-4, (0.5, 0.999), 1, 64), {"loss": "hinge"}),
        ("minimax", "points", ("adam", 1e-4, (0.5, 0.9), 1, 256), {}),
        ("non-saturating", "points", ("adam", 1e-4, (0.5, 0.9), 1, 256), {}),
        ("wgan-clip", "points", ("rmsprop", 5e-5, None, 5, 256), {"clip": 0.01}),
        ("wgan-gp", "points", ("adam", 1e-4, (0.5, 0.9), 5, 256), {"weight": 0.1}),
        ("sn-gan", "points", ("adam", 2e-4, (0.0, 0.9), 5, 256), {"loss": "hinge"}),
    ],
)
def test_recipe_published_has_the_numbers_of_the_papers(
    objective: str, kind: Any, recipe: tuple[Any, ...], arguments: dict[str, Any]
) -> None:
    found = preset("published", objective, kind)
    assert found is not None
    optimizer, lr, betas, n_critic, batch = recipe
    told = found.recipe
    assert (told.optimizer, told.lr, told.n_critic, told.batch) == (optimizer, lr, n_critic, batch)
    assert betas is None or told.betas == betas
    assert found.arguments == arguments
    assert (
        found.architecture
        == {
            "points": {"name": "mlp", "width": 512},
            "digits": {"name": "dcgan"},
            "photos": {"name": "sngan-cnn"},
        }[kind]
    )


@pytest.mark.parametrize("kind", ["points", "digits", "photos"])
def test_recipe_matched_is_one_for_all(kind: Any) -> None:
    found = [preset("matched", name, kind) for name in (*BUILTINS, "somebodys")]
    assert len({p.recipe for p in found if p is not None}) == 1
    assert len({str(p.architecture) for p in found if p is not None}) == 1
    expected = Recipe("adam", 5e-4, (0.0, 0.9), 5, 256) if kind == "points" else Recipe("adam", 2e-4, (0.0, 0.9), 5, 64)
    assert found[0] is not None
    assert found[0].recipe == expected


@pytest.mark.parametrize(
    ("setting", "lr", "betas", "n"),
    [
        ("a", 1e-4, (0.5, 0.9), 5),
        ("b", 1e-4, (0.5, 0.999), 1),
        ("c", 2e-4, (0.5, 0.999), 1),
        ("d", 1e-3, (0.5, 0.9), 5),
        ("e", 1e-3, (0.5, 0.999), 5),
        ("f", 1e-3, (0.9, 0.999), 5),
    ],
)
def test_recipe_sngan_settings_are_those_of_table_1(setting: str, lr: float, betas: Any, n: int) -> None:
    found = preset(f"sngan-{setting}", "sn-gan", "digits")
    assert found is not None
    assert found.recipe == Recipe("adam", lr, betas, n, 64)
    assert f"{lr:g}" in RECIPES[f"sngan-{setting}"]


def test_recipe_of_the_stability_studies_is_their_common_setting() -> None:
    """3 × 128, batch 256, Adam 5e-4 (0.0, .9), n_critic 5 for GP and clipping (RMSprop 5e-4 at c = .1), else 1."""
    names = ("minimax", "non-saturating", "wgan-gp", "wgan-clip", "sn-gan")
    found = {name: preset("stability", name, "points") for name in names}
    recipes = {name: p.recipe for name, p in found.items() if p is not None}
    assert recipes.pop("wgan-clip") == Recipe("rmsprop", 5e-4, n_critic=5, batch=256)
    assert {n: r.n_critic for n, r in recipes.items()} == {"minimax": 1, "non-saturating": 1, "wgan-gp": 5, "sn-gan": 1}
    assert {(r.optimizer, r.lr, r.betas, r.batch) for r in recipes.values()} == {("adam", 5e-4, (0.0, 0.9), 256)}
    clip = found["wgan-clip"]
    assert clip is not None
    assert (clip.arguments, clip.architecture) == ({"clip": 0.1}, {"name": "mlp", "width": 128})


@pytest.mark.parametrize("name", ["stability", "notebook"])
def test_recipe_for_points_says_nothing_about_images(name: str) -> None:
    (spec,) = runs(name, ["sn-gan"], ["mnist5k"])
    assert spec.skip == f"recipe '{name}' says nothing about sn-gan on digits: give its own, or use 'matched'"


def test_recipe_by_name_may_be_written_as_an_entry() -> None:
    assert [s.recipe_spec for s in runs({"name": "matched"})] == [s.recipe_spec for s in runs("matched")]


def test_recipe_as_settings_is_the_same_for_all() -> None:
    specs = runs({"lr": "1e-3", "n_critic": 2, "betas": [0, 0.9], "decay": "linear"})
    assert {s.recipe for s in specs} == {"custom(lr=0.001, n_critic=2, betas=(0.0, 0.9), decay=linear)"}
    assert {s.recipe_spec for s in specs} == {Recipe("adam", 1e-3, (0.0, 0.9), 2, 256, decay="linear")}
    assert {s.architecture for s in specs} == {"mlp-3x128"}


def test_recipe_as_settings_may_have_a_name_and_takes_the_batch_of_matched() -> None:
    specs = runs({"name": "quick", "lr": 0.1}, datasets=["8gaussians", "mnist5k"])
    assert {s.recipe for s in specs} == {"quick"}
    assert {(s.dataset, s.recipe_spec.batch, s.architecture) for s in specs} == {
        ("8gaussians", 256, "mlp-3x128"), ("mnist5k", 64, "dcgan"),
    }  # fmt: skip


def test_recipe_as_settings_leaves_the_objectives_arguments_to_the_published_ones() -> None:
    by_name = {s.objective: s for s in runs({"lr": 0.1}, ["wgan-gp", "sn-gan"])}
    assert by_name["wgan-gp"].arguments["weight"] == 0.1
    assert by_name["sn-gan"].arguments["loss"] == "hinge"


def test_recipe_as_a_mapping_gives_each_objective_its_own() -> None:
    entry = {"minimax": {"lr": 0.1}, "wgan-gp": "matched", "default": {"lr": 0.3, "batch": 8}}
    specs = {s.objective: s for s in runs(entry, ["minimax", "wgan-gp", "sn-gan"])}
    assert {s.recipe for s in specs.values()} == {"own"}
    assert [specs[n].recipe_spec.lr for n in ("minimax", "wgan-gp", "sn-gan")] == [0.1, 5e-4, 0.3]
    assert specs["sn-gan"].recipe_spec.batch == 8


def test_recipe_as_a_mapping_falls_back_to_the_published_ones() -> None:
    specs = {s.objective: s for s in runs({"name": "mine", "minimax": {"lr": 0.1}})}
    assert {s.recipe for s in specs.values()} == {"mine"}
    assert specs["wgan-gp"].recipe_spec == runs("published")[1].recipe_spec


def test_recipe_as_a_mapping_serves_a_plugin_by_what_the_suite_calls_it(write_plugin: Any) -> None:
    target = f"{write_plugin()}:Mine"
    for key in (target, "mine"):
        ours, theirs = runs({key: {"lr": 0.7}}, ["minimax", target])
        assert (theirs.recipe_spec.lr, theirs.skip) == (0.7, None)
        assert ours.skip is None
    _, theirs = runs({"minimax": {"lr": 0.7}}, ["minimax", target])
    assert theirs.skip == "recipe 'published' says nothing about mine on points: give its own, or use 'matched'"


def test_recipe_as_a_list_is_a_factor() -> None:
    specs = runs(["published", "matched", {"name": "a", "lr": 0.1}, {"name": "b", "minimax": {"lr": 0.2}}])
    assert [s.recipe for s in specs] == [r for r in ("published", "matched", "a", "b") for _ in range(2)]
    assert len({s.id for s in specs}) == 8


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        ("publised", r"unknown recipe 'publised' \(did you mean 'published'\?\); known: .*matched.*"),
        ({"name": "publised"}, r"unknown recipe 'publised' \(did you mean 'published'\?\); known: .*"),
        ({"lrr": 0.1}, r"unknown key 'lrr' \(did you mean 'lr'\?\); known: .*n_critic.*"),
        ({"lr": 0.1, "n_critics": 3}, r"unknown key 'n_critics' \(did you mean 'n_critic'\?\); known: .*"),
        ({"minmax": {"lr": 0.1}}, r"unknown key 'minmax' \(did you mean 'minimax'\?\); known: .*"),
        ({"sn-gan": {"lr": 0.1}}, r"unknown key 'sn-gan'; known: .*minimax.*wgan-gp"),
        ({"lr": 0.1, "minimax": {"lr": 0.2}}, "unknown key 'minimax'.*; known: .*"),
        ({"minimax": {"lr": 0.1, "lrr": 0.2}}, r"minimax: unknown key 'lrr' \(did you mean 'lr'\?\); known: .*"),
        ({"minimax": 5}, "minimax: must be the name of a recipe, or settings among optimizer, lr, .*"),
        ({"minimax": {}}, "minimax: must be the name of a recipe, or settings among .*"),
        ({"minimax": "publised"}, "unknown recipe 'publised'.*"),
        ({"lr": -1}, "lr=-1.0: must be > 0"),
        ({"minimax": {"n_critic": 0}}, "minimax: n_critic=0: must be ≥ 1, at most .*"),
        ({"dequantise": "uniform"}, "dequantise=uniform: only images have levels to spread, these data are points"),
        ({"updates": "both"}, "unknown updates 'both'; known: alternating, simultaneous"),
        ({"updates": "simultaneous", "n_critic": 2}, "n_critic=2: simultaneous updates need 1"),
        ({"updates": "simultaneous", "generator_batch": 8}, "generator_batch=8: simultaneous updates need none"),
        ({"optimizer": "sgd"}, "unknown optimizer 'sgd'; known: adam, rmsprop"),
        ({"lr": "fast"}, "lr='fast': Input should be a valid number.*"),
        ({"betas": [0.5]}, r"betas=.*"),
        ({"betas": 0.5}, r"betas=0\.5: Input should be a valid tuple"),
        ({"name": "matched", "lr": 0.1}, "name='matched': must be a text that is no recipe of lipbench's .*"),
        ({"name": 3, "lr": 0.1}, "name=3: must be a text, of one line"),
        *(({"name": name}, "name=.*: must be a text, of one line") for name in (5, None, ["matched"], {"a": "b"})),
        ({"lr": True}, "lr=True: must not be true or false"),
        ({"minimax": {"betas": [False, 0.9]}}, r"minimax: betas=\[False, 0.9\]: must not be true or false"),
    ],
)
def test_recipe_tells_what_is_wrong(recipe: Any, line: str) -> None:
    assert re.fullmatch(f"suite 's': recipe: {line}", told(recipe))


RESNETS: dict[str, Any] = {"decay": "linear", "generator_batch": 128, "dequantise": "uniform"}


@pytest.mark.parametrize(
    ("objective", "network", "recipe"),
    [
        ("sn-gan", "sngan-resnet", Recipe("adam", 2e-4, (0.0, 0.9), 5, 64, **RESNETS)),
        ("wgan-gp", "wgangp-resnet", Recipe("adam", 2e-4, (0.0, 0.9), 5, 64, **RESNETS)),
        (
            "gn-gan",
            "sngan-resnet",
            Recipe("adam", 2e-4, (0.0, 0.9), 5, 64, 4e-4, 0.9999, **RESNETS),
        ),
    ],
)
def test_recipe_published_resnet_is_the_papers(objective: str, network: str, recipe: Recipe) -> None:
    found = preset("published-resnet", objective, "photos")
    assert found is not None
    assert (found.architecture, found.recipe) == ({"name": network}, recipe)
    assert preset("published-resnet", objective, "digits") is None


@pytest.mark.parametrize(
    ("dataset", "network"),
    [
        ("digits", "dcgan"),
        ("mnist5k", "dcgan"),
        ("fashion-mnist", "dcgan"),
        ("stacked-mnist", "dcgan"),
        ("cifar10", "sngan-cnn"),
        ("svhn", "sngan-cnn"),
        ("stl10", "sngan-cnn"),
        ("celeba", "sngan-cnn"),
        ("folder:x?size=32", "sngan-cnn"),
    ],
)
@pytest.mark.parametrize("recipe", ["published", "matched"])
def test_recipe_chooses_the_network_by_the_data(dataset: str, network: str, recipe: str) -> None:
    (spec,) = runs(recipe, ["minimax"], dataset)
    assert spec.architecture_spec["name"] == network


def test_recipe_of_the_quick_suite_stays_what_its_committed_results_were_made_with() -> None:
    suite, folder = load_suite("quick")
    specs = expand(suite, RunContext(folder, suite_folder=folder))
    recipes = {Recipe("adam", 1e-3, (0.0, 0.9), 2, batch, decay="linear") for batch in (64, 256)}
    assert {spec.recipe_spec for spec in specs} == recipes
    told = {(spec.dataset, spec.architecture, spec.recipe_spec.batch) for spec in specs}
    assert told == {
        ("8gaussians", "mlp-3x128", 256),
        ("25gaussians", "mlp-3x128", 256),
        ("mnist5k", "dcgan(channels=32)", 64),
    }
    on_images = [spec.architecture_spec for spec in specs if spec.dataset == "mnist5k"]
    assert on_images[0] == {
        "name": "dcgan",
        "channels": 32,
        "norm": "batch",
        "critic_norm": "none",
        "latent_dim": 64,
        "classes": 0,
        "conditioning": "projection",
    }
