"""Gradient normalisation against closed forms and numerical differentiation."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import GradientNormalisation, critic_step, generator_step


def smooth_critic() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0)).double()


def gradient(critic: nn.Module, x: Tensor) -> np.ndarray:
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad(critic(x).sum(), x)[0].numpy()


def test_gradient_normalisation_of_a_linear_critic_has_a_closed_form(make_batch) -> None:
    x, plain = make_batch().real, nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)).double()
    plain[0].weight.data = torch.tensor([[2.0, -3.0, 6.0]], dtype=torch.float64)
    f = x.numpy() @ [2.0, -3.0, 6.0] + plain[0].get_parameter("bias").item()
    expected = f / (7 + np.abs(f))
    np.testing.assert_allclose(GradientNormalisation().prepare_critic(plain)(x).detach().numpy(), expected)


def test_gradient_normalisation_of_images_takes_the_norm_over_all_pixels(make_batch) -> None:
    x, plain = make_batch(8, (2, 4, 4)).real, nn.Sequential(nn.Flatten(), nn.Linear(32, 1), nn.Flatten(0)).double()
    f = plain(x)
    expected = f / (plain[1].get_parameter("weight").norm() + f.abs())
    torch.testing.assert_close(GradientNormalisation().prepare_critic(plain)(x), expected)


def test_gradient_normalisation_has_the_slope_of_the_theorem(make_batch, make_critic) -> None:
    x, plain = make_batch().real, make_critic()
    n, f = np.linalg.norm(gradient(plain, x), axis=1), plain(x).detach().numpy()
    slopes = np.linalg.norm(gradient(GradientNormalisation().prepare_critic(plain), x), axis=1)
    np.testing.assert_allclose(slopes, (n / (n + np.abs(f))) ** 2)
    assert slopes.max() <= 1


def test_gradient_normalisation_is_differentiated_through_the_gradient_itself(make_batch) -> None:
    """Central differences in the input and in every weight, on a critic with curvature."""
    critic = GradientNormalisation().prepare_critic(smooth_critic())
    names, values = zip(*critic.named_parameters(), strict=True)

    def logits(x: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(critic, dict(zip(names, parameters, strict=True)), (x,))

    x = make_batch(4).real.requires_grad_(True)
    assert torch.autograd.gradcheck(logits, (x, *values))


def test_gradient_normalisation_trains_critic_and_generator(make_batch, make_critic) -> None:
    objective = GradientNormalisation()
    critic, generator = objective.prepare_critic(make_critic()), nn.Linear(2, 3).double()
    start = [p.detach().clone() for p in critic.parameters()]
    critic_step(objective, critic, make_batch(), torch.optim.SGD(critic.parameters(), lr=0.1))
    trained = [p.detach().clone() for p in critic.parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(start, trained, strict=True))
    latent = torch.randn(64, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.0)
    generator_step(objective, generator, critic, latent, make_batch(), optimizer)
    assert all(torch.equal(a, b) for a, b in zip(trained, critic.parameters(), strict=True))
    moved = []
    for h in (1e-6, -1e-6):
        generator.bias.data[0] += h
        moved.append(-critic(generator(latent)).mean().item())
        generator.bias.data[0] -= h
    assert generator.bias.grad is not None
    assert generator.bias.grad[0].item() == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradient_normalisation_evaluates_without_gradients(mode: type, make_batch, make_critic) -> None:
    x, critic = make_batch().real, GradientNormalisation().prepare_critic(make_critic())
    expected = critic(x).detach()
    with mode():
        logits = critic(x.clone())
    assert not logits.requires_grad
    torch.testing.assert_close(logits, expected)


def test_gradient_normalisation_leaves_its_input_alone(make_batch, make_critic) -> None:
    x, critic = make_batch().real, GradientNormalisation().prepare_critic(make_critic())
    critic(x).sum().backward()
    assert not x.requires_grad and x.grad is None


def test_gradient_normalisation_is_computed_in_full_precision_under_autocast(make_batch, make_critic) -> None:
    critic = GradientNormalisation().prepare_critic(make_critic(dtype=torch.float32))
    x = make_batch(dtype=torch.float32).real.bfloat16()
    expected = critic(x.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(critic(x), expected, rtol=1e-5, atol=0)


def test_gradient_normalisation_shows_the_layers_inside(make_critic) -> None:
    plain = make_critic()
    prepared = GradientNormalisation().prepare_critic(plain)
    assert set(plain.modules()) < set(prepared.modules())
    assert list(prepared.parameters()) == list(plain.parameters())


def test_gradient_normalisation_claims_its_bound_for_piecewise_linear_critics_alone(make_critic) -> None:
    kept, dropped = GradientNormalisation(), GradientNormalisation()
    kept.prepare_critic(make_critic())
    dropped.prepare_critic(smooth_critic())
    assert (kept.lipschitz_bound, dropped.lipschitz_bound) == (1.0, None)
    dropped.prepare_critic(make_critic())
    assert dropped.lipschitz_bound == 1.0, "the next critic is judged by itself"


def test_gradient_normalisation_skips_batch_norm() -> None:
    critic = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
    assert "batch norm" in str(GradientNormalisation().skip_reason(critic, (3,)))
