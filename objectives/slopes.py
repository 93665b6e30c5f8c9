"""Slopes ‖∇f(x)‖ of a critic, per sample, and the points at which penalties measure them."""

from collections.abc import Callable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from .base import Batch
from .base import mixes_samples as mixes_samples  # where plug-ins look for it


def slopes(critic: nn.Module, x: Tensor, *, create_graph: bool = True) -> Tensor:
    """Euclidean norm of the critic's gradient at each sample.

    Args:
        critic: maps [B, …] to logits [B], each sample by itself.
        x: [B, …]; detached here.
        create_graph: whether the slopes can be differentiated once more.

    Returns:
        [B].
    """
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=create_graph)
    return gradient.flatten(1).norm(dim=1)


def _epsilon(batch: Batch) -> Tensor:
    # One ε per sample, broadcast over the sample's own dimensions.
    size = (len(batch.real),) + (1,) * (batch.real.dim() - 1)
    return torch.rand(size, generator=batch.rng, device=batch.real.device, dtype=batch.real.dtype)


def line(batch: Batch) -> Tensor:
    """εx + (1 − ε)G(z) on pairs as they come, i.e. random ones (Gulrajani et al. 2017, algorithm 1)."""
    return torch.lerp(batch.fake, batch.real, _epsilon(batch))


def ot_line(batch: Batch) -> Tensor:
    """The same with the pairs of an optimal transport (Euclidean cost) within the batch: exact, on the host."""
    real, fake = batch.real.flatten(1), batch.fake.flatten(1)
    # A diverged run has costs that are not numbers; whatever the pairs are then, the points stay NaN and are seen.
    cost = torch.cdist(real, fake).nan_to_num(nan=0.0, posinf=0.0)
    _, fake_of = linear_sum_assignment(cost.cpu().numpy())
    index = torch.as_tensor(fake_of, device=real.device)
    return torch.lerp(batch.fake[index], batch.real, _epsilon(batch))


def real(batch: Batch) -> Tensor:
    """The real samples themselves."""
    return batch.real


def fake(batch: Batch) -> Tensor:
    """The generated samples themselves."""
    return batch.fake


def noise(batch: Batch) -> Tensor:
    """Between a real sample and a noisy one: x + α·½·sd(x)·u, α ~ U(0, 1) per sample, u ~ U(0, 1) per coordinate.

    sd is over the batch and all dimensions, with divisor n. This is the authors' code (kodalinaveen3/DRAGAN); the
    paper has x + δ with δ ~ N(0, cI) (Kodali et al. 2017).
    """
    u = torch.rand(batch.real.shape, generator=batch.rng, device=batch.real.device, dtype=batch.real.dtype)
    return batch.real + _epsilon(batch) * 0.5 * batch.real.std(correction=0) * u


def box(batch: Batch) -> Tensor:
    """Uniform in the smallest box with sides along the axes that holds the batch's real and fake samples."""
    both = torch.cat([batch.real, batch.fake])
    low, high = both.amin(0), both.amax(0)
    u = torch.rand(batch.real.shape, generator=batch.rng, device=both.device, dtype=both.dtype)
    return torch.lerp(low.expand_as(u), high.expand_as(u), u)


POINTS: dict[str, Callable[[Batch], Tensor]] = {
    "line": line,
    "ot_line": ot_line,
    "real": real,
    "fake": fake,
    "noise": noise,
    "box": box,
}
