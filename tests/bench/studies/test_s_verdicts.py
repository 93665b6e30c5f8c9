"""The verdicts of the studies with fixed generators, from synthetic records on both sides of each threshold."""

import math
from collections.abc import Callable

import pandas as pd
import pytest
import torch

from lipbench.bench.studies import Study
from lipbench.bench.studies.claims.s01_dirac import STUDY as S1
from lipbench.bench.studies.claims.s04_critic_values import STUDY as S4
from lipbench.bench.studies.claims.s09_penalty_places import STUDY as S9
from lipbench.bench.studies.claims.s13_dual_estimate import CONE, RADIAL, untrained
from lipbench.bench.studies.claims.s13_dual_estimate import STUDY as S13
from lipbench.bench.studies.claims.vanishing_gradient.s02 import STUDY as S2
from lipbench.bench.studies.claims.vanishing_gradient.s12 import STUDY as S12
from lipbench.bench.studies.claims.weights_and_spectra.s03 import STUDY as S3
from lipbench.bench.studies.claims.weights_and_spectra.s16 import STUDY as S16
from lipbench.bench.studies.claims.weights_and_spectra.s17 import STUDY as S17
from lipbench.bench.studies.engine.judge import judge

SEEDS = (0, 1, 2)
YES, NO, OPEN, FALSE, DISPUTED = (
    "reproduced",
    "not reproduced",
    "inconclusive",
    "false as stated",
    "criterion disputed",
)


def dirac() -> pd.DataFrame:
    tails = {"minimax": 3.0, "non-saturating": 0.3, "clip": 1.0, "GP": 1.2, "GP λ=10": 20.0, "R1": 1e-9}
    schemes = ("simultaneous", "alternating")
    rows: list[dict[str, object]] = [
        {"objective": name, "scheme": scheme, "tail": tail} for name, tail in tails.items() for scheme in schemes
    ]
    noisy = ("noise", "annealed noise")
    rows += [
        {"objective": name, "scheme": scheme, "seed": s, "tail": 0.02}
        for name in noisy
        for scheme in schemes
        for s in SEEDS
    ]
    return pd.DataFrame(rows)


def gradients() -> pd.DataFrame:
    curves = {
        "minimax": (1.0, 0.5, 1e-4),
        "non-saturating": (1.0, 5.0, 500.0),
        "GP": (9.0, 6.0, 7.0),
        "SN": (0.01, 4.0, 2.0),
        "clip 0.1": (1.0, 50.0, 700.0),
        "clip 0.01": (1.0, 0.01, 0.04),
    }
    steps = (0, 50, 1000)
    return pd.DataFrame(
        [
            {"seed": s, "objective": name, "step": step, "gradient": gradient}
            for s in SEEDS
            for name, curve in curves.items()
            for step, gradient in zip(steps, curve, strict=True)
        ]
    )


def noise() -> pd.DataFrame:
    ends = {"minimax": 1e-8, "constant noise": 1e-2, "annealed noise": 1e-4}
    return pd.DataFrame(
        [
            {"seed": s, "objective": name, "step": step, "gradient": gradient}
            for s in SEEDS
            for name, end in ends.items()
            for step, gradient in ((0, 1.0), (4000, end))
        ]
    )


def deep() -> pd.DataFrame:
    cells = {"clip 0.1": (2.0, 0.3), "clip 0.01": (14.0, 0.9), "clip 0.001": (26.0, 0.99), "GP": (0.2, 0.001)}
    rows = [
        {"seed": s, "critic": name, "decades": decades, "extreme": extreme, "clipped_start": 0.4}
        for s in SEEDS
        for name, (decades, extreme) in cells.items()
    ]
    return pd.DataFrame(rows)


