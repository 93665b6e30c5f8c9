"""A critic that is 1-Lipschitz by construction: orthogonal weights and sorted activations (Anil et al. 2019)."""

from contextlib import ExitStack
from math import ceil, prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from .base import Objective
from .checks import positive_integer
from .errors import BadInput
from .layers import ACTIVATIONS, SHAPES, GroupSort, MaxMin, is_chain, leaves

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
CHAINABLE = (nn.Linear, *CONVOLUTIONS, *ACTIVATIONS, *SHAPES)


class Orthogonal(Objective):
    """WᵀW = I or WWᵀ = I in every layer, and GroupSort for every activation, so that ‖∇f‖ ≤ 1 (Anil et al. 2019).

    For a convolution W is the reshaped kernel divided by √m, m the number of windows that a pixel enters
    (Cissé et al. 2017): its operator's norm is then ≤ 1, but not every singular value is 1.

    Args:
        loss: see `Objective`.
        group: how many units are sorted together; 2 is MaxMin. None: a whole layer, "FullSort".

    Raises:
        BadInput: for a group of fewer than 2.
    """

    name = "orthogonal"
    reference = "Anil, Lucas, Grosse, Sorting out Lipschitz function approximation, 2019, arXiv:1811.05381"
    lipschitz_bound = 1.0
    capturable = False  # Cayley's linear solve asks the host whether the matrix was singular.

    def __init__(self, *, loss: str = "wasserstein", group: int | None = 2) -> None:
        super().__init__(loss=loss)
        if group is not None and positive_integer("group", group) < 2:
            raise BadInput(f"group={group}: must be an integer ≥ 2, or null for whole layers")
        self.group = group

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        for layer in leaves(critic):
            if not isinstance(layer, CHAINABLE):
                return f"{type(layer).__name__} has no 1-Lipschitz counterpart here"
            if isinstance(layer, CONVOLUTIONS) and layer.padding_mode != "zeros":
                return f"padding_mode={layer.padding_mode} of a convolution repeats pixels, which breaks the bound"
        if not is_chain(critic, shape):
            return "the critic is not a plain chain of layers, so their bounds do not multiply to 1"
        return _unsorted_width(critic, shape, self.group)

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        # One activation may stand in several places, and is named once unless asked for.
        for name, layer in list(critic.named_modules(remove_duplicate=False)):
            if isinstance(layer, ACTIVATIONS):
                critic.set_submodule(name, MaxMin() if self.group == 2 else GroupSort(self.group))
        for layer in leaves(critic):
            if isinstance(layer, nn.Linear):
                _orthogonal_(layer)
            elif isinstance(layer, CONVOLUTIONS):
                _orthogonal_kernel_(layer)
        return critic


class Kernel(nn.Module):
    """Reshapes a matrix to a convolution's kernel, divided by √windows."""

    def __init__(self, shape: torch.Size, windows: int) -> None:
        super().__init__()
        self.shape, self.windows = shape, windows

    def forward(self, matrix: Tensor) -> Tensor:
        return matrix.view(self.shape) / sqrt(self.windows)


def _orthogonal_(layer: nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d) -> None:
    rows, columns = layer.weight.shape
    # Cayley takes a third of matrix_exp's time (torch's default for a square); Householder suits the thin ones.
    # Without trivialisation no n × n base is kept for an n × k weight, and no random numbers are drawn.
    if rows == columns:
        parametrizations.orthogonal(layer, orthogonal_map="cayley")
    else:
        parametrizations.orthogonal(layer, orthogonal_map="householder", use_trivialization=False)


def _orthogonal_kernel_(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> None:
    shape = layer.weight.shape
    # Exact without dilation; with it a pixel may enter every window, whatever the stride.
    sizes = zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)
    windows = prod(kernel if dilation > 1 else ceil(kernel / stride) for kernel, stride, dilation in sizes)
    layer.weight = nn.Parameter(layer.weight.detach().flatten(1))
    _orthogonal_(layer)
    parametrize.register_parametrization(layer, "weight", Kernel(shape, windows), unsafe=True)


@torch.no_grad()
def _unsorted_width(critic: nn.Module, shape: tuple[int, ...], group: int | None) -> str | None:
    """Why groups cannot be sorted in place of each activation, found out by a forward pass of zeros; or None."""
    if group is None:
        return None
    sizes: list[torch.Size] = []
    activations = [layer for layer in leaves(critic) if isinstance(layer, ACTIVATIONS)]
    with ExitStack() as hooks:
        for layer in activations:
            hooks.enter_context(layer.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape)))
        critic(next(critic.parameters()).new_zeros(2, *shape))
    widths = (size[1] if len(size) > 1 else 1 for size in sizes)
    odd = next((width for width in widths if width % group), None)
    told = "MaxMin sorts pairs" if group == 2 else f"GroupSort sorts groups of {group}"
    return None if odd is None else f"{told}, and what enters an activation is {odd} wide"
