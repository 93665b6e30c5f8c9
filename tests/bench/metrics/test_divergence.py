"""Divergence as it is defined: each reason from both sides of its threshold, the first step, and recovery."""

import math

import pytest

from lipbench.bench.metrics.divergence import Divergence


def started(steps: int = 100) -> Divergence:
    """At step 0: critic outputs of size 1, weight norm 5."""
    divergence = Divergence(steps)
    divergence.output(0, 1.0, 5.0)
    divergence.gradient(1, 2.0)
    return divergence


def told(divergence: Divergence) -> tuple[str, str | None, int | None, bool]:
    found = divergence.verdict()
    return found["status"], found["reason"], found["diverged_at"], found["recovered"]


SOUND = ("completed", None, None, False)


def test_divergence_is_silent_about_a_sound_run() -> None:
    divergence = started()
    divergence.losses(50, [True] * 50)
    divergence.output(50, 3.0, 6.0)
    divergence.spread(50, 0.9)
    divergence.gradient(90, 1.0)
    assert told(divergence) == SOUND
    assert not divergence.fatal


@pytest.mark.parametrize(("finite", "at"), [([True, True, False], 60), ([False] * 3, 58), ([True, False, False], 59)])
def test_divergence_nan_is_dated_to_the_iteration(finite: list[bool], at: int) -> None:
    """Rows are the losses of the iterations that end with step 60."""
    divergence = started()
    divergence.losses(60, finite)
    assert divergence.fatal
    assert told(divergence) == ("diverged", "nan", at, False)


def test_divergence_nan_keeps_its_first_step_and_never_passes() -> None:
    divergence = started()
    divergence.losses(50, [True, False, True])
    divergence.losses(51, [True, True, True])
    assert told(divergence) == ("diverged", "nan", 49, False)


@pytest.mark.parametrize(("output", "weights"), [(math.nan, 5.0), (1.0, math.inf), (math.inf, 5.0)])
def test_divergence_nan_is_seen_in_outputs_and_weights_too(output: float, weights: float) -> None:
    divergence = started()
    divergence.output(50, output, weights)
    assert told(divergence)[:3] == ("diverged", "nan", 50)


@pytest.mark.parametrize(
    ("output", "weights", "exploded"),
    [(0.99e6, 5.0, False), (1.01e6, 5.0, True), (1.0, 0.99 * 5e4, False), (1.0, 1.01 * 5e4, True)],
)
def test_divergence_exploded_beyond_a_million_or_ten_thousand_times_the_first_weight_norm(
    output: float, weights: float, exploded: bool
) -> None:
    divergence = started()
    divergence.output(50, output, weights)
    assert divergence.fatal is exploded
    assert told(divergence) == (("diverged", "exploded", 50, False) if exploded else SOUND)


@pytest.mark.parametrize(("share", "collapsed"), [(0.0501, False), (0.0499, True), (0.0, True)])
def test_divergence_collapsed_below_a_twentieth_of_the_real_spread(share: float, collapsed: bool) -> None:
    divergence = started()
    divergence.spread(40, 1.0)
    divergence.spread(80, share)
    divergence.spread(100, share)
    assert told(divergence) == (("diverged", "collapsed", 80, False) if collapsed else SOUND)
    assert not divergence.fatal


def test_divergence_of_a_run_that_recovers_is_kept_but_it_has_completed() -> None:
    divergence = started()
    for step, share in ((20, 0.5), (40, 0.01), (60, 0.02), (80, 0.3)):
        divergence.spread(step, share)
    assert told(divergence) == ("completed", "collapsed", 40, True)


def test_divergence_of_a_run_that_collapses_again_is_dated_to_the_first_time() -> None:
    divergence = started()
    for step, share in ((20, 0.01), (40, 0.5), (60, 0.01)):
        divergence.spread(step, share)
    assert told(divergence) == ("diverged", "collapsed", 20, False)


@pytest.mark.parametrize(("norm", "frozen"), [(2.02e-7, False), (1.98e-7, True), (0.0, True), (math.nan, False)])
def test_divergence_frozen_below_a_ten_millionth_of_the_first_gradient(norm: float, frozen: bool) -> None:
    divergence = started()
    for step in (81, 90, 100):
        divergence.gradient(step, norm)
    assert told(divergence) == (("diverged", "frozen", 81, False) if frozen else SOUND)


@pytest.mark.parametrize(("steps", "frozen"), [((80, 90, 100), True), ((81, 90, 100), False)])
def test_divergence_frozen_is_about_the_last_fifth_alone_and_all_of_it(steps: tuple[int, ...], frozen: bool) -> None:
    """A gradient at step 80 of 100 stands before the last fifth, one at 81 in it."""
    divergence = started()
    divergence.gradient(steps[0], 1.0)
    for step in steps[1:]:
        divergence.gradient(step, 1e-9)
    assert (told(divergence)[1] == "frozen") is frozen


def test_divergence_frozen_is_not_said_of_a_run_that_ended_before_its_last_fifth() -> None:
    divergence = started()
    divergence.gradient(50, 0.0)
    assert told(divergence) == SOUND


def test_divergence_frozen_holds_for_a_generator_that_no_gradient_ever_reached() -> None:
    divergence = Divergence(100)
    divergence.gradient(1, 0.0)
    divergence.gradient(100, 0.0)
    assert told(divergence)[:2] == ("diverged", "frozen")


def test_divergence_names_the_gravest_of_several_reasons() -> None:
    divergence = started()
    divergence.spread(20, 0.0)
    divergence.output(50, 1e7, 5.0)
    assert told(divergence) == ("diverged", "exploded", 50, False)
    divergence.losses(60, [False])
    assert told(divergence) == ("diverged", "nan", 60, False)


def test_divergence_goes_on_from_its_state() -> None:
    divergence = started()
    divergence.spread(20, 0.01)
    divergence.gradient(90, 1e-9)
    restored = Divergence(**divergence.state())
    assert restored == divergence
    for judged in (divergence, restored):
        judged.spread(40, 0.5)
        judged.gradient(100, 1e-9)
    assert told(restored) == told(divergence) == ("diverged", "frozen", 90, False)
