"""The conformance kit: every built-in passes it, and its report says what a plug-in's author needs to know."""

import inspect
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import (
    BUILTINS,
    LOSSES,
    BadInput,
    Batch,
    GradientPenalty,
    Minimax,
    Objective,
    SpectralNorm,
)
from lipbench.objectives.conformance import (
    CHECKS,
    Report,
    Status,
    assert_conforms,
    check_objective,
    machine,
    trial,
)
from lipbench.objectives.conformance.constraint import operator_norm
from lipbench.objectives.slopes import POINTS


@cache
def report_of(name: str) -> Report:
    return check_objective(BUILTINS[name])


@pytest.mark.parametrize("name", BUILTINS)
def test_conformance_every_built_in_passes(name: str) -> None:
    report = report_of(name)
    assert report.ok, f"\n{report}"
    assert report.objective == f"{name} ({BUILTINS[name].__name__})"
    assert [result.check for result in report.results] == [check.name for check in CHECKS]


@pytest.mark.slow
@pytest.mark.parametrize("at", POINTS)
@pytest.mark.parametrize("one_sided", [False, True])
def test_conformance_penalties_pass_wherever_they_measure(at: str, one_sided: bool) -> None:
    assert_conforms(GradientPenalty, at=at, one_sided=one_sided)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", ["minimax", "wgan-clip", "wgan-gp", "sn-gan"])
def test_conformance_constraints_pass_with_every_loss(name: str, loss: str) -> None:
    assert_conforms(BUILTINS[name], loss=loss)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("wgan-clip", {"biases": False}),
        ("wgan-clip", {"start_clipped": True}),
        ("sn-gan", {"power_iterations": 5}),
        ("sn-gan", {"constant_sigma": True}),
        ("orthogonal", {"group": 4}),
        ("orthogonal", {"group": None}),
    ],
    ids=str,
)
def test_conformance_options_pass(name: str, arguments: dict[str, object]) -> None:
    assert_conforms(BUILTINS[name], **arguments)


def test_conformance_of_wgan_gp_judges_its_penalty() -> None:
    """Not applicable would be a pass that says nothing."""
    status = {result.check: result.status for result in report_of("wgan-gp").results}
    judged = {"samples stay apart", "batch norm refused", "norms per sample", "one draw a sample"}
    judged |= {"penalty differentiable", "capturable", "randomness from batch.rng", "state in buffers"}
    assert {check for check in judged if status[check] is Status.PASS} == judged
    assert status["constraint holds"] is Status.NOT_APPLICABLE
    assert status["bound on linear layers"] is Status.NOT_APPLICABLE


def test_conformance_of_sn_gan_reports_the_operators_norm_of_convolutions() -> None:
    results = {result.check: result for result in report_of("sn-gan").results}
    assert results["constraint holds"].status is Status.PASS
    assert results["bound on linear layers"].status is Status.PASS
    assert results["bound on convolutions"].status is Status.NOT_APPLICABLE
    assert "convolutions by their operator; by the reshaped kernel" in results["bound on convolutions"].reason


def test_conformance_report_reads_as_text() -> None:
    class Inverted(Minimax):
        name = "inverted"

        def generator_loss(self, critic: nn.Module, batch: object) -> Tensor:
            return -super().generator_loss(critic, batch)  # pyright: ignore[reportArgumentType]

    report = check_objective(Inverted)
    lines = str(report).splitlines()
    assert lines[0] == "inverted (Inverted)"
    assert lines[1].split() == ["pass", "runs"]
    assert sum(line.startswith("  FAIL  generator approaches the data") for line in lines) == 1
    counts = [sum(result.status is status for result in report.results) for status in Status]
    assert lines[-1] == f"{counts[0]} passed, 1 failed, {counts[2]} not applicable"
    assert sum(counts) == len(CHECKS)
    assert all(len(str(result.reason).splitlines()) <= 1 for result in report.results)
    with pytest.raises(AssertionError, match="FAIL  generator approaches the data"):
        assert_conforms(Inverted)


def test_conformance_hands_arguments_to_the_constructor() -> None:
    seen: list[dict] = []

    def make(**arguments: object) -> Objective:
        seen.append(arguments)
        return Minimax(**arguments)  # pyright: ignore[reportArgumentType]

    check_objective(make, {"loss": "hinge"})
    assert seen[0] == {"loss": "hinge"}
    assert all(arguments == seen[0] for arguments in seen)
    with pytest.raises(BadInput, match="weight=-1"):
        check_objective(GradientPenalty, {"weight": -1})
    with pytest.raises(BadInput, match="unknown loss 'earth'"):
        assert_conforms(GradientPenalty, loss="earth")


