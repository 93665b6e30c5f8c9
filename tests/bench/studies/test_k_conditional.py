"""K1: what it measures, against numpy; its verdict on both sides of the thresholds; and from training to picture."""

from itertools import permutations
from pathlib import Path
from typing import Any

import matplotlib.colors
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lipbench.bench.config.recipes import STABILITY
from lipbench.bench.config.spec import expand
from lipbench.bench.data import load
from lipbench.bench.metrics.settings import Evaluation
from lipbench.bench.run.context import RunContext
from lipbench.bench.studies import STUDIES, Outcome, Setting, Size
from lipbench.bench.studies.engine import report, store
from lipbench.bench.studies.engine.judge import judge
from lipbench.bench.studies.extensions.k01_conditional import (
    ALL,
    CLASSES,
    COLORS,
    DECIDING,
    LABELLED,
    RANDOM,
    class_accuracy,
    conditional_samples,
    plot,
    ring_centres,
)
from lipbench.bench.studies.training.generators import runs_of
from lipbench.bench.studies.training.toy_games import CLIP, GP, game
from lipbench.models.mlp import mlp

STUDY = STUDIES["K1"]
YES, NO, OPEN = Outcome.REPRODUCED, Outcome.NOT_REPRODUCED, Outcome.INCONCLUSIVE
NETWORKS = {"name": "mlp", "classes": CLASSES}


def test_class_accuracy_is_the_share_that_numpy_counts_whatever_the_classes_are_called() -> None:
    rng = np.random.default_rng(0)
    centres, asked = rng.normal(size=(3, 2)), rng.integers(3, size=400)
    points = centres[asked] + rng.normal(scale=0.8, size=(400, 2))
    nearest = np.argmin([[np.hypot(*(x - c)) for c in centres] for x in points], axis=1)
    found = []
    for order in permutations(range(3)):
        called = np.array(order)[asked]
        found.append(class_accuracy(torch.from_numpy(points), torch.from_numpy(called), torch.from_numpy(centres)))
        assert found[-1] == pytest.approx(np.mean(nearest == called), abs=1e-12)
    assert found[0] > 0.5 > max(found[1:]) and sum(found[i] for i in (0, 3, 4)) == pytest.approx(1)


def test_class_accuracy_counts_a_point_that_is_nowhere_as_wrong() -> None:
    centres, asked = torch.eye(2), torch.tensor([0, 0, 1, 1])
    points = torch.tensor([[1.0, 0.0], [float("nan"), 0.0], [0.0, float("inf")], [0.1, 1.0]])
    assert class_accuracy(points, asked, centres) == 0.5


@pytest.mark.parametrize(("name", "accuracy", "error"), [(LABELLED, 1.0, 1e-4), (RANDOM, 0.2, 1e-9)])
def test_class_accuracy_of_fresh_reals_is_what_a_perfect_generator_gets(
    name: str, accuracy: float, error: float
) -> None:
    found = class_accuracy(*load(name).held_out_labelled(40_000, torch.Generator().manual_seed(2)), ring_centres())
    assert found == pytest.approx(accuracy, abs=error)


def test_conditions_are_the_common_setting_with_conditional_networks() -> None:
    assert set(DECIDING) <= set(ALL) and len(set(ALL)) == len(ALL)
    for name, data in ALL:
        (spec,) = expand(game(name, data, architecture=NETWORKS).suite(10, [0], Evaluation()), RunContext(Path()))
        assert (spec.dataset, spec.architecture) == (data, "mlp-3x128(classes=5)")
        own = STABILITY[spec.objective_name].recipe
        assert (spec.recipe_spec.n_critic, spec.recipe_spec.lr, spec.recipe_spec.batch) == (own.n_critic, 5e-4, 256)


