"""Gradient penalties that let themselves be trained through batch norm, to show what WGAN-GP warns of. Not for use."""

from torch import nn

from .....objectives.errors import unknown
from .....objectives.gradient_penalty import GradientPenalty
from .....objectives.layer_norm import LayerNorm
from .....objectives.layers import head, weighted


class PenaltyThroughBatchNorm(GradientPenalty):
    """WGAN-GP, but with a critic whose output depends on the whole batch: its "slopes per sample" are no slopes."""

    name = "wgan-gp-through-batch-norm"
    penalty_allows_batch_norm = True


class PenaltyWithNorms(PenaltyThroughBatchNorm):
    """WGAN-GP with norms after the critic's hidden layers, of an architecture that has none: "batch" or "layer"."""

    name = "wgan-gp-with-norms"

    def __init__(self, *, norm: str, weight: float = 10.0) -> None:
        super().__init__(weight=weight)
        if norm not in ("batch", "layer"):
            raise unknown("norm", norm, ["batch", "layer"])
        self.norm = norm

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        if self.norm == "layer":
            return LayerNorm().prepare_critic(critic)
        last = head(critic)[0]
        for name, layer in weighted(critic).items():
            if name != last:
                critic.set_submodule(name, nn.Sequential(layer, nn.BatchNorm2d(layer.weight.shape[0])))
        return critic
