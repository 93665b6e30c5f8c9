"""What objectives look for in a critic, or put there: weighted layers, norms, activations, what enters the head.

No equations and no objectives here.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class MaxMin(nn.Module):
    """Sorts neighbouring pairs of channels, GroupSort of groups of two: it permutes, so it keeps every norm.

    An even number of channels in dimension 1 is required (Anil et al. 2019).
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as x."""
        a, b = x.unflatten(1, (-1, 2)).unbind(2)
        return torch.stack([torch.maximum(a, b), torch.minimum(a, b)], dim=2).flatten(1, 2)


class GroupSort(nn.Module):
    """Sorts groups of neighbouring channels, all of them as one group if no size is given (Anil et al. 2019).

    A permutation as `MaxMin` is, which sorts pairs; the size must divide the channels in dimension 1.
    """

    def __init__(self, size: int | None = None) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as x."""
        groups = x.unflatten(1, (-1, x.shape[1] if self.size is None else self.size))
        return groups.sort(dim=2).values.flatten(1, 2)


WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
Weighted = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)  # _NormBase: batch and instance norm
BENDS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.Hardtanh, MaxMin, GroupSort)  # piecewise linear activations
CURVES = (nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Tanh, nn.Sigmoid, nn.Softsign)
ACTIVATIONS = (*BENDS, *CURVES)
# Slope ≤ 1 everywhere; leaky ReLU, ELU and CELU where their parameter is within [−1, 1]. That of PReLU is trained.
CONTRACTIONS = (
    *(nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.LeakyReLU, nn.ELU, nn.CELU, MaxMin, GroupSort),
    *(nn.Softplus, nn.Tanh, nn.Sigmoid, nn.Softsign),
)
SHAPES = (nn.Flatten, nn.Unflatten, nn.Identity)  # layers that leave every value as it is


def weighted(critic: nn.Module) -> dict[str, Weighted]:
    """The linear and convolutional layers by name, in the order of their definition; the last one is the head."""
    return {name: layer for name, layer in critic.named_modules() if isinstance(layer, WEIGHTED)}


def applies_its_weight(layer: nn.Module) -> bool:
    """Whether the layer multiplies by its `weight` as that is: a linear or convolutional layer of torch's, parametrised
    or not. A class with a forward pass of its own may do anything with it.
    """
    kind = next((kind for kind in WEIGHTED if isinstance(layer, kind)), None)
    passes = ("forward", "_conv_forward")
    return kind is not None and all(getattr(type(layer), name, None) is getattr(kind, name, None) for name in passes)


@torch.no_grad()
def measurable(critic: nn.Module, x: Tensor) -> dict[str, torch.Size]:
    """The layers whose `weight` is known to be what inputs meet → the shape of what enters each, in their order.

    They apply their weight as it is, and a forward pass of x [n, …] calls them: one that it goes around may only lend
    its weight to another module, which may do anything with it.
    """
    shapes: dict[nn.Module, torch.Size] = {}
    layers = {name: layer for name, layer in weighted(critic).items() if applies_its_weight(layer)}

    def enter(layer: nn.Module, args: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        shapes[layer] = (*args, *named.values())[0].shape

    with ExitStack() as hooks:
        for layer in layers.values():
            hooks.enter_context(layer.register_forward_pre_hook(enter, with_kwargs=True))
        critic(x)
    return {name: shapes[layer] for name, layer in layers.items() if layer in shapes}


def head(critic: nn.Module) -> tuple[str, Weighted]:
    """Name and layer of the head, the weighted layer that makes the logits."""
    return list(weighted(critic).items())[-1]


def no_hidden_layer(critic: nn.Module) -> str | None:
    """Why there are no hidden features to speak of, or None."""
    return None if len(weighted(critic)) > 1 else "the critic has no hidden layer"


def leaves(critic: nn.Module) -> list[nn.Module]:
    """The layers that hold no others."""
    return [layer for layer in critic.modules() if not any(layer.children())]


def contracts(layer: nn.Module) -> bool:
    """Whether the layer is an activation that never brings two inputs further apart."""
    steepest = max(abs(getattr(layer, name, 0.0)) for name in ("negative_slope", "alpha"))
    return isinstance(layer, CONTRACTIONS) and steepest <= 1


def is_sequence(critic: nn.Module) -> bool:
    """Whether the critic is made like a chain of layers: of Sequentials, at most one of them within another module.

    `is_chain` also sees what forward passes do, but has to be told the shape of a sample.
    """
    holders = [module for module in critic.modules() if any(module.children())]
    return all(isinstance(m, nn.Sequential) or (m is critic and len(list(m.children())) == 1) for m in holders)


@contextmanager
def hidden_features(critic: nn.Module) -> Iterator[list[Tensor]]:
    """A list that receives, at each forward pass, what enters the critic's head: the last hidden features [B, …]."""
    features: list[Tensor] = []
    with head(critic)[1].register_forward_pre_hook(lambda _, args: features.append(args[0])):
        yield features


@torch.no_grad()
def is_chain(critic: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether the critic only hands each layer's output to the next one: no sums, no functional calls in between.

    Found out by a forward pass of zeros, so call it on critics whose forward pass has no side effects.

    Args:
        critic: maps [B, *shape] to [B].
        shape: of one sample.
    """
    parameter = next(critic.parameters())
    x = parameter.new_zeros(2, *shape)
    # The tensors are kept, not their addresses alone: a freed address may be used again.
    flow, unbroken = [(x, x._version)], list[bool]()

    def untouched(tensor: Tensor) -> bool:
        last, version = flow[-1]
        same_memory = tensor.untyped_storage().data_ptr() == last.untyped_storage().data_ptr()
        return same_memory and tensor._version == version and tensor.numel() == last.numel()

    def enter(_: nn.Module, args: tuple[Tensor]) -> None:
        unbroken.append(untouched(args[0]))

    def leave(_: nn.Module, __: tuple[Tensor], out: Tensor) -> None:
        flow.append((out, out._version))

    with ExitStack() as hooks:
        for layer in leaves(critic):
            hooks.enter_context(layer.register_forward_pre_hook(enter))
            hooks.enter_context(layer.register_forward_hook(leave))
        return untouched(critic(x)) and all(unbroken)