def values() -> pd.DataFrame:
    cells = {
        "clip 0.1": (40.0, 2.0, 0.5),
        "clip 0.01": (0.002, 0.001, 0.4),
        "GP": (1.05, 0.1, 0.9),
        "SN": (0.4, 0.2, 0.8),
        "SN, Wasserstein": (0.4, 0.2, 0.8),
    }
    return pd.DataFrame(
        [
            {"seed": s, "toy": toy, "critic": name, "slope": slope, "slope_sd": sd, "cosine": cosine}
            for s in SEEDS
            for toy in ("8gaussians", "25gaussians", "swissroll")
            for name, (slope, sd, cosine) in cells.items()
        ]
    )


def places() -> pd.DataFrame:
    errors = {"line": 0.06, "ot_line": 0.05, "box": 0.2}
    return pd.DataFrame(
        [
            {"seed": s, "sides": "two-sided", "dimension": d, "place": place, "error": error}
            for s in SEEDS
            for d in (2, 16, 64)
            for place, error in errors.items()
        ]
    )


def ratios() -> pd.DataFrame:
    cells = {"GP": 0.8, "SN": 0.6, "clip 0.1": 0.4, RADIAL: 0.45}
    return pd.DataFrame(
        [
            {"seed": s, "toy": toy, "critic": name, "ratio": ratio}
            for s in SEEDS
            for toy in ("8gaussians", "swissroll")
            for name, ratio in cells.items()
        ]
    )


def products() -> pd.DataFrame:
    clipped = [{"seed": s, "kind": "clipping", "tightness": 0.5, "bound_share": 0.1} for s in SEEDS]
    return pd.DataFrame(clipped + [{"seed": s, "kind": "GP", "tightness": 0.01} for s in SEEDS])


def layers() -> pd.DataFrame:
    kinds = {"linear": (1.01, 1.01), "convolution": (1.0, 1.6)}
    return pd.DataFrame(
        [
            {"seed": s, "kind": kind, "layer": layer, "sigma": sigma, "operator": operator}
            for s in SEEDS
            for layer in (0, 1)
            for kind, (sigma, operator) in kinds.items()
        ]
    )


RECORDS: dict[str, tuple[Study, Callable[[], pd.DataFrame], list[str]]] = {
    "S1": (S1, dirac, [YES, YES, YES]),
    "S2": (S2, gradients, [YES, YES]),
    "S3": (S3, deep, [YES, YES]),
    "S4": (S4, values, [YES, YES]),
    "S9": (S9, places, [YES]),
    "S12": (S12, noise, [YES]),
    "S13": (S13, ratios, [YES]),
    "S16": (S16, products, [YES]),
    "S17": (S17, layers, [YES, FALSE]),
}

