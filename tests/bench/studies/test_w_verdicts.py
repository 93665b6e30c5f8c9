"""W1–W4: verdicts of invented critics, by criteria fixed in advance, and the way from training to picture."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from lipbench.bench.studies import STUDIES, NotAtThisScale, Outcome, Resources, Setting
from lipbench.bench.studies.claims.known_transport import runs, w1, w2, w3, w4
from lipbench.bench.studies.engine.judge import judge
from lipbench.bench.studies.engine.store import frame
from lipbench.objectives import BadInput

CLIP, GP, LP, SN = runs.CLIP, runs.GP, runs.LP, runs.SN
GOOD = {CLIP: 0.3, GP: 0.9, LP: 0.9, SN: 0.4}


def critics(pairs: tuple[runs.Pair, ...], cosines: dict[str, float], **more: float) -> pd.DataFrame:
    """Three seeds of each, .01 apart; `more` are further columns."""
    rows = [
        {"seed": seed, "objective": objective, "d": d, "n": n, "cosine": cosine + 0.01 * seed, **more}
        for d, n in pairs
        for objective, cosine in cosines.items()
        for seed in (-1, 0, 1)
    ]
    return pd.DataFrame(rows)


def outcomes(study_id: str, measurements: pd.DataFrame) -> dict[str, Outcome]:
    return {part.part.name: part.outcome for part in judge(STUDIES[study_id], measurements).parts}


def test_w1_wants_both_penalties_above_both_constraints_on_every_pair() -> None:
    good = critics(w1.PAIRS, GOOD)
    assert set(outcomes("W1", good).values()) == {Outcome.REPRODUCED}
    one_pair = (good["objective"] == SN) & (good["d"] == 64) & (good["n"] == 4)
    lost = outcomes("W1", good.assign(cosine=good["cosine"].mask(one_pair, 0.91)))
    assert set(lost.values()) == {Outcome.NOT_REPRODUCED}
    weak_lp = critics(w1.PAIRS, GOOD | {LP: 0.2})
    assert list(outcomes("W1", weak_lp).values()) == [Outcome.REPRODUCED, Outcome.NOT_REPRODUCED]


@pytest.mark.parametrize(("gap", "outcome"), [(0.09, "REPRODUCED"), (-0.09, "REPRODUCED"), (0.12, "NOT_REPRODUCED")])
def test_w2_wants_each_published_cosine_within_a_tenth(gap: float, outcome: str) -> None:
    measurements = critics(w2.PAIRS, dict.fromkeys(w2.METHODS, 0.5 + gap), published=0.5)
    assert set(outcomes("W2", measurements).values()) == {Outcome[outcome]}


def test_w2_says_which_method_was_not_measured() -> None:
    measurements = critics(w2.PAIRS, {CLIP: 0.5, SN: 0.5}, published=0.5)
    found = outcomes("W2", measurements)
    assert found[CLIP] is found[SN] is Outcome.REPRODUCED and found[GP] is found[LP] is Outcome.INCONCLUSIVE


def test_w2_needs_the_authors_pairs(tmp_path: Path) -> None:
    setting = Setting("full", (0,), {"steps": 0, "methods": [SN]}, tmp_path, tmp_path, Resources(data=tmp_path))
    with pytest.raises(NotAtThisScale, match="w1_benchmark"):
        w2.resolve(setting)
    (tmp_path / "w1_benchmark").mkdir()
    assert w2.resolve(setting) == {}
    with pytest.raises(BadInput, match=r"unknown method of W2 'wgan-gq' \(did you mean 'wgan-gp'\?\)"):
        w2.resolve(replace(setting, options={"methods": [SN, "wgan-gq"]}))


@pytest.mark.parametrize(
    ("simple", "hard", "found"),
    [
        (1.1, 0.7, (Outcome.REPRODUCED, Outcome.REPRODUCED)),
        (1.2, 0.7, (Outcome.NOT_REPRODUCED, Outcome.REPRODUCED)),
        (0.9, 0.85, (Outcome.REPRODUCED, Outcome.NOT_REPRODUCED)),
    ],
)
def test_w3_wants_a_faithful_cost_of_few_funnels_and_a_poor_one_of_many(
    simple: float, hard: float, found: tuple[Outcome, ...]
) -> None:
    measurements = pd.concat([critics(w3.SIMPLE, {GP: 0.9}, cost=simple), critics((w3.HARD,), {GP: 0.6}, cost=hard)])
    assert tuple(outcomes("W3", measurements).values()) == found


@pytest.mark.parametrize(("after", "outcome"), [(0.4, Outcome.REPRODUCED), (0.6, Outcome.NOT_REPRODUCED)])
def test_w4_asks_whether_the_division_takes_half_of_the_error(after: float, outcome: Outcome) -> None:
    columns = {"gradient_error": 1.0, "gradient_error_scaled": after, "cost_error": 0.5, "cost_error_scaled": 0.1}
    assert set(outcomes("W4", critics(w4.PAIRS, {CLIP: 0.3, SN: 0.3}, **columns)).values()) == {outcome}


def test_w_rows_are_read_from_runs_and_drawn(tmp_path: Path) -> None:
    setting = Setting("smoke", (0,), {"steps": 1}, tmp_path, tmp_path / "runs", Resources())
    rows = frame(runs.critic_rows(((2, 4),), (GP, CLIP), setting))
    assert rows["objective"].tolist() == [GP, CLIP] and rows["steps"].tolist() == [1, 1]
    assert rows["published"].tolist() == pytest.approx([0.844563, 0.0722167])
    assert rows[["cosine", "gradient_error", "gradient_error_scaled", "cost", "own_slope"]].notna().all().all()
    for study in ("W1", "W2", "W3", "W4"):
        assert isinstance(STUDIES[study].plot(rows), Figure)


def test_w_rows_tell_the_two_spectral_normalisations_apart(tmp_path: Path) -> None:
    setting = Setting("smoke", (0,), {"steps": 2}, tmp_path, tmp_path / "runs", Resources())
    rows = frame(runs.critic_rows(((2, 4),), (SN, runs.AUTHORS_SN), setting)).set_index("objective")
    assert rows["cosine"][SN] != rows["cosine"][runs.AUTHORS_SN]
    assert rows["published"].tolist() == pytest.approx([0.213083] * 2)
