"""Does every sample of a batch count, in the losses and in the penalty?"""

from torch import Tensor

from ..game import frozen
from .norms import SLOPES, Cone, close, no_cones, price_of
from .report import CheckOutcome, failed, passed
from .trial import Game, Make, TrialSetting

N = 5
MOVES = (0.5, -0.5, 8.0, -8.0)  # of one sample, in its centre: a loss may look at the largest logits alone
DRAWS = range(4)  # or at samples that are drawn


def every_sample_counts(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Each sample that moves changes the losses; the penalty of two slopes is at least the mean of what each costs."""
    overlooked = _overlooked(make, setting) or _below_the_mean(make, setting)
    return failed(overlooked) if overlooked else passed()


def _overlooked(make: Make, setting: TrialSetting) -> str | None:
    """A sample that a loss does not depend on, though on others of its side; None if there is none."""
    game = Game(make, setting)
    batch = game.batch(N)
    with frozen(game.critic):
        for loss in ("critic_loss", "generator_loss"):
            for side in ("real", "fake"):
                counts = [_counts(game, loss, side, batch.real, batch.fake, i) for i in range(N)]
                if any(counts) and not all(counts):
                    return f"{loss} does not depend on {side} sample {counts.index(False)} of {N}"
    return None


def _counts(game: Game, loss: str, side: str, real: Tensor, fake: Tensor, i: int) -> bool:
    for seed in DRAWS:
        before = _loss(game, loss, real, fake, seed)
        for move in MOVES:
            moved = {"real": real.clone(), "fake": fake.clone()}
            moved[side][i] += move * game.centre
            if _loss(game, loss, moved["real"], moved["fake"], seed) != before:
                return True
    return False


def _loss(game: Game, loss: str, real: Tensor, fake: Tensor, seed: int) -> float:
    game.rng.manual_seed(seed)
    return getattr(game.objective, loss)(game.critic, game.constant_batch(real, fake)).item()


def _below_the_mean(make: Make, setting: TrialSetting) -> str | None:
    """Where a steep sample among flat ones costs less than its share: left out, or averaged before the penalty."""
    if no_cones(make, setting):
        return None
    axis, flat, steep = setting.centre, SLOPES[0], SLOPES[-1]
    same = axis.expand(N, *setting.shape)
    costs = [price_of(make, setting, Cone(slope), same) for slope in (flat, steep)]
    mean = ((N - 1) * costs[0] + costs[1]) / N
    for i in range(N):
        x = same.clone()
        x[i] = -axis
        values = [price_of(make, setting, Cone(flat, steep, axis), x, seed) for seed in (0, 1)]
        if not close(*values):
            return None  # it measures in between, as the draw says
        if values[0] < mean and not close(values[0], mean):
            return (
                f"the penalty is {values[0]:.4g} where sample {i} of {N} has slope {steep:g} and the others {flat:g}, "
                f"below the samples' mean of {mean:.4g}: is it one of the mean, or of some samples?"
            )
    return None