# study, rows (column = value), column, a value just inside the threshold, one just outside, the verdicts then
CHANGES = [
    ("S1", {"objective": "minimax", "scheme": "simultaneous"}, "tail", 1.42, 1.41, [NO, YES, YES]),
    ("S1", {"objective": "noise", "seed": 1}, "tail", 0.049, 0.051, [YES, NO, YES]),
    ("S1", {"objective": "R1", "scheme": "alternating"}, "tail", 0.9e-6, 1.1e-6, [YES, YES, NO]),
    ("S1", {"objective": "non-saturating", "scheme": "alternating"}, "tail", 0.051, 0.049, [YES, OPEN, YES]),
    ("S1", {"objective": "GP", "scheme": "alternating"}, "tail", 0.41, 0.39, [YES, OPEN, OPEN]),
    ("S1", {"objective": "clip", "scheme": "simultaneous"}, "tail", 0.41, 0.39, [YES, OPEN, OPEN]),
    ("S2", {"objective": "minimax", "step": 1000, "seed": 2}, "gradient", 0.9e-3, 1.1e-3, [NO, YES]),
    ("S2", {"objective": "GP", "step": 50, "seed": 0}, "gradient", 13.9, 14.1, [YES, NO]),
    ("S2", {"objective": "GP", "step": 0, "seed": 0}, "gradient", 100.0, None, []),
    ("S2", {"objective": "SN", "step": 1000, "seed": 1}, "gradient", 0.41, 0.39, [YES, NO]),
    ("S3", {"critic": "clip 0.01", "seed": 1}, "extreme", 0.71, 0.69, [NO, YES]),
    ("S3", {"critic": "GP", "seed": 1}, "extreme", 0.009, 0.011, [NO, YES]),
    ("S3", {"critic": "clip 0.01", "seed": 1}, "clipped_start", 0.69, 0.71, [DISPUTED, YES]),
    ("S3", {"critic": "clip 0.01", "seed": 0}, "decades", 6.1, 5.9, [YES, NO]),
    ("S3", {"critic": "clip 0.001", "seed": 0}, "decades", 6.1, 5.9, [YES, NO]),
    ("S3", {"critic": "clip 0.1", "seed": 2}, "decades", 1.1, 0.9, [YES, NO]),
    ("S3", {"critic": "GP", "seed": 2}, "decades", 0.9, 1.1, [YES, NO]),
    ("S4", {"critic": "GP", "toy": "swissroll", "seed": 0}, "slope", 0.91, 0.89, [NO, YES]),
    ("S4", {"critic": "GP", "toy": "25gaussians", "seed": 2}, "slope", 1.19, 1.21, [NO, YES]),
    ("S4", {"critic": "GP", "toy": "8gaussians", "seed": 2}, "slope_sd", 0.14, 0.16, [NO, YES]),
    ("S4", {"critic": "clip 0.1", "toy": "swissroll", "seed": 1}, "slope", 2.1, 1.9, [YES, NO]),
    ("S4", {"critic": "GP", "toy": "8gaussians", "seed": 1}, "cosine", 0.66, 0.64, [YES, NO]),
    ("S4", {"critic": "clip 0.01", "toy": "8gaussians", "seed": 1}, "cosine", 0.74, 0.76, [YES, NO]),
    ("S4", {"critic": "GP", "toy": "swissroll", "seed": 1}, "cosine", -1.0, None, []),
    ("S9", {"place": "box", "dimension": 64}, "error", 0.121, 0.119, [NO]),
    ("S9", {"place": "ot_line", "dimension": 16}, "error", 0.0401, 0.0399, [NO]),
    ("S9", {"place": "box", "dimension": 2}, "error", 0.01, None, []),
    ("S9", {"place": "box", "dimension": 16, "seed": 0}, "error", 0.01, None, []),
    ("S12", {"objective": "constant noise", "step": 4000, "seed": 1}, "gradient", 1.1e-5, 0.9e-5, [NO]),
    ("S12", {"objective": "annealed noise", "step": 4000, "seed": 1}, "gradient", 1.1e-5, 0.9e-5, [NO]),
    ("S13", {"critic": "GP", "toy": "swissroll", "seed": 1}, "ratio", 0.51, 0.49, [NO]),
    ("S13", {"critic": "SN", "toy": "8gaussians", "seed": 0}, "ratio", 0.51, 0.49, [NO]),
    ("S13", {"critic": "clip 0.1", "seed": 0}, "ratio", 1 + 1e-7, 1 + 1e-5, [OPEN]),
    ("S16", {"kind": "GP", "seed": 0}, "tightness", 1 + 1e-7, 1 + 1e-5, [NO]),
    ("S16", {"kind": "clipping", "seed": 0}, "bound_share", 1 + 1e-7, 1 + 1e-5, [NO]),
    ("S17", {"kind": "linear", "layer": 0, "seed": 1}, "sigma", 1.09, 1.11, [NO, FALSE]),
    ("S17", {"kind": "linear", "layer": 1, "seed": 1}, "sigma", 0.91, 0.89, [NO, FALSE]),
    ("S17", {"kind": "convolution", "seed": 1}, "operator", 1.11, 1.09, [YES, OPEN]),
    ("S17", {"kind": "convolution", "seed": 1, "layer": 0}, "operator", 1.0, None, []),
]


