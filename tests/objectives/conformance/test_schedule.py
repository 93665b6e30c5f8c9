"""Penalties that come at some steps only are judged where they come."""

import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch
from lipbench.objectives.conformance import Status, check_objective
from lipbench.objectives.conformance.schedule import judged_steps
from lipbench.objectives.conformance.trial import POINTS
from lipbench.objectives.slopes import slopes

from .sound import Penalised, Plain


class Lazy(Plain):
    """R1 at every 16th step, as in StyleGAN2, and not at the first."""

    capturable = False

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor | None:
        return 16 * slopes(critic, batch.real).square().mean() if batch.step % 16 == 15 else None


class Ramp(Plain):
    """Grows to its weight over a thousand steps."""

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        return torch.as_tensor(batch.step / 1000).clamp(max=1) * slopes(critic, batch.real).square().mean()


@pytest.mark.parametrize(("objective", "steps"), [(Plain, [0]), (Penalised, [0]), (Lazy, [0, 15]), (Ramp, [0, 1000])])
def test_conformance_judges_steps_that_show_the_penalty(objective: type[Plain], steps: list[int]) -> None:
    assert judged_steps(objective, [POINTS]) == steps


def test_conformance_passes_a_lazy_penalty_and_judges_it() -> None:
    report = check_objective(Lazy)
    assert report.ok, str(report)
    status = {result.check: result.status for result in report.results}
    assert status["norms per sample"] is status["penalty differentiable"] is Status.PASS
