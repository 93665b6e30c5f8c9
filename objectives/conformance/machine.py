"""Does the objective work in other precisions and on other devices, and without talking to the host?"""

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from .report import Outcome, failed, not_applicable, passed
from .trial import Game, Make, Scalars, Setting

MIXED_DEVICES = re.compile(r"expected device|same device")
HOST_CALLS = {Tensor.numpy, Tensor.cpu, Tensor.tolist, Tensor.__array__}
HOST_OPERATORS = {"_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "_unique2", "equal"}


def double_precision(make: Make, setting: Setting) -> Outcome:
    """Data and networks in float64 give losses and penalties in float64."""
    for name, value in _both_phases(Game(make, setting, dtype=torch.float64)).items():
        if value.dtype != torch.float64:
            return failed(f"{name} is {value.dtype} for data and networks in float64")
    return passed()


def _both_phases(game: Game) -> Scalars:
    """One step of either player by plain gradient descent, which itself never talks to the host."""
    game.generator_optimizer = SGD(game.generator.parameters(), lr=1e-3)
    scalars = game.critic_step(optimizer=SGD(game.critic.parameters(), lr=1e-3))
    return scalars | game.generator_step()


def autocast(make: Make, setting: Setting) -> Outcome:
    """Under bf16 autocast both phases run and give finite scalars, and the penalty stays in single precision."""
    game = Game(make, setting)
    with torch.autocast("cpu", torch.bfloat16):
        scalars = _both_phases(game)
    for name, value in scalars.items():
        if not torch.isfinite(value):
            return failed(f"{name} is {value.item()} under bf16 autocast")
    return passed()


def other_device(make: Make, setting: Setting) -> Outcome:
    """Everything is made on the device of the samples: on CUDA where present, else on torch's meta device."""
    return _on_cuda(make, setting) if torch.cuda.is_available() else _on_meta(make, setting)


def _on_cuda(make: Make, setting: Setting) -> Outcome:
    try:
        scalars = _both_phases(Game(make, setting, device="cuda"))
    except RuntimeError as error:
        if MIXED_DEVICES.search(str(error)):
            return failed(f"mixes devices: {error}")
        raise
    wrong = [name for name, value in scalars.items() if value.device.type != "cuda"]
    return failed(f"{', '.join(wrong)} not on the samples' device") if wrong else passed("on CUDA")


def _on_meta(make: Make, setting: Setting) -> Outcome:
    """Tensors of the meta device have no values, but they refuse to be mixed with those of the CPU."""
    try:
        _both_phases(Game(make, setting, device="meta"))
    except (RuntimeError, NotImplementedError) as error:
        if MIXED_DEVICES.search(str(error)):
            return failed(f"mixes devices: {error}")
        return not_applicable(f"no CUDA here, and it cannot be tried without values: {error}")
    return passed("on the meta device; no CUDA here")


class _HostSync(Exception):
    """Something asked the device for a value."""


class _Calls(TorchFunctionMode):
    """Refuses the calls that hand a tensor's values to Python without an operator."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func in HOST_CALLS:
            raise _HostSync(func.__name__)
        return func(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):
    """Refuses the operators that wait for the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = func.overloadpacket.__name__
        if name in HOST_OPERATORS or (name == "index" and any(_is_mask(index) for index in args[1])):
            raise _HostSync(name)
        return func(*args, **(kwargs or {}))


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype == torch.bool


def capturable(make: Make, setting: Setting) -> Outcome:
    """Where `capturable` is claimed, no step asks the device for a value."""
    game = Game(make, setting)
    if not game.objective.capturable:
        return not_applicable("`capturable` is not claimed")
    try:
        with _Calls(), _Operators():
            _both_phases(game)
    except _HostSync as sync:
        return failed(f"talks to the host ({sync}): avoid it, or set capturable = False")
    return passed()
