"""What an iteration changes, copied and put back, so that one may be run to see what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .gan import GAN


class Snapshot:
    """All that an iteration of this module changes on its device, as it is now; `restore` puts it back in place.

    Parameters, buffers, optimiser states and random streams keep their addresses. States that the optimisers have made
    since are set to zero, which is how Adam and RMSprop begin; gradients are dropped.
    """

    def __init__(self, gan: GAN) -> None:
        self.gan = gan
        self.tensors = [(x, x.detach().clone()) for x in changing(gan)]
        self.streams = [(rng, rng.get_state()) for rng in map(gan.stream, gan.drawing)]

    @torch.no_grad()
    def restore(self) -> None:
        """The module as it was."""
        known = {id(x) for x, _ in self.tensors}
        for x in changing(self.gan):
            if id(x) not in known:
                x.zero_()
        for x, value in self.tensors:
            x.copy_(value)
        for rng, state in self.streams:
            rng.set_state(state)
        for parameter in self.gan.parameters():
            parameter.grad = None


def changing(gan: GAN) -> list[Tensor]:
    """The tensors that an iteration may change: parameters, buffers, optimiser states, the step on the device."""
    states = [state for optimizer in gan.game_optimizers for state in optimizer.state.values()]
    of_optimizers = [x for state in states for x in state.values() if isinstance(x, Tensor)]
    step = [] if gan.updates_on_device is None else [gan.updates_on_device]
    return [*gan.parameters(), *gan.buffers(), *of_optimizers, *step]
