from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lipbench.bench.report.statistics import ENOUGH
from lipbench.bench.studies import STUDIES, Criterion, Measure, Outcome, Part, Study
from lipbench.bench.studies.engine.contract import refutes
from lipbench.bench.studies.engine.judge import OPERATORS, check_criterion, criterion_text, evaluate, judge

CASES = [(name, place) for name, study in STUDIES.items() for place in range(len(study.criteria))]


def both_sides(threshold: float) -> list[float]:
    step = max(abs(threshold) * 0.01, 1e-13)
    return [threshold - step, threshold + step]


def holds(criterion: Criterion, value: float) -> bool:
    return OPERATORS[criterion.op](value, criterion.threshold)


def cell(criterion: Criterion) -> dict:
    """The row that the criterion reads, without its measurement."""
    return {k: v[0] if isinstance(v, tuple) else v for k, v in criterion.where.items()}


def reads(criterion: Criterion, row: dict, measurement: str) -> bool:
    allowed = {k: v if isinstance(v, tuple) else (v,) for k, v in criterion.where.items()}
    return criterion.measurement == measurement and all(row.get(k) in v for k, v in allowed.items())


def synthetic(study: Study, broken: Criterion | None = None) -> pd.DataFrame:
    """Records on the right side of every threshold, but for one criterion's on the wrong side of its own."""
    rows, seeds = [], max(study.min_seeds, ENOUGH)
    for criterion in study.criteria:
        row, name = cell(criterion), criterion.measurement
        readers = [other for other in study.criteria if reads(other, row, name)]
        choices = [value for reader in readers for value in both_sides(reader.threshold)]
        choices += [float(np.mean([reader.threshold for reader in readers]))]
        fails = broken is not None and reads(broken, row, name)
        fitting = [v for v in choices if (not holds(broken, v) if fails else all(holds(r, v) for r in readers))]  # pyright: ignore[reportArgumentType]
        rows += [row | {"seed": seed, name: fitting[0]} for seed in range(seeds)]
    return pd.DataFrame(rows)


def read_directly(study: Study) -> Study:
    """The study without its derived rows: the synthetic records are what the criteria read."""
    return replace(study, derive=lambda measurements: measurements)


@pytest.mark.parametrize("name", STUDIES)
def test_verdict_on_the_right_side_of_every_threshold(name: str) -> None:
    study = read_directly(STUDIES[name])
    assert [part.outcome for part in judge(study, synthetic(study)).parts] == [part.holds for part in study.parts]


@pytest.mark.parametrize(("name", "place"), CASES)
def test_verdict_changes_on_the_wrong_side_of_a_threshold(name: str, place: int) -> None:
    study = read_directly(STUDIES[name])
    broken = study.criteria[place]
    verdict = judge(study, synthetic(study, broken))
    part = next(part for part in verdict.parts if broken in part.part.criteria)
    expected = part.part.fails
    if broken.control:
        expected = Outcome.INCONCLUSIVE
    if broken.disputed:
        expected = Outcome.DISPUTED
    assert part.outcome == expected != part.part.holds
    finding = part.findings[part.part.criteria.index(broken)]
    assert finding.holds is False


@pytest.mark.parametrize("name", STUDIES)
def test_verdict_without_measurements_is_inconclusive(name: str) -> None:
    study = read_directly(STUDIES[name])
    verdict = judge(study, pd.DataFrame({"seed": [0, 1, 2]}))
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert all("not measured" in finding.text for part in verdict.parts for finding in part.findings)


@pytest.mark.parametrize("name", STUDIES)
def test_study_declares_what_the_table_needs(name: str) -> None:
    study = STUDIES[name]
    assert study.id == name
    assert study.claim and study.document and study.experiment and study.criteria
    assert set(study.sizes) == {"smoke", "quick", "full"}
    assert len(study.parts) == 1 or all(part.name for part in study.parts)


BELOW = Criterion(measurement="error", text="error", reduce="median", op="<", threshold=1.0)


def errors(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"seed": range(len(values)), "error": values})


def study_of(*parts: Part) -> Study:
    return replace(STUDIES["T1"], parts=parts, min_seeds=3)


def test_estimate_reduces_within_a_seed_and_then_over_seeds() -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1, 2, 2], "error": [1.0, 5.0, 2.0, 3.0, 0.0, 9.0]})
    worst_of_median = evaluate(Measure(measurement="error", text="", within="max", reduce="median"), rows)
    assert worst_of_median.value == 5.0 and worst_of_median.seeds == 3
    mean_of_smallest = evaluate(Measure(measurement="error", text="", within="min", reduce="mean"), rows)
    assert mean_of_smallest.value == pytest.approx(1.0)


