"""Do the two players move the right way, and does each keep its hands off the other?"""

import torch
from torch import Tensor

from .report import CheckOutcome, failed, passed
from .trial import Game, Make, TrialSetting

CRITIC_STEPS = 25
HEAD_START = 15  # of the critic: one that is too sure of itself gives gradients of any direction where the fakes are
PATIENCE = 12  # times as many steps, for a strong penalty on slopes first steepens whatever direction it finds
ROUNDS = 25
SIDES = (1.0, -1.0)  # with both sides an untrained critic cannot pass by luck
# What to do about a layer that changes in its own forward pass: only of a parametrization the training loop knows.
NO_HOOKS = "keep a power iteration in a parametrization (torch.nn.utils.parametrizations), not in a layer or hook"


def _train_until_apart(game: Game, steps: int) -> float:
    """Trains the critic, longer where it still errs; the gap between its logits of real and of fake samples."""
    gap = 0.0
    for _ in range(PATIENCE):
        for _ in range(steps):
            game.critic_step()
        gap = _gap(game)
        if gap > 0:
            break
    return gap


@torch.no_grad()
def _gap(game: Game) -> float:
    batch = game.batch(64)
    return (game.critic(batch.real).mean() - game.critic(batch.fake).mean()).item()


def critic_separates(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Trained on separable data, the critic gives real samples the larger logits."""
    gaps = [_train_until_apart(Game(make, setting, side=side), CRITIC_STEPS) for side in SIDES]
    said = f"real − fake logits of a trained critic: {gaps[0]:.3g} and, sides exchanged, {gaps[1]:.3g}"
    return passed(said) if min(gaps) > 0 else failed(f"{said}; both must be > 0")


def gradient_reaches_generator(make: Make, setting: TrialSetting) -> CheckOutcome:
    """After a generator step each of its parameters has a finite gradient that is not zero."""
    game = Game(make, setting)
    for _ in range(5):
        game.critic_step()
    try:
        game.generator_step()
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        return failed("generator_loss does not depend on the generator: are the fakes detached?")
    for name, parameter in game.generator.named_parameters():
        if parameter.grad is None or not parameter.grad.any():
            return failed(f"the generator's {name} has no gradient: are the fakes detached?")
        if not torch.isfinite(parameter.grad).all():
            return failed(f"the generator's {name} has a gradient that is not finite")
    return passed()


def generator_approaches(make: Make, setting: TrialSetting) -> CheckOutcome:
    """In a game with a critic that has a head start, the generator's samples move towards the data."""
    shares = []
    for side in SIDES:
        game = Game(make, setting, side=side)
        _train_until_apart(game, HEAD_START)
        before = _mean_sample(game)
        game.play(ROUNDS)
        way = 2 * game.centre
        shares.append((((_mean_sample(game) - before) * way).sum() / way.square().sum()).item())
    said = f"share of the way to the data after {ROUNDS} rounds: {shares[0]:.3g} and, sides exchanged, {shares[1]:.3g}"
    return passed(said) if min(shares) > 0 else failed(f"{said}; both must be > 0")


@torch.no_grad()
def _mean_sample(game: Game) -> Tensor:
    return game.generator(game.latent(64)).mean(0)


def critic_kept_by_generator_phase(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Parameters, buffers, gradients and modes of the critic are the same after a generator step."""
    game = Game(make, setting)
    game.play(2)
    before, modes = _state(game), [module.training for module in game.critic.modules()]
    game.generator_step()
    after = _state(game)
    for name in before | after:
        if name not in before or name not in after or not torch.equal(before[name], after[name]):
            remedy = f": {NO_HOOKS}" if name in dict(game.critic.named_buffers()) else ""
            return failed(f"the generator phase changes the critic's {name}{remedy}")
    if modes != [module.training for module in game.critic.modules()]:
        return failed("the generator phase changes the critic's train/eval mode")
    return passed()


def _state(game: Game) -> dict[str, Tensor]:
    state = {name: value.clone() for name, value in game.critic.state_dict().items()}
    for name, parameter in game.critic.named_parameters():
        state[f"{name}.requires_grad"] = torch.tensor(parameter.requires_grad)
        if parameter.grad is not None:
            state[f"{name}.grad"] = parameter.grad.clone()
    return state