def test_conditional_samples_are_the_trained_generators_with_even_classes(tmp_path: Path) -> None:
    setting = Setting("smoke", (4,), {}, tmp_path, tmp_path / "runs")
    (run,) = runs_of(
        [game(GP, LABELLED, architecture=NETWORKS)], setting, 2, Evaluation(count=1, points=20, mode_points=100)
    )
    points, asked = conditional_samples(run)
    assert (points.shape, asked.shape) == ((10_000, 2), (10_000,))
    assert torch.bincount(asked, minlength=5).tolist() == [2000] * 5
    networks = mlp((2,), classes=5)
    networks.generator.load_state_dict(load_file(run.record.folder / "checkpoint" / "generator.safetensors"))
    latent = torch.randn(10_000, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(points, networks.generator(latent, asked))


def records(gp: float = 0.97, clip: float = 0.96, gp_random: float = 0.2, clip_random: float = 0.25) -> list[dict]:
    """Ends at three seeds with these medians, a few points of the first one, and the centres."""
    levels = {(GP, LABELLED): gp, (CLIP, LABELLED): clip, (GP, RANDOM): gp_random, (CLIP, RANDOM): clip_random}
    rows: list[dict[str, Any]] = [{"centre": k, "x": k / 5, "y": -k / 5} for k in range(5)]
    for (name, data), level in levels.items():
        for seed, accuracy in enumerate((0.0, level, 1.0)):
            row = {"seed": seed, "objective": name, "dataset": data, "class_accuracy": accuracy}
            rows.append(row | {"w1_tail": 0.2, "modes_tail": 5.0})
        rows += [{"seed": 0, "objective": name, "dataset": data, "asked": k, "x": 0.1 * k, "y": 0.5} for k in range(5)]
    return rows


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [YES, YES]),
        ({"gp": 0.95, "clip": 0.95, "gp_random": 0.3, "clip_random": 0.3}, [YES, YES]),  # the bounds belong to it
        ({"gp": 0.9499}, [NO, YES]),
        ({"clip": 0.9499}, [YES, NO]),
        ({"gp_random": 0.3001}, [OPEN, YES]),
        ({"clip_random": 0.3001}, [YES, OPEN]),
        ({"gp": 0.9, "gp_random": 0.9}, [OPEN, YES]),
    ],
)
def test_k1_wants_the_class_asked_for_and_chance_where_labels_are_random(
    changes: dict[str, float], expected: list[Outcome]
) -> None:
    assert [part.outcome for part in judge(STUDY, store.frame(records(**changes))).parts] == expected


def test_k1_draws_each_point_in_the_colour_of_its_class_and_every_seed() -> None:
    figure = plot(store.frame(records()))
    panel = figure.axes[1]
    assert [axis.get_title() for axis in figure.axes[:4]] == [
        GP,
        CLIP,
        f"{GP}, random labels",
        f"{CLIP}, random labels",
    ]
    points, centres = panel.collections[::2], panel.collections[1::2]
    for k, (drawn, centre) in enumerate(zip(points, centres, strict=True)):
        assert np.asarray(drawn.get_offsets()).tolist() == [pytest.approx([0.1 * k, 0.5])]
        assert np.asarray(centre.get_offsets()).tolist() == [pytest.approx([k / 5, -k / 5])]
        for shown in (drawn, centre):
            color = matplotlib.colors.to_rgb(np.asarray(shown.get_facecolor())[0])
            assert color == pytest.approx(matplotlib.colors.to_rgb(COLORS[k]))
    heights = [
        np.asarray(drawn.get_offsets())[:, 1].tolist() for drawn in figure.axes[4].collections[::2]
    ]  # bars between
    assert heights[:2] == [[0.0, 0.97, 1.0], [0.0, 0.96, 1.0]]


def test_k1_runs_at_smoke_is_judged_and_drawn(tmp_path: Path) -> None:
    size = STUDY.sizes["smoke"]
    assert isinstance(size, Size)
    measurements = store.frame(STUDY.run(Setting("smoke", (0,), size.options, tmp_path, tmp_path / "runs")))
    ends = measurements[measurements["class_accuracy"].notna()]
    assert list(zip(ends["objective"], ends["dataset"], strict=True)) == list(DECIDING)
    assert ends["class_accuracy"].between(0, 1).all() and ends["w1_tail"].gt(0).all()
    assert measurements.groupby(["objective", "dataset"])["asked"].count().tolist() == [400] * 4
    estimates = [finding.measured.value for part in judge(STUDY, measurements).parts for finding in part.findings]
    assert len(estimates) == 4 and not np.isnan(estimates).any()
    report.draw(STUDY, measurements, tmp_path, dpi=40)
    assert (tmp_path / "plot.png").exists()


def test_k1_has_three_seeds_at_quick_and_five_at_full() -> None:
    sizes = [STUDY.sizes[scale] for scale in ("quick", "full")]
    assert [size.seeds for size in sizes if isinstance(size, Size)] == [3, 5]