def test_estimate_selects_rows_by_value_and_by_any_of_several() -> None:
    rows = pd.DataFrame({"kind": ["a", "b", "c"], "error": [1.0, 2.0, 4.0]})
    assert evaluate(Measure(measurement="error", text="", where={"kind": "b"}), rows).value == 2.0
    assert evaluate(Measure(measurement="error", text="", where={"kind": ("a", "c")}), rows).value == 4.0
    assert np.isnan(evaluate(Measure(measurement="error", text="", where={"kind": "d"}), rows).value)
    assert np.isnan(evaluate(Measure(measurement="error", text="", where={"other": 1}), rows).value)


def test_estimate_of_rows_without_seed_is_exact() -> None:
    exact = evaluate(BELOW, pd.DataFrame({"error": [0.5, 0.25, 0.75]}))
    assert (exact.value, exact.seeds) == (0.5, 0) and np.isnan(exact.low)


def test_estimate_interval_is_a_percentile_bootstrap_over_seeds() -> None:
    values = np.array([0.1, 0.4, 0.9, 1.6, 2.5, 3.6])
    found = evaluate(replace(BELOW, reduce="mean"), errors(*values))
    draws = np.random.default_rng(1).choice(values, (20_000, len(values))).mean(axis=1)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(draws, [2.5, 97.5])), rel=0.05)
    reference = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(2))
    assert found.high == pytest.approx(reference.confidence_interval.high, rel=0.05)


