"""How steep a critic is, and how steep its weights allow it to be. Measurements only; nothing here trains."""

import math

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from ....objectives.layers import measurable
from ....objectives.slopes import slopes
from ...metrics.stability import largest_pair_slope
from ..engine.contract import Row


def largest_gradient(critic: nn.Module, *points: Tensor) -> float:
    """max ‖∇f(x)‖ over samples x [n, …], a lower bound of the Lipschitz constant."""
    return max(float(slopes(critic, x, create_graph=False).max()) for x in points)


def steepest(critic: nn.Module, real: Tensor, fake: Tensor) -> float:
    """The largest slope found: gradients at samples and halfway between, and difference quotients of all pairs."""
    both = torch.cat([real, fake])
    with torch.no_grad():
        values = critic(both)
    return max(largest_gradient(critic, both, 0.5 * (real + fake)), largest_pair_slope(values, both))


def gradients(critic: nn.Module, x: Tensor) -> Tensor:
    """∇f at samples x [n, …], flattened to [n, d]."""
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(x).sum(), x)
    return gradient.flatten(1)


def coupled_lines(real: Tensor, fake: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """A point at a uniform place on each line of an optimal coupling (Euclidean cost), and the direction to the real.

    Args:
        real: [n, d].
        fake: [n, d].
        rng: draws the places.

    Returns:
        Points [n, d] and unit directions [n, d], from the generated sample to the real one it is coupled with.
    """
    _, of = linear_sum_assignment(cdist(real.numpy(), fake.numpy()))
    start = fake[torch.as_tensor(of)]
    places = torch.rand(len(real), 1, generator=rng, dtype=real.dtype)
    return torch.lerp(start, real, places), F.normalize(real - start, dim=1)


def dual(critic: nn.Module, real: Tensor, fake: Tensor) -> tuple[float, float]:
    """(E f(real) − E f(fake), the largest slope over all pairs of these points).

    Their ratio is at most the W1 between the two samples, whatever f is (Kantorovich–Rubinstein on a finite set).
    """
    with torch.no_grad():
        f_real, f_fake = critic(real), critic(fake)
    slope = largest_pair_slope(torch.cat([f_real, f_fake]), torch.cat([real, fake]))
    return float(f_real.mean() - f_fake.mean()), slope


def layer_norms(critic: nn.Module, shape: tuple[int, ...]) -> dict[str, float]:
    """Name → operator norm of each linear layer and convolution (zero padding), on the inputs that they have.

    Args:
        critic: a chain of layers, in eval mode.
        shape: of one sample.
    """
    inputs = measurable(critic, next(critic.parameters()).new_zeros(1, *shape))
    return {name: _norm(critic.get_submodule(name), tuple(size[1:])) for name, size in inputs.items()}


def reshaped_norms(critic: nn.Module) -> dict[str, float]:
    """Name → largest singular value of each weight as a matrix [out, rest], which is what SN-GAN normalises."""
    return {
        name: float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2))
        for name, layer in critic.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    }


def layers(critic: nn.Module, shape: tuple[int, ...]) -> list[Row]:
    """A row a layer of a critic in eval mode: that is how it is used outside training steps."""
    matrices, operators = reshaped_norms(critic), layer_norms(critic, shape)
    rows: list[Row] = []
    for place, (name, operator) in enumerate(operators.items()):
        kind = _kind(critic.get_submodule(name))
        rows.append({"layer": place, "kind": kind, "sigma": matrices[name], "operator": operator})
    return rows


def lost_layers(critic: nn.Module) -> list[Row]:
    """As `layers`, of a critic whose weights are no numbers: `sigma` is infinite, and there is no `operator`."""
    found = (layer for layer in critic.modules() if isinstance(layer, nn.Linear | nn.Conv2d))
    return [{"layer": place, "kind": _kind(layer), "sigma": math.inf} for place, layer in enumerate(found)]


def _kind(layer: nn.Module) -> str:
    return "convolution" if isinstance(layer, nn.Conv2d) else "linear"


def product(norms: dict[str, float]) -> float:
    """∏‖W‖₂: a Lipschitz bound of a chain of these layers with activations of slope at most 1."""
    return math.prod(norms.values())


def clipping_bound(critic: nn.Module, clip: float) -> float:
    """The bound that c and the architecture give before any training: ∏ c·√(inputs·outputs), by Frobenius norms.

    A convolution is a sum over the places of its kernel of a shift (norm at most 1) followed by a matrix; so it has
    that bound once for each place.
    """
    weights = [layer.weight for layer in critic.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return math.prod(clip * math.prod(w.shape[2:]) * math.sqrt(w.shape[0] * w.shape[1]) for w in weights)


def convolution_norm(layer: nn.Conv2d, shape: tuple[int, ...], tolerance: float = 1e-9, limit: int = 5000) -> float:
    """The operator norm ‖x ↦ W∗x‖₂ of a convolution without its bias, by power iteration on the convolution itself.

    Gouk et al. 2021, algorithm 2. It depends on the size of the input, and may be up to √(kernel places) times the
    norm of the reshaped kernel. The iteration rises to the norm from below.

    Args:
        layer: with zero padding.
        shape: (C, H, W) of the input.
        tolerance: the relative rise in a step at which it ends.
        limit: of steps.
    """
    weight = layer.weight.detach().double()

    def convolve(x: Tensor) -> Tensor:
        return F.conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)

    x = torch.randn((1, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(weight.device)
    found = 0.0
    for _ in range(limit):
        x = x / x.norm()
        y, transposed = torch.func.vjp(convolve, x)  # pyright: ignore[reportAssignmentType]
        before, found = found, float(y.norm())
        if found - before <= tolerance * found:
            break
        (x,) = transposed(y)
    return found


def _norm(layer: nn.Module, shape: tuple[int, ...]) -> float:
    if isinstance(layer, nn.Conv2d):
        return convolution_norm(layer, shape)
    assert isinstance(layer, nn.Linear)
    return float(torch.linalg.matrix_norm(layer.weight.detach().double(), 2))
