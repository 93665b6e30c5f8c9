"""What the tests of broken objectives share: sound ones to break, and what "fails exactly that check" means."""

import re
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch, GradientPenalty, Objective
from lipbench.objectives.conformance import check_objective
from lipbench.objectives.slopes import POINTS


class Broken:
    """Broken objectives, each with the one check that it must fail."""

    def __init__(self) -> None:
        self.cases: list[tuple[str, type[Objective], str]] = []

    def fails(self, check: str, reason: str) -> Callable[[type[Objective]], type[Objective]]:
        """Notes that the class below must fail that check, with a reason that says so, and no other."""

        def note(objective: type[Objective]) -> type[Objective]:
            self.cases.append((check, objective, reason))
            return objective

        return note

    def parameters(self) -> Iterator[object]:
        """The first broken objective of each check, and as slow ones the others."""
        seen = set[str]()
        for check, objective, reason in self.cases:
            marks = [pytest.mark.slow] if check in seen else []
            seen.add(check)
            yield pytest.param(check, objective, reason, id=objective.__name__, marks=marks)


def assert_fails_only(check: str, objective: type[Objective], reason: str) -> None:
    report = check_objective(objective)
    assert [failure.check for failure in report.failures] == [check], str(report)
    assert re.search(reason, report.failures[0].reason), report.failures[0].reason


class Plain(Objective):
    """Sound; the broken ones differ from it in one thing."""

    name, reference = "plain", "none"

    def __init__(self, *, loss: str = "non_saturating") -> None:
        super().__init__(loss=loss)


class Penalised(GradientPenalty):
    """Sound, with a penalty that the broken ones replace."""

    name, reference = "penalised", "none"

    def norm(self, gradient: Tensor) -> Tensor:
        return gradient.flatten(1).norm(dim=1)

    def points(self, batch: Batch) -> Tensor:
        return POINTS["line"](batch)

    def penalty(self, critic: nn.Module, batch: Batch, create_graph: bool = True) -> Tensor:
        x = self.points(batch).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=create_graph)
        return 10 * (self.norm(gradient) - 1).square().mean()


class Clipped(Plain):
    def clip_(self, module: nn.Module) -> None:
        for parameter in module.parameters():
            parameter.clamp_(-0.05, 0.05)
