"""A layer-normalised critic, the baseline without a constraint (Ba et al. 2016)."""

from torch import nn

from .base import Objective
from .layers import NORMS, Weighted, head, no_hidden_layer, weighted


class LayerNorm(Objective):
    """h ← g·(h − mean h)/sd h + b per sample, after each hidden layer and before its activation (Ba et al. 2016).

    Over the features of a linear layer; over channels, height and width of a convolution, with g and b per channel
    (GroupNorm of one group, as in the critics of Gulrajani et al. 2017). It bounds no slope.

    Args:
        loss: see `Objective`.
    """

    name = "layer-norm"
    reference = "Ba, Kiros, Hinton, Layer Normalization, 2016, arXiv:1607.06450"

    def __init__(self, *, loss: str = "non_saturating") -> None:
        super().__init__(loss=loss)

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        for layer in critic.modules():
            if isinstance(layer, NORMS):
                return f"the critic already has {type(layer).__name__}"
        return no_hidden_layer(critic)

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        last = head(critic)[0]
        for name, layer in weighted(critic).items():
            if name != last:
                critic.set_submodule(name, nn.Sequential(layer, _norm_after(layer)))
        return critic


def _norm_after(layer: Weighted) -> nn.Module:
    like = {"device": layer.weight.device, "dtype": layer.weight.dtype}
    if isinstance(layer, nn.Linear):
        return nn.LayerNorm(layer.out_features, **like)
    return nn.GroupNorm(1, layer.out_channels, **like)
