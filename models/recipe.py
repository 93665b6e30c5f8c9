"""A recipe: how the game is optimised, apart from the objective and the architecture. Imports no torch."""

from dataclasses import dataclass
from math import inf

from ..objectives.errors import BadInput, unknown

CHOICES = {
    "optimizer": ("adam", "rmsprop"),
    "decay": ("none", "linear"),
    "dequantise": ("none", "uniform"),
    "updates": ("alternating", "simultaneous"),
}
MOST = 10**6  # critic steps per update, samples in a minibatch: more is a slip


@dataclass(frozen=True)
class Recipe:
    """Settings of the optimisation.

    Attributes:
        optimizer: `adam` (fused) or `rmsprop` (foreach: it has no fused form).
        lr: learning rate of the generator, > 0, and of the critic unless `critic_lr` is given.
        betas: of Adam, two numbers in [0, 1); RMSprop ignores them and keeps torch's alpha 0.99.
        n_critic: critic steps per generator update, 1 to a million.
        batch: samples in a minibatch, 2 to a million.
        generator_batch: samples in the generator's minibatch, if not `batch`.
        critic_lr: learning rate of the critic alone, > 0.
        ema: decay of the moving average of the generator that is evaluated, or None to evaluate the generator itself;
            smaller at first (`average_decay`).
        decay: `none`, or `linear` to zero over the run.
        dequantise: `none`, or `uniform`: the critic and the penalties see real images of 256 levels as x/128 − 1 + u,
            u ~ U(0, 1/128) in each pixel. For images alone; evaluations see the images themselves.
        updates: `alternating`; or `simultaneous`: critic and generator both step from where the two were before, on the
            same real samples and latents. For one critic step an update, and no `generator_batch`.
    """

    optimizer: str = "adam"
    lr: float = 2e-4
    betas: tuple[float, float] = (0.0, 0.9)
    n_critic: int = 1
    batch: int = 64
    critic_lr: float | None = None
    ema: float | None = None
    decay: str = "none"
    generator_batch: int | None = None
    dequantise: str = "none"
    updates: str = "alternating"

    def __post_init__(self) -> None:
        for what, value, ok, allowed in (
            ("lr", self.lr, self.lr > 0, "> 0"),
            ("lr", self.lr, self.lr < inf, "finite"),
            ("critic_lr", self.critic_lr, self.critic_lr is None or self.critic_lr > 0, "> 0"),
            ("critic_lr", self.critic_lr, self.critic_lr is None or self.critic_lr < inf, "finite"),
            ("betas", self.betas, self._has_two_betas(), "two numbers in [0, 1)"),
            ("n_critic", self.n_critic, 1 <= self.n_critic <= MOST, f"≥ 1, at most {MOST:,}"),
            ("batch", self.batch, 2 <= self.batch <= MOST, f"≥ 2, at most {MOST:,}"),
            (
                "generator_batch",
                self.generator_batch,
                2 <= (self.generator_batch or 2) <= MOST,
                f"≥ 2, at most {MOST:,}",
            ),
            ("ema", self.ema, self.ema is None or 0 <= self.ema < 1, "in [0, 1)"),
        ):
            if not ok:
                raise BadInput(f"recipe: {what}={value}: must be {allowed}")
        for what, allowed in CHOICES.items():
            if getattr(self, what) not in allowed:
                raise unknown(what, getattr(self, what), list(allowed))
        self._check_simultaneous()

    def _check_simultaneous(self) -> None:
        for what, value, needed in (("n_critic", self.n_critic, 1), ("generator_batch", self.generator_batch, None)):
            if self.updates == "simultaneous" and value != needed:
                raise BadInput(f"recipe: {what}={value}: simultaneous updates need {needed or 'none'}")

    def _has_two_betas(self) -> bool:
        return len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)

    def rate(self, lr: float, done: int, total: int) -> float:
        """The learning rate after `done` of `total` generator updates."""
        return lr * (1 - done / total) if self.decay == "linear" else lr

    def average_decay(self, done: int) -> float:
        """The moving average's decay in the update after `done` ones: min(ema, (1 + done) / (10 + done)).

        TensorFlow's ramp (ExponentialMovingAverage with num_updates). Without it a run of 1/(1 − ema) updates, 10,000
        for .9999, would be judged by the weights that it began with; in runs as long as published these are forgotten.
        """
        assert self.ema is not None
        return min(self.ema, (1 + done) / (10 + done))
