"""Does the constraint hold after every critic step and for every layer, and is the claimed Lipschitz bound kept?"""

import math
from collections.abc import Container, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrize import ParametrizationList

from ..base import Objective
from ..layers import NORMS, measurable, weighted
from ..slopes import slopes
from .report import CheckOutcome, failed, not_applicable, passed
from .trial import Game, Make, TrialSetting

TOLERANCE = 1.05  # one power iteration a step follows the norm at a small distance
NEAR = 0.2  # samples that all but overlap ask for slopes beyond any bound near 1


def constraint_holds(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Optimiser and `constrain_` alone change the critic; `constrain_` reaches every weight and leaves it in bounds."""
    game = Game(make, setting)
    constrains = type(game.objective).constrain_ is not Objective.constrain_
    layers = weighted(game.critic)
    parametrized = [name for name, layer in layers.items() if parametrize.is_parametrized(layer, "weight")]
    outcomes = [_changes_elsewhere(make, setting)]
    if constrains:
        outcomes += [_still_in_bounds(make, setting), _reaches_every_weight(make, setting)]
    if parametrized:
        outcomes.append(_parametrizes_every_layer(game, parametrized))
    broken = [reason for reason in outcomes if reason]
    if broken:
        return failed("; ".join(broken))
    return passed() if constrains or parametrized else not_applicable("the critic's weights are not constrained")


def _changes_elsewhere(make: Make, setting: TrialSetting) -> str | None:
    """A step of length zero must leave exactly what `constrain_` makes of the critic."""
    expected, game = Game(make, setting), Game(make, setting)
    with torch.no_grad():
        expected.objective.constrain_(expected.critic)
    game.still_step()
    for (name, one), other in zip(game.critic.named_parameters(), expected.critic.parameters(), strict=True):
        if not torch.equal(one, other):
            return f"the loss or the penalty changes the critic's {name}: constrain it in constrain_, after the step"
    return None


def _still_in_bounds(make: Make, setting: TrialSetting) -> str | None:
    """After critic steps of some length, `constrain_` must have nothing left to do."""
    game = Game(make, setting)
    optimizer = game.adam(0.05, game.critic)
    for _ in range(7):
        game.critic_step(optimizer=optimizer)
        before = [parameter.detach().clone() for parameter in game.critic.parameters()]
        with torch.no_grad():
            game.objective.constrain_(game.critic)
        for (name, after), was in zip(game.critic.named_parameters(), before, strict=True):
            if (after - was).abs().max() > 0.01 * was.abs().max():
                return f"after a critic step {name} is out of bounds: constrain_ applied again changes it"
    return None


def _reaches_every_weight(make: Make, setting: TrialSetting) -> str | None:
    """A weight made a million times larger must not come out of `constrain_` unchanged; biases are free to."""
    norm = "none" if make().skip_reason(setting.critic("layer"), setting.shape) else "layer"
    game = Game(make, setting, setting.critic(norm))
    free = []
    for name, parameter in game.critic.named_parameters():
        if name.rpartition(".")[2] == "bias" or not parameter.requires_grad:
            continue
        with torch.no_grad():
            parameter.mul_(1e6)
            large = parameter.clone()
            game.objective.constrain_(game.critic)
        if torch.equal(parameter, large):
            layer = game.critic.get_submodule(name.rpartition(".")[0])
            free.append(f"{name} (of a {type(layer).__name__})")
    if not free:
        return None
    where = "" if norm == "none" else " in a critic with layer norm, which skip_reason may refuse"
    return f"constrain_ leaves {', '.join(free)} unconstrained{where}"


def _parametrizes_every_layer(game: Game, parametrized: list[str]) -> str | None:
    free = [name for name in weighted(game.critic) if name not in parametrized]
    return f"the weights of {', '.join(free)} are not parametrised, those of the other layers are" if free else None


def _steepened(game: Game) -> Game:
    """Trains the critic at the largest rate of the published recipes."""
    optimizer = game.adam(1e-3, game.critic)
    for _ in range(100):
        game.critic_step(optimizer=optimizer)
    return game


def _settled(game: Game) -> Game:
    """Lets the constraint catch up with the critic: power iterations follow a moving weight at some distance."""
    for _ in range(50):
        game.still_step()
    return game


def _largest_slope(game: Game) -> float:
    batch = game.batch(128)
    far = 3 * torch.randn(128, *game.centre.shape, generator=game.data)
    x = torch.cat([batch.real, batch.fake, torch.lerp(batch.real, batch.fake, 0.5), far])
    with parametrize.cached():
        return slopes(game.critic, x, create_graph=False).max().item()


def bound_on_linear_layers(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Measured slopes of a trained critic of linear layers keep the claimed bound."""
    game = Game(make, setting, side=NEAR)
    bound = game.objective.lipschitz_bound
    if bound is None:
        return not_applicable("no lipschitz_bound is claimed")
    largest = _largest_slope(_steepened(game))
    said = f"largest slope {largest:.3g}, claimed bound {bound:g}"
    return passed(said) if largest <= TOLERANCE * bound else failed(said)


def bound_on_convolutions(make: Make, setting: TrialSetting) -> CheckOutcome:
    """The same with convolutions; that only a convolution's operator breaks the bound is reported, no failure."""
    game = Game(make, setting, side=NEAR)
    bound = game.objective.lipschitz_bound
    if bound is None:
        return not_applicable("no lipschitz_bound is claimed")
    largest, limit = _largest_slope(_steepened(game)), TOLERANCE * bound
    said = f"largest slope {largest:.3g}, claimed bound {bound:g}"
    inputs = measurable(_settled(game).critic, game.batch(1).real)
    if own := _unmeasurable(game.critic, inputs):  # a slope beyond the bound refutes it all the same
        said += f" ({', '.join(own)}: of another class than torch's layers, norm not known)"
        return passed(said) if largest <= limit else failed(said)
    matrices, operators = _norms(game.critic, inputs)
    said += f", product of the layers' norms {operators:.3g}"
    if max(largest, operators) <= limit:
        return passed(said)
    if largest > limit and matrices > limit:
        return failed(said)
    return not_applicable(f"{said} (convolutions by their operator; by the reshaped kernel {matrices:.3g})")


def _unmeasurable(critic: nn.Module, measured: Container[str]) -> list[str]:
    """Names of the other modules with a weight: no layers of torch's, or ones that the forward pass goes around."""
    parts = {
        part for module in critic.modules() if isinstance(module, ParametrizationList) for part in module.modules()
    }
    return [
        name
        for name, module in critic.named_modules()
        if module not in parts
        and not isinstance(module, NORMS)
        and name not in measured
        and any(p.dim() >= 2 for p in module.parameters(recurse=parametrize.is_parametrized(module)))
    ]


@torch.no_grad()
def _norms(critic: nn.Module, inputs: Mapping[str, torch.Size]) -> tuple[float, float]:
    """Products over these layers: of the reshaped weights' norms, and with those of the convolutions' operators."""
    matrices, operators = [], []
    for name, shape in inputs.items():
        layer = critic.get_submodule(name)
        weight = layer.weight
        assert isinstance(weight, Tensor)
        output_first = weight.transpose(0, 1) if getattr(layer, "transposed", False) else weight
        matrix = torch.linalg.matrix_norm(output_first.flatten(1), 2).item()
        matrices.append(matrix)
        operators.append(matrix if isinstance(layer, nn.Linear) else operator_norm(layer, shape[1:]))
    return math.prod(matrices), math.prod(operators)


def operator_norm(layer: nn.Module, shape: torch.Size | tuple[int, ...], iterations: int = 100) -> float:
    """Largest singular value of a linear or convolutional layer as a map of inputs of that shape, without its bias.

    By power iteration on the layer itself (Sedghi et al. 2019 compare it with the reshaped kernel's norm).

    Args:
        layer: maps [1, *shape] to anything, affinely.
        shape: of one input, [C, H, W] for a convolution.
        iterations: applications of the layer and its adjoint.
    """
    parameter = next(layer.parameters())
    rng = torch.Generator(parameter.device).manual_seed(0)
    v = torch.randn(1, *shape, generator=rng, device=parameter.device, dtype=parameter.dtype)
    norm = v.norm()
    with torch.enable_grad(), parametrize.cached():
        at_zero = layer(torch.zeros_like(v)).detach()
        for _ in range(iterations):
            x = (v / v.norm()).requires_grad_(True)
            y = layer(x) - at_zero
            norm = y.detach().norm()
            (v,) = torch.autograd.grad(y, x, y.detach())
    return norm.item()
