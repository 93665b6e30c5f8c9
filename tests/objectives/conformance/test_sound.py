"""Sound objectives that a strict kit might refuse: it passes them, or says that it cannot judge."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import R1, BadInput, Batch, GradientPenalty, LayerNorm, Minimax, Objective, SpectralNorm
from lipbench.objectives.conformance import (
    Status,
    assert_conforms,
    basics,
    check_objective,
    gradients,
    norms,
    penalty,
    samples,
    trial,
)
from lipbench.objectives.slopes import POINTS


class Steep(GradientPenalty):
    """Penalties of other norms and aggregations that are sound (Jolicoeur-Martineau and Mitliagkas 2019)."""

    def __init__(self, kind: str = "") -> None:
        super().__init__()
        self.kind = kind

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        x = POINTS["line"](batch).requires_grad_(True)
        rows = torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0].flatten(1)
        slopes = {
            "largest coordinate": rows.abs().amax(1),
            "sum of coordinates": rows.abs().sum(1),
            "largest of the batch": rows.norm(dim=1).amax(0, keepdim=True),
        }[self.kind]
        return 10 * (slopes - 1).square().mean()


@pytest.mark.parametrize("check", [norms.norms_per_sample, samples.every_sample_counts])
@pytest.mark.parametrize("kind", ["largest coordinate", "sum of coordinates", "largest of the batch"])
def test_conformance_passes_other_norms_of_samples_and_their_largest(kind: str, check: Callable) -> None:
    for setting in (trial.POINTS, trial.IMAGES):
        assert check(partial(Steep, kind), setting).status is Status.PASS


class LargestLogits(Minimax):
    """The generator learns from the better half of its samples (Sinha et al. 2020)."""

    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        logits = critic(batch.fake)
        return -logits.topk((len(logits) + 1) // 2).values.mean()


def test_conformance_passes_losses_of_the_largest_logits() -> None:
    assert samples.every_sample_counts(LargestLogits, trial.POINTS).status is Status.PASS


class NeedsTwo(Minimax):
    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        if len(batch.real) < 2:
            raise BadInput("needs two samples")
        return super().critic_loss(critic, batch) + 0.1 * critic(batch.real).var()


def test_conformance_lets_an_objective_refuse_a_batch_of_one() -> None:
    for check in (basics.finite_scalars, gradients.finite_gradients):
        assert check(NeedsTwo, trial.POINTS).status is Status.PASS


def test_conformance_passes_a_penalty_with_a_target_beyond_most_slopes() -> None:
    """It falls from slope 0.5 to slope 8, and has the right sign."""

    def make() -> Objective:
        return GradientPenalty(target=20.0)

    assert norms.norms_per_sample(make, trial.POINTS).status is Status.PASS


class SpectralR1(R1):
    """One power iteration a step, whatever the number of forward passes."""

    name = "spectral-r1"

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        return SpectralNorm().prepare_critic(critic)


class NormalisedR1(R1):
    name = "layer-norm-r1"

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        return LayerNorm().skip_reason(critic, shape) or super().skip_reason(critic, shape)

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        return LayerNorm().prepare_critic(critic)


@pytest.mark.parametrize("combined", [SpectralR1, NormalisedR1])
def test_conformance_passes_a_penalty_on_a_prepared_critic(combined: type[Objective]) -> None:
    assert_conforms(combined)


class LeCam(Objective):
    """A penalty on logits, not on slopes (Tseng et al. 2021, equation 8): sound with batch norm, and in bfloat16."""

    name, reference = "lecam", "arXiv:2104.03310"
    penalty_allows_batch_norm = True
    real_anchor: Tensor
    fake_anchor: Tensor

    def __init__(self, *, weight: float = 0.3) -> None:
        super().__init__(loss="hinge")
        self.weight = weight
        self.register_buffer("real_anchor", torch.zeros(()))
        self.register_buffer("fake_anchor", torch.zeros(()))

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
        real, fake = critic(batch.real), critic(batch.fake)
        with torch.no_grad():
            self.real_anchor.lerp_(real.mean(), 0.01)
            self.fake_anchor.lerp_(fake.mean(), 0.01)
        return self.weight * ((real - self.fake_anchor).square().mean() + (fake - self.real_anchor).square().mean())


def test_conformance_lets_a_penalty_on_logits_have_batch_norm() -> None:
    results = {result.check: result for result in check_objective(LeCam).results}
    assert not [check for check, result in results.items() if result.status is Status.FAIL]
    assert results["batch norm refused"].reason == "the penalty takes no slopes of the critic"
    assert results["state in buffers"].status is results["autocast"].status is Status.PASS


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")  # torch's own, in jvp
@pytest.mark.parametrize("forward", [False, True])
def test_conformance_knows_slopes_however_they_are_taken(forward: bool) -> None:
    class Slopes(Minimax):
        penalty_allows_batch_norm = True

        def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
            x = batch.real
            if forward:
                return torch.func.jvp(critic, (x,), (torch.ones_like(x),))[1].square().mean()
            return torch.func.grad(lambda y: critic(y).sum())(x).square().mean()

    assert penalty.batch_norm_refused(Slopes, trial.POINTS).status is Status.FAIL


def test_conformance_does_not_blame_a_penalty_for_a_critic_without_layers() -> None:
    class OnTheHead(GradientPenalty):
        def penalty(self, critic: nn.Module, batch: Batch) -> Tensor:
            weights = [p for p in critic.parameters() if p.dim() > 1]
            return super().penalty(critic, batch) + 0.1 * weights[-1].square().sum()

    found = norms.norms_per_sample(OnTheHead, trial.POINTS)
    assert found.status is Status.NOT_APPLICABLE
    assert "has no layers, is too much for it (IndexError" in found.reason


def test_conformance_differentiates_a_penalty_close_to_a_kink() -> None:
    """Within 1e-4 of this critic's weights a sample crosses one, where R1 jumps."""
    assert penalty.penalty_is_differentiable(NormalisedR1, trial.IMAGES).status is Status.PASS
