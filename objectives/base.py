"""The contract of an objective: a loss, and the hooks that keep the critic Lipschitz. Training itself is in game.py."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .errors import BadInput
from .loss_catalog import get_loss

API_VERSION = 1


@dataclass
class Batch:
    """One minibatch, on the device.

    Attributes:
        real: [B, d] points, or [B, C, H, W] images in [-1, 1].
        fake: the same shape; detached in the critic phase.
        labels: [B] int64 of a conditional GAN, else None: real i and fake i, and so a point between them, have label i.
            The critic that hooks are given is bound to them: they call `critic(x)` for the batch as a whole.
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

    Three class attributes say what the objective promises: `lipschitz_bound`, that no critic it trains is ever steeper,
    against which measured slopes are held (None: nothing is claimed); `capturable`, that no hook waits for the
    device, decides by a value on it, or replaces a parameter or buffer instead of changing it in place, so that an
    iteration may be compiled or captured; and `penalty_allows_batch_norm`, that its penalty makes sense where a logit
    depends on the whole batch, as one on logits does and one on slopes does not.

    Batches may have any size. An objective that needs two samples or more raises BadInput for fewer.

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
    penalty_allows_batch_norm: bool = False

    def __init__(self, *, loss: str = "wasserstein") -> None:
        super().__init__()
        self.loss = get_loss(loss)

    @property
    def relativistic(self) -> bool:
        """Whether the generator's loss wants the logits of real samples too."""
        return self.loss.relativistic

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        """Why this objective cannot train this (unprepared) critic on samples of this shape, or None.

        By default: batch norm or packing under a penalty, unless `penalty_allows_batch_norm`. An override asks
        `super()` too.
        """
        penalised = type(self).penalty is not Objective.penalty
        return mixes_samples(critic) if penalised and not self.penalty_allows_batch_norm else None

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


def declared_mixing(critic: nn.Module) -> str | None:
    """What a module in the critic says of itself in an attribute `mixes_samples`: why its logits depend on more than
    one sample, in eval mode too (packing); None where none does.
    """
    declared = (getattr(module, "mixes_samples", None) for module in critic.modules())
    return next((told for told in declared if isinstance(told, str)), None)


def mixes_samples(critic: nn.Module) -> str | None:
    """Why a gradient per sample means nothing for this critic (packing, batch norm), or None."""
    if (told := declared_mixing(critic)) is not None:
        return told
    if any(isinstance(m, _BatchNorm) for m in critic.modules()):
        return "batch norm in the critic makes its output depend on the whole batch, so a slope per sample is undefined"
    return None


def prepared(objective: Objective, critic: nn.Module) -> nn.Module:
    """What `prepare_critic` makes of the critic.

    Raises TypeError if that is no module, as without a `return`. The critic's first forward pass raises BadInput if its
    logits are not [B].
    """
    made = objective.prepare_critic(critic)
    if not isinstance(made, nn.Module):
        raise TypeError(f"{type(objective).__name__}.prepare_critic returned {made!r}, not a module")
    _check_first_logits(made, getattr(objective, "name", type(objective).__name__))
    return made


def _check_first_logits(critic: nn.Module, objective: str) -> None:
    def check(critic: nn.Module, args: tuple[Any, ...], named: dict[str, Any], logits: Tensor) -> None:
        handle.remove()  # one look: later passes cost nothing
        n = len((*args, *named.values())[0])
        if logits.shape != (n,):
            found = f"logits of shape {tuple(logits.shape)} for {n} samples, expected ({n},)"
            raise BadInput(f"{objective}: the critic ({type(critic).__name__}) returns {found}")

    handle = critic.register_forward_hook(check, with_kwargs=True)
