"""Does the penalty keep samples apart, with a draw for each, and does its gradient reach the critic?"""

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.utils import parametrize

from .norms import NO_PENALTY
from .report import CheckOutcome, failed, not_applicable, passed
from .trial import Game, Make, TrialSetting

REFUSE = "leave penalty_allows_batch_norm False, and let a skip_reason of your own ask super() too"
SCALES = (1.0, 2.0, 4.0)  # of the critic: a one-sided penalty is zero until slopes are large enough
STEP = 1e-6  # of differences, in the critic's size: a penalty jumps where a sample crosses a kink of an activation


def samples_stay_apart(make: Make, setting: TrialSetting) -> CheckOutcome:
    """A penalty on samples needs logits per sample: the prepared critic has nothing like batch norm in it."""
    excused = _looks_at_no_samples(make, setting)
    if excused:
        return not_applicable(excused)
    game = Game(make, setting)
    x = game.batch(8).real
    changed = torch.cat([x[:1], x[1:] + 1])
    with parametrize.cached():  # a power iteration between the two would change the critic
        one, other = game.critic(x)[0], game.critic(changed)[0]
    if not torch.allclose(one, other, rtol=1e-4, atol=1e-6):
        return failed("the prepared critic's logit of a sample depends on the other samples of the batch")
    return passed()


def batch_norm_refused(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Nor does an objective of slopes accept a critic that comes with batch norm."""
    excused = _looks_at_no_samples(make, setting)
    if excused:
        return not_applicable(excused)
    if not _takes_slopes(make, setting):
        return not_applicable("the penalty takes no slopes of the critic")
    if make().skip_reason(setting.critic("batch"), setting.shape) is None:
        return failed(f"a slope per sample is undefined there: {REFUSE}")
    return passed()


def _looks_at_no_samples(make: Make, setting: TrialSetting) -> str | None:
    if not Game(make, setting).penalised():
        return NO_PENALTY
    if all(_penalty(make, setting, scale, 0) == _penalty(make, setting, scale, 1) for scale in SCALES):
        return "the penalty does not look at samples"
    return None


def _takes_slopes(make: Make, setting: TrialSetting) -> bool:
    """Whether the critic sees samples by which something is differentiated, backward or forward."""
    game, seen = Game(make, setting), []

    def look(critic: nn.Module, args: tuple[Tensor, ...]) -> None:
        tangent = forward_ad.unpack_dual(args[0]).tangent
        seen.append(args[0].requires_grad or tangent is not None)

    game.critic.register_forward_pre_hook(look)
    game.still_step()
    return any(seen)


def _penalty(make: Make, setting: TrialSetting, scale: float, seed: int) -> float:
    game = Game(make, setting, scale=scale)
    game.data.manual_seed(seed)
    return game.still_step()["penalty"].item()


def one_draw_a_sample(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Where equal samples reach the critic changed at random, each is changed by a draw of its own."""
    n = 16
    first, second = (_what_the_critic_sees(make, setting, n, seed) for seed in (0, 1))
    if len(first) != len(second):
        return not_applicable("how often the critic is called depends on the draw")
    drawn = 0
    for one, other in zip(first, second, strict=True):
        for rows, others in zip(one.split(n), other.split(n), strict=True):
            random = rows[(rows != others).flatten(1).any(1)]
            drawn += len(random)
            if len(random) > 1 and len(random.unique(dim=0)) == 1:
                return failed("one random draw serves the whole batch: draw for each sample")
    return passed() if drawn else not_applicable("what the critic sees does not depend on a draw")


def _what_the_critic_sees(make: Make, setting: TrialSetting, n: int, seed: int) -> list[Tensor]:
    game, seen = Game(make, setting), []
    game.rng.manual_seed(seed)
    game.critic.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    batch = game.constant_batch(*(sign * setting.centre.expand(n, *setting.shape) for sign in (1, -1)))
    game.still_step(batch)
    return seen


def penalty_is_differentiable(make: Make, setting: TrialSetting) -> CheckOutcome:
    """The penalty's gradient with respect to the critic agrees with what the penalty does along it."""
    if not Game(make, setting).penalised():
        return not_applicable(NO_PENALTY)
    for scale in SCALES:
        if _precise(make, setting, scale).still_step()["penalty"] != 0:
            return _against_differences(make, setting, scale)
    return not_applicable("the penalty is zero, also for a critic scaled by 4")


def _precise(make: Make, setting: TrialSetting, scale: float) -> Game:
    return Game(make, setting, scale=scale, dtype=torch.float64)  # in which so short a step can be told


def _against_differences(make: Make, setting: TrialSetting, scale: float) -> CheckOutcome:
    gradient = _penalty_gradient(make, setting, scale)
    norm = torch.cat([g.flatten() for g in gradient]).norm().item()
    if norm == 0:
        rng = torch.Generator().manual_seed(0)
        way = [torch.randn(g.shape, generator=rng) for g in gradient]
        if _slope_along(make, setting, scale, way) == 0:
            return not_applicable("the penalty does not depend on the critic")
        return failed("no gradient from the penalty to the critic: is create_graph=True missing?")
    measured = _slope_along(make, setting, scale, gradient)
    # A constant factor held fixed on purpose may change the slope a little, a missing second derivative does so a lot.
    if not 0.5 * norm < measured < 2 * norm:
        return failed(f"along its gradient of norm {norm:.3g} the penalty changes by {measured:.3g} per unit length")
    return passed()


def _penalty_gradient(make: Make, setting: TrialSetting, scale: float) -> list[Tensor]:
    """The gradient that critic_step leaves, less that of the loss alone."""
    both, alone = (_precise(make, setting, scale) for _ in range(2))
    both.still_step()
    with parametrize.cached():
        alone.objective.critic_loss(alone.critic, alone.batch()).backward()
    pairs = zip(both.critic.parameters(), alone.critic.parameters(), strict=True)
    return [_or_zero(one, one.grad) - _or_zero(other, other.grad) for one, other in pairs]


def _or_zero(parameter: Tensor, gradient: Tensor | None) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient


def _slope_along(make: Make, setting: TrialSetting, scale: float, way: list[Tensor]) -> float:
    """Central difference of the penalty that critic_step reports, per unit length of the way."""
    length = torch.cat([w.flatten() for w in way]).norm()
    games = [_precise(make, setting, scale) for _ in range(2)]
    size = torch.cat([p.detach().flatten() for p in games[0].critic.parameters()]).norm()
    step = STEP * size / length
    values = []
    for game, sign in zip(games, (1, -1), strict=True):
        with torch.no_grad():
            for parameter, w in zip(game.critic.parameters(), way, strict=True):
                parameter.add_(sign * step * w)
        values.append(game.still_step()["penalty"].item())
    return (values[0] - values[1]) / (2 * step * length).item()
