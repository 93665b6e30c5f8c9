"""K2: what counts as valid and as alike, both sides of every criterion, and the whole study at smoke."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lipbench.bench.config.spec import expand
from lipbench.bench.data import load
from lipbench.bench.data.parity import LEVEL, PATCHES
from lipbench.bench.run.context import RunContext
from lipbench.bench.studies import STUDIES, Outcome, Setting, Size
from lipbench.bench.studies.engine import report, store
from lipbench.bench.studies.engine.judge import judge
from lipbench.bench.studies.extensions import k02_self_attention as k2

REPRODUCED, NOT, OPEN = Outcome.REPRODUCED, Outcome.NOT_REPRODUCED, Outcome.INCONCLUSIVE
Rows = list[dict[str, Any]]


def image(left: float, right: float, background: float = 0.0) -> Tensor:
    """[1, 1, 16, 16] without noise."""
    found = torch.full((1, 1, 16, 16), background)
    for level, (rows, columns) in zip((left, right), PATCHES, strict=True):
        found[:, :, rows, columns] = level
    return found


@pytest.mark.parametrize(
    ("images", "valid", "alike"),
    [
        (image(LEVEL, LEVEL), True, True),
        (image(-LEVEL, -LEVEL), True, True),
        (image(LEVEL, -LEVEL), True, False),
        (image(0.376, -0.376), True, False),
        (image(0.374, 0.7), False, True),
        (image(0.7, -0.374), False, False),
        (image(0.7, 0.7, background=0.187), True, True),
        (image(0.7, 0.7, background=-0.188), False, True),
    ],
)
def test_an_image_is_valid_by_its_patches_and_its_background(images: Tensor, valid: bool, alike: bool) -> None:
    assert (k2.are_valid(images).item(), k2.are_alike(images).item()) == (valid, alike)


def test_a_third_patch_is_too_much() -> None:
    images = image(LEVEL, LEVEL)
    images[:, :, 1:5, 6:10] = LEVEL
    assert not k2.are_valid(images)


def test_shares_of_the_data_are_those_of_a_perfect_generator() -> None:
    found = k2.shares(load("parity").sample(2000, torch.Generator().manual_seed(1)))
    assert (found["valid"], found["parity"]) == (1, 1)
    assert found["rarer"] == pytest.approx(0.5, abs=0.05)


def test_shares_of_parity_and_signs_are_among_the_valid_images() -> None:
    pairs = [(0.7, 0.7), (0.7, 0.7), (0.7, -0.7), (-0.7, -0.7), (0.1, -0.7)]
    found = k2.shares(torch.cat([image(*pair) for pair in pairs]))
    assert found == {"valid": pytest.approx(0.8), "parity": 0.75, "rarer": 0.25}


def test_shares_of_images_of_one_kind_show_that_one_sign_is_missing() -> None:
    assert k2.shares(image(0.7, 0.7).repeat(5, 1, 1, 1)) == {"valid": 1, "parity": 1, "rarer": 0}


@pytest.mark.parametrize("level", [0.0, math.nan])
def test_shares_without_a_valid_image_say_nothing_of_parity(level: float) -> None:
    assert k2.shares(image(level, level)) == {"valid": 0, "rarer": 0}


def records(alone: float = 0.5, attention: float = 1.0, changed: dict[str, dict[str, float]] | None = None) -> Rows:
    """Five seeds around these medians of parity; `changed`: other medians, by the networks' name."""
    rows: Rows = []
    for name, parity in ((k2.ALONE, alone), (k2.ATTENTION, attention)):
        medians = {"parity": parity, "valid": 0.9, "rarer": 0.4} | (changed or {}).get(name, {})
        for seed, shift in enumerate((-0.3, -0.001, 0.0, 0.001, 0.3)):
            rows.append({"seed": seed, "networks": name} | {key: value + shift for key, value in medians.items()})
    images = load("parity").sample(3, torch.Generator().manual_seed(0))
    return rows + [k2.kept_image(name, x) for name in (k2.DATA, k2.ALONE, k2.ATTENTION) for x in images]


def outcomes(rows: Rows) -> list[Outcome]:
    return [part.outcome for part in judge(STUDIES["K2"], store.frame(rows)).parts]


def test_k2_wants_chance_of_the_convolutions_and_nine_in_ten_of_attention(tmp_path: Path) -> None:
    assert outcomes(records(0.6, 0.9)) == [REPRODUCED, REPRODUCED]
    assert outcomes(records(0.601, 0.9)) == [NOT, REPRODUCED]
    assert outcomes(records(0.6, 0.899)) == [REPRODUCED, NOT]
    report.draw(STUDIES["K2"], store.frame(records()), tmp_path, dpi=40)


def test_k2_is_drawn_where_no_image_is_valid(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "parity"} for row in records()]
    report.draw(STUDIES["K2"], store.frame(rows), tmp_path, dpi=40)


@pytest.mark.parametrize(("control", "enough", "short"), [("valid", 0.8, 0.799), ("rarer", 0.25, 0.249)])
@pytest.mark.parametrize(("name", "place"), [(k2.ALONE, 0), (k2.ATTENTION, 1)])
def test_k2_concludes_nothing_of_networks_that_fail_otherwise(
    name: str, place: int, control: str, enough: float, short: float
) -> None:
    assert outcomes(records(changed={name: {control: enough}})) == [REPRODUCED, REPRODUCED]
    expected = [REPRODUCED, REPRODUCED]
    expected[place] = OPEN
    assert outcomes(records(changed={name: {control: short}})) == expected


def test_k2_trains_pairs_that_differ_in_attention_alone() -> None:
    specs = [
        expand(k2.cell(*cell).suite(10, [0], k2.EVALUATION), RunContext(Path()))[0]
        for cell in ((k2.ALONE, False), (k2.ATTENTION, True))
    ]
    networks = [dict(spec.architecture_spec) for spec in specs]
    assert [network.pop("attention") for network in networks] == [False, True]
    assert networks[0] == networks[1]
    assert specs[0].recipe_spec == specs[1].recipe_spec
    assert {(spec.objective_name, spec.arguments["weight"], spec.dataset) for spec in specs} == {
        ("wgan-gp", 10.0, "parity")
    }


def test_kept_images_are_read_back_to_the_nearest_level() -> None:
    images = load("parity").sample(4, torch.Generator().manual_seed(2))
    rows = store.frame([k2.kept_image(k2.DATA, x) for x in images] + [{"networks": k2.DATA, "parity": 1.0}])
    found = k2.kept_images(rows, k2.DATA)
    assert found.shape == images.shape
    assert (found - images).abs().max().item() <= 0.5 / 127.5 + 1e-6


@pytest.mark.slow
def test_k2_runs_at_smoke(tmp_path: Path) -> None:
    size = STUDIES["K2"].sizes["smoke"]
    assert isinstance(size, Size)
    measurements = store.frame(STUDIES["K2"].run(Setting("smoke", (0,), size.options, tmp_path, tmp_path / "runs")))
    assert {str(part.outcome) for part in judge(STUDIES["K2"], measurements).parts} == {"inconclusive"}
    assert measurements["pixels"].notna().sum() == 3 * k2.SHOWN
    report.draw(STUDIES["K2"], measurements, tmp_path, dpi=40)