def test_estimate_of_a_share_has_wilsons_interval() -> None:
    """The bootstrap of three ones would be [1, 1]."""
    share = replace(BELOW, reduce="mean")
    found = evaluate(share, errors(1.0, 1.0, 1.0))
    reference = stats.binomtest(3, 3).proportion_ci(method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((1.0, reference.low, reference.high))
    assert "(95 % 0.439 … 1)" in found.text
    found, reference = (
        evaluate(share, errors(0.0, 1.0, 0.0, 1.0, 0.0)),
        stats.binomtest(2, 5).proportion_ci(method="wilson"),
    )
    assert (found.value, found.low, found.high) == pytest.approx((0.4, reference.low, reference.high))
    assert evaluate(BELOW, errors(0.0, 1.0, 1.0)).low == 0.0  # a median is none


def test_two_bounds_on_one_quantity_measure_it_once() -> None:
    both = Part(criteria=(BELOW, replace(BELOW, op=">", threshold=0.1)))
    verdict = judge(study_of(both), errors(0.25, 0.5, 0.75)).parts[0]
    assert verdict.measured.count("error: 0.5") == 1 and verdict.threshold == "error < 1; error > 0.1"


def test_estimate_of_an_extreme_shows_the_range() -> None:
    found = evaluate(replace(BELOW, reduce="max"), errors(3.0, 1.0, 2.0))
    assert (found.value, found.low, found.high) == (3.0, 1.0, 3.0)
    assert "range 1 … 3" in found.text


@pytest.mark.parametrize(("seeds", "told"), [(3, "range"), (5, "range"), (6, "96.9 %"), (8, "99.2 %"), (9, "96.1 %")])
def test_estimate_of_a_median_says_what_its_interval_covers(seeds: int, told: str) -> None:
    found = evaluate(BELOW, errors(*(float(2**i) for i in range(seeds))))
    assert BELOW.reduce == "median" and f"({told} " in found.text
    assert ((found.low, found.high) == (1.0, 2.0 ** (seeds - 1))) is (seeds <= 8)


def test_estimate_of_few_seeds_says_so() -> None:
    assert "too few seeds for an interval: 2" in evaluate(BELOW, errors(0.1, 0.2)).text


def test_finding_with_few_seeds_concludes_nothing() -> None:
    finding = check_criterion(BELOW, errors(0.1, 0.2), min_seeds=3)
    assert finding.holds is None and "2 of 3" in finding.text
    assert check_criterion(BELOW, errors(0.1, 0.2, 0.3), min_seeds=3).holds is True


def test_finding_with_a_diverged_seed_counts_it() -> None:
    finding = check_criterion(replace(BELOW, reduce="max"), errors(0.1, float("inf"), 0.2))
    assert finding.holds is False
    assert check_criterion(BELOW, errors(0.1, float("inf"), 0.2)).holds is True


def test_finding_without_all_seeds_of_the_records_concludes_nothing() -> None:
    study = replace(study_of(Part(criteria=(BELOW,))), derive=lambda rows: rows[rows["error"] < np.inf])
    whole, diverged = (judge(study, errors(0.1, 0.2, 0.3, last)) for last in (0.4, np.inf))
    assert whole.outcome == Outcome.REPRODUCED
    assert diverged.outcome == Outcome.INCONCLUSIVE
    assert "[measured at 3 of 4 seeds only]" in diverged.parts[0].measured


def test_finding_by_interval_needs_the_whole_interval_on_one_side() -> None:
    criterion = replace(BELOW, by_interval=True)
    assert check_criterion(criterion, errors(*[0.1, 0.2, 0.3] * 2)).holds is True
    assert check_criterion(criterion, errors(*[1.1, 1.2, 1.3] * 2)).holds is False
    straddling = check_criterion(criterion, errors(*[0.1, 0.2, 5.0] * 2))
    assert straddling.holds is None and "does not decide" in straddling.text


def test_finding_by_interval_needs_more_seeds_than_have_none_but_their_range() -> None:
    criterion = replace(BELOW, by_interval=True)
    few = check_criterion(criterion, errors(*[0.1] * 5))
    assert few.holds is None and "too few seeds for a 95 % interval: 5 of 6" in few.text
    assert check_criterion(criterion, errors(*[0.1] * 6)).holds is True
    assert check_criterion(BELOW, errors(*[0.1] * 5)).holds is True


def test_part_with_a_failed_control_is_inconclusive_whatever_the_rest_says() -> None:
    control = replace(BELOW, measurement="floor", control=True)
    rows = errors(0.1, 0.2, 0.3).assign(floor=2.0)
    assert judge(study_of(refutes(BELOW, control)), rows).outcome == Outcome.INCONCLUSIVE
    assert judge(study_of(refutes(BELOW, control)), rows.assign(floor=0.5)).outcome == Outcome.FALSE


def test_part_with_a_disputed_criterion_is_disputed_only_where_it_fails() -> None:
    disputed = replace(BELOW, disputed="because")
    study = study_of(Part(criteria=(disputed,)))
    assert judge(study, errors(2.0, 3.0, 4.0)).outcome == Outcome.DISPUTED
    assert judge(study, errors(0.1, 0.2, 0.3)).outcome == Outcome.REPRODUCED


def test_study_verdict_is_the_gravest_of_its_parts() -> None:
    good, bad = Part(criteria=(BELOW,), name="a"), Part(criteria=(replace(BELOW, op=">"),), name="b")
    rows = errors(0.1, 0.2, 0.3)
    assert judge(study_of(good, bad), rows).outcome == Outcome.NOT_REPRODUCED
    assert judge(study_of(good, bad, refutes(BELOW, name="c")), rows).outcome == Outcome.FALSE
    assert judge(study_of(good), rows).outcome == Outcome.REPRODUCED


def test_judge_reads_the_derived_rows() -> None:
    study = replace(study_of(Part(criteria=(BELOW,))), derive=lambda rows: rows.assign(error=rows["error"] / 10.0))
    assert judge(study, errors(2.0, 3.0, 4.0)).outcome == Outcome.REPRODUCED
    assert judge(study, errors(20.0, 30.0, 40.0)).outcome == Outcome.NOT_REPRODUCED


def test_quantities_that_a_scale_leaves_out_are_not_reported() -> None:
    made, left_out = (Measure(measurement=name, text=name, reduce="median") for name in ("made", "left_out"))
    criterion = Criterion(measurement="made", text="made", reduce="median", op=">", threshold=0.0)
    study = replace(STUDIES["T1"], parts=(Part(criteria=(criterion,), reported=(made, left_out)),), derive=lambda m: m)
    rows = pd.DataFrame({"seed": [0, 1, 2], "made": [1.0, 2.0, 4.0]})
    assert [e.measure.text for e in judge(study, rows).parts[0].reported] == ["made"]


def test_criterion_says_its_threshold_to_the_digit_that_matters() -> None:
    assert criterion_text(replace(BELOW, threshold=1 + 1e-6)).endswith("< 1.000001")
    assert criterion_text(BELOW).endswith("< 1")


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (Measure.median("error", "error"), 2.0),
        (Measure.largest("error", "error"), 9.0),
        (Measure.smallest("error", "error"), 1.0),
        (Measure.largest("error", "error", kind="a"), 2.0),
        (Measure.smallest("error", "error", within="max", kind=("b", "c")), 9.0),
        (Measure.share("flag", "share"), 1 / 3),
    ],
)
def test_measures_are_reduced_within_a_seed_and_over_seeds(measure: Measure, value: float) -> None:
    rows = pd.DataFrame({"seed": [0, 1, 2, 2], "kind": ["a", "a", "c", "b"], "error": [1.0, 2.0, 9.0, 2.0]})
    assert evaluate(measure, rows.assign(flag=[0, 1, 0, 0])).value == pytest.approx(value)


@pytest.mark.parametrize(("method", "holds"), [("at_least", "=>"), ("at_most", "<="), ("above", ">"), ("below", "<")])
def test_criteria_say_on_which_side_of_the_threshold_a_measure_must_lie(method: str, holds: str) -> None:
    criterion = getattr(Measure.median("error", "error"), method)(2.0, control=True)
    assert criterion.control
    found = {
        sign: check_criterion(criterion, errors(*[value] * 3)).holds
        for sign, value in (("<", 1.0), ("=", 2.0), (">", 3.0))
    }
    assert found == {sign: sign in holds for sign in found}