def verdicts(study: Study, records: pd.DataFrame) -> list[str]:
    return [str(part.outcome) for part in judge(study, records).parts]


def changed(records: pd.DataFrame, rows: dict[str, object], column: str, value: float) -> pd.DataFrame:
    mask = pd.Series(True, index=records.index)
    for name, wanted in rows.items():
        mask &= records[name] == wanted
    assert mask.any()
    return records.assign(**{column: records[column].mask(mask, value)})


@pytest.mark.parametrize("name", RECORDS)
def test_verdict_of_records_in_which_the_criteria_hold(name: str):
    study, make, expected = RECORDS[name]
    assert verdicts(study, make()) == expected


@pytest.mark.parametrize("name", RECORDS)
def test_verdict_says_nothing_where_there_are_fewer_than_three_seeds(name: str):
    study, make, _ = RECORDS[name]
    records = make()
    seedless = name == "S1"  # its deterministic games need none
    found = verdicts(study, records[records["seed"].isna() | (records["seed"] < 2)])
    assert found == ([YES, OPEN, YES] if seedless else [OPEN] * len(found))


@pytest.mark.parametrize(("name", "rows", "column", "inside", "outside", "then"), CHANGES)
def test_verdict_changes_where_a_measurement_crosses_its_threshold(
    name: str, rows: dict[str, object], column: str, inside: float, outside: float | None, then: list[str]
):
    study, make, expected = RECORDS[name]
    assert verdicts(study, changed(make(), rows, column, inside)) == expected
    if outside is not None:
        assert verdicts(study, changed(make(), rows, column, outside)) == then


DIVERGED = [
    ("S2", {"objective": "minimax", "seed": 1}, "gradient", [NO, YES]),
    ("S2", {"objective": "GP", "seed": 1}, "gradient", [YES, NO]),
    ("S2", {"objective": "SN", "seed": 1}, "gradient", [YES, NO]),
    ("S9", {"dimension": 16}, "error", [NO]),
    ("S9", {"dimension": 16, "place": "box"}, "error", [NO]),
    ("S12", {"objective": "minimax", "seed": 1}, "gradient", [NO]),
    ("S12", {"objective": "annealed noise", "seed": 1}, "gradient", [NO]),
]


@pytest.mark.parametrize(("name", "rows", "column", "then"), DIVERGED)
def test_verdict_counts_a_diverged_critic_as_the_worst(
    name: str, rows: dict[str, object], column: str, then: list[str]
):
    study, make, _ = RECORDS[name]
    assert verdicts(study, changed(make(), rows, column, math.inf)) == then


def test_s13_is_disputed_where_a_function_of_the_norm_does_as_well_as_gp() -> None:
    rows = ratios()
    rows.loc[(rows["critic"] == RADIAL) & (rows["toy"] == "swissroll") & (rows["seed"] == SEEDS[1]), "ratio"] = 0.81
    assert verdicts(S13, rows) == [DISPUTED]


def test_s13_functions_of_the_norm_are_exact_on_circles() -> None:
    """From radius 1 to 3 all mass moves outwards, and the cone is optimal; where half moves inwards, it is not."""
    angle = torch.arange(60, dtype=torch.float64) / 60 * 2 * torch.pi
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    found = {row["critic"]: row["ratio"] for row in untrained(circle, 3 * circle, 2.0)}
    assert found == {CONE: pytest.approx(1.0, abs=1e-12), RADIAL: pytest.approx(1.0, abs=1e-12)}
    both = torch.cat([0.5 * circle[:30], 1.5 * circle[30:]])
    found = {row["critic"]: row["ratio"] for row in untrained(circle, both, 0.5)}
    assert found == {CONE: pytest.approx(0.0, abs=1e-12), RADIAL: pytest.approx(1.0, abs=1e-12)}
