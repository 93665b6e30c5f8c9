"""A critic for points, as a plug-in package ships it; a built-in architecture gives the generator."""

from torch import Tensor, nn

from lipbench.models import Unsuited


class AbsoluteCritic(nn.Module):
    """One hidden layer of absolute values, which keep gradients as they are.

    Args:
        shape: of one sample.
        width: units of the hidden layer.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 64) -> None:
        super().__init__()
        if len(shape) != 1:
            raise Unsuited(f"absolute-critic: samples of shape {shape}: must be points")
        self.first, self.last = nn.Linear(shape[0], width), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Points [B, d] to logits [B]."""
        return self.last(self.first(x).abs()).squeeze(1)
