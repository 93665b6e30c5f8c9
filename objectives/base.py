"""The contract of an objective: a loss, and the hooks that keep the critic Lipschitz. Training itself is in game.py."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from .losses import get_loss

API_VERSION = 1


@dataclass
class Batch:
    """One minibatch, on the device.

    Attributes:
        real: [B, d] points, or [B, C, H, W] images in [-1, 1].
        fake: the same shape; detached in the critic phase.
        labels: [B] int64, for conditional GANs. No training loop gives any yet: None.
        step: generator updates so far, for schedules; in an accelerated run a tensor on the device, so that a
            capturable objective may compute with it but not decide by it.
        rng: the objective's own random stream, on the device of `real`; the only source of randomness allowed.
    """

    real: Tensor
    fake: Tensor
    labels: Tensor | None
    step: int
    rng: torch.Generator


class Objective(nn.Module):
    """A loss plus a way to keep the critic Lipschitz; every hook but the loss does nothing by default.

    Subclasses set `name` and `reference` and override the hooks they need. Hyper-parameters are keyword arguments of
    the constructor and are recorded. State belongs in buffers, so that checkpoints hold it; randomness comes from
    `batch.rng`. The optimisers know the critic and the generator alone: a further network that learns belongs into
    what `prepare_critic` returns.

    Two class attributes say what the objective promises: `lipschitz_bound`, that no critic it trains is ever steeper,
    against which measured slopes are held (None: nothing is claimed); and `capturable`, that no hook waits for the
    device, decides by a value on it, or replaces a parameter or buffer instead of changing it in place, so that an
    iteration may be compiled or captured.

    Args:
        loss: one of `lipbench.objectives.LOSSES`.

    Raises:
        BadInput: for an unknown loss.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    api_version: ClassVar[int] = API_VERSION
    lipschitz_bound: float | None = None
    capturable: bool = True

    def __init__(self, *, loss: str = "wasserstein") -> None:
        super().__init__()
        self.loss = get_loss(loss)

    @property
    def relativistic(self) -> bool:
        """Whether the generator's loss wants the logits of real samples too."""
        return self.loss.relativistic

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        """Why this objective cannot train this (unprepared) critic on samples of this shape, or None."""
        return None

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        """The critic to train, made once, before the optimisers are built (spectral norm, gradient normalisation).

        It sees no data, so an initialisation from a first batch (Salimans and Kingma 2016, section 3) has no place.
        Singular values and weights are recorded of torch's linear and convolutional layers, by the `weight` that a
        parametrization (torch.nn.utils.parametrize) gives them; layers of another class are left out, and
        layers that the critic's forward pass does not call.
        """
        return critic

    def transform(self, x: Tensor, batch: Batch) -> Tensor:
        """What the critic sees in place of the samples x (instance noise, augmentation); the same shape as x."""
        return x

    def critic_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        """Scalar, minimised by the critic."""
        real = critic(self.transform(batch.real, batch))
        fake = critic(self.transform(batch.fake, batch))
        return self.loss.critic(real, fake)

    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        """Scalar, minimised by the generator; gradients flow through `batch.fake`."""
        fake = critic(self.transform(batch.fake, batch))
        real = critic(self.transform(batch.real, batch)) if self.relativistic else None
        return self.loss.generator(fake, real)

    def penalty(self, critic: nn.Module, batch: Batch) -> Tensor | None:
        """Scalar, already weighted, added to the critic's loss; computed outside autocast. Norms are per sample."""
        return None

    def constrain_(self, critic: nn.Module) -> None:
        """Changes the critic in place after each of its steps, under no_grad (weight clipping)."""


def prepared(objective: Objective, critic: nn.Module) -> nn.Module:
    """What `prepare_critic` makes of the critic. Raises TypeError if that is no module, as without a `return`."""
    made = objective.prepare_critic(critic)
    if not isinstance(made, nn.Module):
        raise TypeError(f"{type(objective).__name__}.prepare_critic returned {made!r}, not a module")
    return made
