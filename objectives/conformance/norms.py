"""Is the penalty one of a norm of each sample's gradient? Found out on critics whose slopes are known."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import error_line
from .report import CheckOutcome, failed, not_applicable, passed
from .trial import Game, Make, TrialSetting

NO_PENALTY = "there is no penalty"
SLOPES = (0.5, 8.0, 1000.0)  # the last lies beyond the targets that are in use
STEEP = 1e5  # beside which a target is nothing

Price = Callable[[float, Tensor], float]  # of slope a everywhere, in a batch of equal samples x [1, …]


class Cone(nn.Module):
    """f(x) = a‖x‖: of slope a everywhere, in every direction; of another slope b where x·axis < 0.

    Args:
        a: the slope.
        b: the other one; a where none is given.
        axis: of the shape of a sample; any where there is no b.
    """

    axis: Tensor

    def __init__(self, a: float, b: float | None = None, axis: Tensor | None = None) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.tensor([a, a if b is None else b]))
        self.register_buffer("axis", torch.ones(()) if axis is None else axis.flatten())

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(1)
        return torch.where((rows * self.axis).sum(1) < 0, self.slopes[1], self.slopes[0]) * rows.norm(dim=1)


def norms_per_sample(make: Make, setting: TrialSetting) -> CheckOutcome:
    """On a critic of one slope everywhere the penalty depends on that slope alone, and is not less for the steepest.

    Another norm than Euclid's may make another slope of it, for each direction of the gradient.
    """
    if unsuited := no_cones(make, setting):
        return not_applicable(unsuited)
    paid = []
    for slope in SLOPES:
        same = setting.centre.expand(32, *setting.shape)
        paid.append(price_of(make, setting, Cone(slope), same))
        if not close(paid[-1], price_of(make, setting, Cone(slope), same, seed=1)):
            return not_applicable("the penalty of equal samples depends on the draw, so batches cannot be compared")
        differs = _differs_between_batches(make, setting, slope, paid[-1])
        if differs:
            return failed(f"slope {slope:g} everywhere, yet {paid[-1]:.4g} for 32 equal samples and {differs}")
    if paid[-1] < paid[0] and not close(paid[-1], paid[0]):
        fall = f"from {paid[0]:.4g} at slope {SLOPES[0]:g} to {paid[-1]:.4g} at slope {SLOPES[-1]:g}"
        return failed(f"the penalty falls {fall}: is its sign wrong?")
    if not any(paid):
        return not_applicable(f"the penalty is zero for slopes up to {SLOPES[-1]:g}")
    wrong = _of_coordinates(make, setting, paid)
    return failed(wrong) if wrong else passed()


def no_cones(make: Make, setting: TrialSetting) -> str | None:
    """Why the penalty cannot be judged on cones, or None."""
    if not Game(make, setting).penalised():
        return NO_PENALTY
    refusal = make().skip_reason(Cone(1.0), setting.shape)
    if refusal:
        return f"a critic of one slope everywhere is refused: {refusal}"
    try:
        price_of(make, setting, Cone(1.0), setting.centre[None])
    except Exception as error:  # whatever: it passed with an ordinary critic
        return f"a critic of one slope everywhere, which has no layers, is too much for it ({error_line(error)})"
    return None


def price_of(make: Make, setting: TrialSetting, critic: nn.Module, x: Tensor, seed: int = 0) -> float:
    """The penalty on this critic where real and fake samples are both x [B, …]."""
    game = Game(make, setting, critic)
    game.rng.manual_seed(seed)
    return game.still_step(game.constant_batch(x.clone(), x.clone()))["penalty"].item()


def close(a: float, b: float) -> bool:
    """Whether two penalties are equal but for rounding."""
    return abs(a - b) <= 1e-3 * max(abs(a), abs(b)) + 1e-6


def _differs_between_batches(make: Make, setting: TrialSetting, slope: float, expected: float) -> str | None:
    """A penalty that is not the expected one, that of 32 equal samples, and where; None if there is none."""
    point = setting.centre[None]
    for x, where in (
        (point.expand(2, *setting.shape), "2 equal samples"),
        (point.expand(7, *setting.shape), "7"),
        (torch.cat([point, -point] * 16), "32 of two opposite gradients"),
    ):
        value = price_of(make, setting, Cone(slope), x)
        if not close(expected, value):
            return f"{value:.4g} for {where}"
    return None


def _of_coordinates(make: Make, setting: TrialSetting, paid: list[float]) -> str | None:
    """Whether the penalty is rather one of single coordinates or pixels, and how that shows; or None."""
    alone = torch.zeros(1, *setting.shape)
    alone.view(-1)[0] = setting.centre.norm()
    of_one = [price_of(make, setting, Cone(slope), alone) for slope in SLOPES]
    if not _stretched(lambda slope, x: price_of(make, setting, Cone(slope), x), setting.centre[None], alone):
        at = f"at slope {SLOPES[0]:g} {paid[0]:.4g} for gradients in many coordinates, {of_one[0]:.4g} for those in one"
        return f"it is made of no norm of a sample's gradient ({at}): is it one of each pixel or channel?"
    larger = torch.cat([alone, torch.zeros_like(alone)], dim=-1)
    wide = replace(setting, centre=larger[0])
    of_wide = [price_of(make, wide, Cone(slope), larger) for slope in SLOPES]
    if all(close(small, 2 * large) for small, large in zip(of_one, of_wide, strict=True)):
        return "it is halved where samples have twice as many coordinates: is it a mean over them, instead of a norm?"
    return None


def _stretched(price: Price, x: Tensor, y: Tensor) -> bool:
    """Whether gradients along y cost what those along x do at c times the slope, c = N(y)/N(x) for a norm N."""
    far = price(STEEP, x), price(2 * STEEP, x), price(STEEP, y)
    if not all(0 < value < math.inf for value in far) or far[0] == far[1]:
        return True  # it grows too fast or stops growing: cannot be told
    c = (far[2] / far[0]) ** (1 / math.log2(far[1] / far[0]))
    return all(close(price(slope, y), price(c * slope, x)) for slope in SLOPES)
