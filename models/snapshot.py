"""What an iteration changes, copied and put back, so that one may be run to see what it does."""

import torch
from torch import Tensor

from .iteration import Iteration


class Snapshot:
    """All that an iteration changes on its device, as it is now; `restore` puts it back in place.

    Parameters, buffers, optimiser states and random streams keep their addresses. States that the optimisers have made
    since are set to zero, which is how Adam and RMSprop begin; gradients are dropped.
    """

    def __init__(self, iteration: Iteration) -> None:
        self.iteration = iteration
        self.tensors = [(x, x.detach().clone()) for x in changing(iteration)]
        self.streams = [(rng, rng.get_state()) for rng in map(iteration.stream, iteration.drawing)]

    @torch.no_grad()
    def restore(self) -> None:
        """Everything as it was."""
        known = {id(x) for x, _ in self.tensors}
        for x in changing(self.iteration):
            if id(x) not in known:
                x.zero_()
        for x, value in self.tensors:
            x.copy_(value)
        for rng, state in self.streams:
            rng.set_state(state)
        for parameter in self.iteration.parts.parameters():
            parameter.grad = None


def changing(iteration: Iteration) -> list[Tensor]:
    """The tensors that an iteration may change: parameters, buffers, optimiser states."""
    states = [state for optimizer in iteration.optimizers for state in optimizer.state.values()]
    of_optimizers = [x for state in states for x in state.values() if isinstance(x, Tensor)]
    return [*iteration.parts.parameters(), *iteration.parts.buffers(), *of_optimizers]
