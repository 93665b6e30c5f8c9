"""Labels for conditional critics: x ↦ f(x, y) for the labels y that a critic is bound to. No layers of networks here.

Hooks of an objective call `critic(x)` and know nothing of labels; game.py binds the critic to those of the batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from .errors import BadInput


class TakesLabels(nn.Module):
    """A layer, or a network, whose output depends on the labels that it is bound to. See `bound`."""

    labels: Tensor | None = None

    def labels_of(self, x: Tensor) -> Tensor:
        """The labels [n] of samples x [n, …]; those of a batch that is repeated k times are repeated with it.

        So a critic may be called once on real and fake samples together: fake i has the label of real i.

        Raises:
            BadInput: where there are none, or n is no multiple of their number.
        """
        if self.labels is None:
            raise BadInput("a conditional network is called without labels: use it within `bound(network, labels)`")
        repeats, rest = divmod(len(x), len(self.labels))
        if rest or not repeats:
            told = f"{len(x)} samples for {len(self.labels)} labels"
            raise BadInput(f"a conditional critic got {told}: call it on the whole batch, or on several of them")
        return self.labels if repeats == 1 else self.labels.repeat(repeats)


@contextmanager
def bound(network: nn.Module, labels: Tensor | None) -> Iterator[None]:
    """The network, bound to labels [n] int64; as it is where they are None. One label alone serves every sample."""
    layers = [] if labels is None else [layer for layer in network.modules() if isinstance(layer, TakesLabels)]
    before = [layer.labels for layer in layers]
    try:
        for layer in layers:
            layer.labels = labels
        yield
    finally:
        for layer, old in zip(layers, before, strict=True):
            layer.labels = old
