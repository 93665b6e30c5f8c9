"""What every objective must pass, ours and yours: `check_objective` reports, `assert_conforms` is for a test suite.

Each check is one function in the modules here; it plays small games by `critic_step` and `generator_step`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from ..base import Objective
from . import basics, constraint, direction, gradients, machine, norms, penalty, repeatable, samples
from .report import CheckOutcome, Report, Result, Status, failed, not_applicable, passed, said
from .schedule import at_step, judged_steps
from .trial import GREY, IMAGES, NUMBERS, POINTS, Make, TrialSetting, one_thread

__all__ = ["CHECKS", "Report", "Result", "Status", "assert_conforms", "check_objective"]


@dataclass(frozen=True)
class Check:
    """A check by name; it is not run where one that it `needs` has failed, so that one fault fails one check."""

    name: str
    run: Callable[[Make, TrialSetting], CheckOutcome]
    needs: tuple[str, ...] = ()
    settings: tuple[TrialSetting, ...] = (POINTS, IMAGES)


BASIC = ("runs", "shapes", "finite scalars")
PLAYS = (*BASIC, "gradient reaches the generator")
REPEATS = (*PLAYS, "randomness from batch.rng")
APPROACHES = (*PLAYS, "critic separates", "samples stay apart")

CHECKS = (
    Check("runs", basics.runs),
    Check("shapes", basics.shapes, ("runs",), (POINTS, IMAGES, NUMBERS, GREY)),
    Check("finite scalars", basics.finite_scalars, ("runs", "shapes"), (POINTS, IMAGES, NUMBERS, GREY)),
    Check("gradient reaches the generator", direction.gradient_reaches_generator, BASIC),
    Check("finite gradients", gradients.finite_gradients, PLAYS),
    Check("critic kept by the generator phase", direction.critic_kept_by_generator_phase, PLAYS),
    Check("inputs unchanged", basics.inputs_unchanged, PLAYS),
    Check("randomness from batch.rng", repeatable.randomness_from_the_stream, PLAYS),
    Check("state in buffers", repeatable.state_in_buffers, REPEATS),
    Check("samples stay apart", penalty.samples_stay_apart, (*REPEATS, "critic kept by the generator phase")),
    Check("batch norm refused", penalty.batch_norm_refused, REPEATS),
    Check("norms per sample", norms.norms_per_sample, (*REPEATS, "samples stay apart")),
    Check("every sample counts", samples.every_sample_counts, (*REPEATS, "norms per sample")),
    Check("one draw a sample", penalty.one_draw_a_sample, REPEATS),
    Check("float64", machine.double_precision, REPEATS),
    Check("penalty differentiable", penalty.penalty_is_differentiable, (*REPEATS, "float64")),
    Check("constraint holds", constraint.constraint_holds, REPEATS),
    Check("critic separates", direction.critic_separates, BASIC),
    Check("generator approaches the data", direction.generator_approaches, APPROACHES),
    Check("bound on linear layers", constraint.bound_on_linear_layers, BASIC, (POINTS,)),
    Check("bound on convolutions", constraint.bound_on_convolutions, (*BASIC, "bound on linear layers"), (IMAGES,)),
    Check("NaN stays visible", basics.nan_stays_visible, PLAYS),
    Check("capturable", machine.capturable, (*PLAYS, "state in buffers")),
    Check("autocast", machine.autocast, PLAYS),
    Check("other device", machine.other_device, (*PLAYS, "capturable")),
)


def check_objective(
    objective: Callable[..., Objective], arguments: Mapping[str, Any] | None = None, /, **more: Any
) -> Report:
    """Runs every check on small games of points and of images, on one thread; takes a few seconds.

    Args:
        objective: a subclass of `Objective`, or any function that makes one.
        arguments: its keyword arguments.
        more: further keyword arguments.

    Returns:
        pass, fail or not applicable for each check, with a reason; `report.ok`, `report.failures`, `str(report)`.

    Raises:
        Exception: what the constructor raises (`BadInput` for bad arguments); what its methods raise is a failure.
    """
    make = partial(objective, **(arguments or {}), **more)
    title = f"{getattr(type(make()), 'name', 'objective without a name')} ({type(make()).__name__})"
    report, unmet = Report(title), set[str]()
    with repeatable.global_streams_kept(), one_thread():
        steps = judged_steps(make, (POINTS, IMAGES))
        for check in CHECKS:
            missing = next((need for need in check.needs if need in unmet), None)
            if missing:
                outcome = not_applicable(f"needs: {missing}")
            else:
                settings = [at_step(setting, step) for setting, step in product(check.settings, steps)]
                outcome = _merged({setting.name: _run(check, make, setting) for setting in settings})
            if check.name == "runs" and outcome.status is Status.NOT_APPLICABLE:
                outcome = failed(f"every critic of the kit is refused: {outcome.reason}")
            if missing or outcome.status is Status.FAIL:
                unmet.add(check.name)
            report.results.append(Result(check.name, outcome.status, outcome.reason))
    return report


def assert_conforms(
    objective: Callable[..., Objective], arguments: Mapping[str, Any] | None = None, /, **more: Any
) -> None:
    """For a plug-in's own tests: AssertionError, with the report as its message, if any check fails."""
    report = check_objective(objective, arguments, **more)
    if not report.ok:
        raise AssertionError(f"\n{report}")


def _run(check: Check, make: Make, setting: TrialSetting) -> CheckOutcome:
    # Whatever a plug-in raises is a finding about it, and the other checks go on.
    try:
        refusal = make().skip_reason(setting.critic(), setting.shape)
        return not_applicable(refusal) if refusal else check.run(make, setting)
    except Exception as error:
        return failed(said(error, make))


def _merged(outcomes: dict[str, CheckOutcome]) -> CheckOutcome:
    """The worst of the settings; a check that applies in one of them applies."""
    for status, make in ((Status.FAIL, failed), (Status.PASS, passed), (Status.NOT_APPLICABLE, not_applicable)):
        reasons = {name: outcome.reason for name, outcome in outcomes.items() if outcome.status is status}
        if len(set(reasons.values())) == 1 and len(reasons) == len(outcomes):
            return make(next(iter(reasons.values())))
        if reasons:
            return make("; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason))
    raise ValueError("a check without settings")
