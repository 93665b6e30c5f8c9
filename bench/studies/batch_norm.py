"""A gradient penalty that lets itself be trained through batch norm, to show what WGAN-GP warns of. Not for use."""

from torch import nn

from ...objectives import GradientPenalty


class PenaltyThroughBatchNorm(GradientPenalty):
    """WGAN-GP, but with a critic whose output depends on the whole batch: its "slopes per sample" are no slopes."""

    name = "wgan-gp-through-batch-norm"

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        return None
