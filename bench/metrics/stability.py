"""Stability of a game in progress, measured on its networks: slopes, singular values, clipped weights, spread.

Everything here leaves networks, gradients and random streams as they were.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...objectives.layers import measurable, weighted
from ...objectives.slopes import slopes


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """The modules in eval mode: no running statistics move, no power iteration advances; each mode is put back."""
    modes = [(m, m.training) for module in modules for m in module.modules()]
    try:
        for module in modules:
            module.eval()
        yield
    finally:
        for m, training in modes:
            m.training = training


def gradient_norm(module: nn.Module) -> float | None:
    """Euclidean norm over all gradients that the last step left in the parameters; None before the first step."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients).item() if gradients else None


def weight_norm(module: nn.Module) -> float:
    """Euclidean norm over all parameters."""
    return torch.nn.utils.get_total_norm([p.detach() for p in module.parameters()]).item()


def critic_slopes(critic: nn.Module, real: Tensor, fake: Tensor, rng: torch.Generator) -> dict[str, float]:
    """Mean, sd and maximum of ‖∇D‖ on real and fake samples [n, …], and on random lines between them."""
    epsilon = torch.rand((len(real),) + (1,) * (real.dim() - 1), generator=rng, device=real.device, dtype=real.dtype)
    places = {"real": real, "fake": fake, "line": torch.lerp(fake, real, epsilon)}
    found: dict[str, float] = {}
    for place, x in places.items():
        with evaluating(critic):
            slope = slopes(critic, x, create_graph=False)
        found |= {
            f"slope_{place}_mean": slope.mean().item(),
            f"slope_{place}_sd": slope.std().item(),
            f"slope_{place}_max": slope.max().item(),
        }
    return found


def largest_pair_slope(values: Tensor, points: Tensor) -> float:
    """max |f_i − f_j| / ‖x_i − x_j‖ over all pairs of different points: the Lipschitz constant on this finite set.

    Args:
        values: [n], double precision.
        points: [n, …]; points that coincide are left out.
    """
    flat = points.flatten(1)
    # No matrix product: the expanded square loses the distances of near points.
    gaps = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    rises = (values[:, None] - values[None, :]).abs()
    return float((rises / gaps.masked_fill(gaps == 0, math.inf)).max())


def weighted_layers(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Name → weight as the layer uses it, for torch's linear and convolutional layers, parametrised or not.

    Those that a forward pass of x [n, …] calls. A layer of another class, or a module that takes the weight of a layer
    which it does not call, may normalise it in passing: what it multiplies by is not known.
    """
    with evaluating(module):  # to look at a spectrally normalised weight is one more power iteration otherwise
        layers = weighted(module)
        return {name: layers[name].weight.detach() for name in measurable(module, x)}


@torch.no_grad()
def singular_values(critic: nn.Module, x: Tensor) -> dict[str, float]:
    """Layer → largest singular value of its weight; a kernel is reshaped to [out, rest], as in SN-GAN.

    Args:
        critic: anything; its `weighted_layers` are measured, and there may be none.
        x: [n, …] inputs of it, of any value.
    """
    return {name: _sigma(weight) for name, weight in weighted_layers(critic, x).items()}


def _sigma(weight: Tensor) -> float:
    matrix = weight.flatten(1)
    if not bool(matrix.isfinite().all()):
        return float("nan")
    # By the smaller Gram matrix: a GPU's decomposition of a 512 × 2304 kernel takes longer than a CPU's.
    wide = matrix.double() if len(matrix) <= matrix.shape[1] else matrix.double().T
    return torch.linalg.eigvalsh(wide @ wide.T)[-1].clamp(min=0).sqrt().item()


@torch.no_grad()
def clipped_share(critic: nn.Module, clip: float) -> float:
    """Share of the trainable parameters within 1 % of ±c."""
    parameters = torch.cat([p.detach().flatten() for p in critic.parameters() if p.requires_grad])
    return ((parameters.abs() - clip).abs() <= 0.01 * clip).float().mean().item()


@torch.no_grad()
def weight_histograms(critic: nn.Module, x: Tensor, bins: int = 41) -> dict[str, dict[str, list[float]]]:
    """Layer → counts [bins] and edges [bins + 1] of its weights, symmetric about 0; only of finite weights.

    Of the same layers as `singular_values`, found with inputs x [n, …].
    """
    histograms = {}
    for name, kernel in weighted_layers(critic, x).items():
        weight = kernel.flatten().float().cpu()
        if not bool(weight.isfinite().all()):
            continue
        reach = max(weight.abs().max().item(), 1e-12)
        counts, edges = torch.histogram(weight, bins, range=(-reach, reach))
        histograms[name] = {"counts": counts.tolist(), "edges": edges.tolist()}
    return histograms


def mean_distance(x: Tensor) -> float:
    """Mean Euclidean distance between two different samples of x [n, …]."""
    return torch.pdist(x.flatten(1)).mean().item()