def test_conformance_leaves_global_generators_and_threads_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state(), repr(np.random.get_state(legacy=False)), random.getstate(), torch.get_num_threads()
    check_objective(Minimax)
    assert torch.equal(before[0], torch.get_rng_state())
    after = repr(np.random.get_state(legacy=False)), random.getstate(), torch.get_num_threads()
    assert after == before[1:]


def test_conformance_names_the_line_of_the_objective_that_raises() -> None:
    class Divides(Minimax):
        def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            return critic(batch.real.new_zeros(2, 3)).mean()

    line = inspect.getsourcelines(Divides.critic_loss)[1] + 1
    reason = check_objective(Divides).failures[0].reason
    assert "RuntimeError: mat1 and mat2" in reason  # raised by torch, several calls below
    assert f"({__file__}:{line})" in reason


def test_conformance_computes_on_one_thread() -> None:
    seen, before = set[int](), torch.get_num_threads()

    class Looks(Minimax):
        def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            seen.add(torch.get_num_threads())
            raise RuntimeError("enough")

    torch.set_num_threads(2)
    try:
        check_objective(Looks)
        assert (seen, torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(before)


def test_conformance_says_the_same_twice() -> None:
    assert str(check_objective(SpectralNorm)) == str(report_of("sn-gan"))


def test_conformance_checks_an_objective_for_points_alone() -> None:
    class PointsOnly(Minimax):
        name = "points-only"

        def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
            return "points only" if len(shape) > 1 else None

    report = check_objective(PointsOnly)
    assert report.ok, str(report)
    reasons = {result.check: result for result in report.results}
    assert reasons["float64"].status is Status.PASS
    assert reasons["bound on convolutions"].reason == "points only"


CAPTURABLE: dict[str, Callable[[Batch], Tensor]] = {
    "arithmetic with the step": lambda batch: 0.9**batch.step * batch.real.mean(),
    "a move to the samples' device": lambda batch: batch.fake.to(batch.real.device).mean(),
    "a number": lambda batch: batch.real.mean() * torch.tensor(2.0),
    "a masked fill": lambda batch: _positive(batch.real.clone()).mean(),
    "repeats of a given number": lambda batch: batch.real.repeat_interleave(
        torch.ones(len(batch.real), dtype=torch.int64, device=batch.real.device), dim=0, output_size=len(batch.real)
    ).mean(),
    "an inverse without a check": lambda batch: torch.linalg.inv_ex(_identity(batch.real)).inverse.sum(),
}


def _positive(x: Tensor) -> Tensor:
    x[x < 0] = 0.0
    return x


def _identity(like: Tensor) -> Tensor:
    return torch.eye(3, dtype=like.dtype, device=like.device)


@pytest.mark.parametrize("kind", CAPTURABLE)
def test_conformance_capturable_passes_what_never_waits_for_the_device(kind: str) -> None:
    class Adds(Minimax):
        def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            return super().critic_loss(critic, batch) + CAPTURABLE[kind](batch)

        def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
            return super().generator_loss(critic, batch) + CAPTURABLE[kind](replace(batch, real=batch.fake))

    for setting in (trial.POINTS, trial.IMAGES):
        assert machine.capturable(Adds, setting).status is Status.PASS


LAYERS: list[Callable[[], nn.Module]] = [
    lambda: nn.Conv2d(2, 3, 3, 1, 1),
    lambda: nn.Conv2d(2, 5, 4, 2, 1, bias=False),
    lambda: nn.ConvTranspose2d(2, 3, 4, 2, 1),
]


@pytest.mark.parametrize("build", LAYERS, ids=["unit stride", "stride 2", "transposed"])
def test_conformance_operator_norm_equals_that_of_the_dense_matrix(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    layer = build().double()
    basis = torch.eye(2 * 6 * 6, dtype=torch.float64).view(-1, 2, 6, 6)
    with torch.no_grad():
        matrix = (layer(basis) - layer(torch.zeros_like(basis))).flatten(1).numpy()
    expected = np.linalg.svd(matrix, compute_uv=False)[0]
    assert operator_norm(layer, (2, 6, 6), 500) == pytest.approx(expected, rel=1e-3)
    weight = layer.weight
    assert isinstance(weight, Tensor)
    assert abs(expected - torch.linalg.matrix_norm(weight.flatten(1), 2).item()) > 0.05  # the reshaped kernel's differs
