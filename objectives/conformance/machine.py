"""Does the objective work in other precisions and on other devices, and without talking to the host?"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ..capture_guard import CaptureGuard
from ..game import round_outputs_up
from .report import CheckOutcome, failed, not_applicable, passed
from .trial import Game, Make, Scalars, TrialSetting

MIXED_DEVICES = re.compile(r"expected device|same device")
HOST_CALLS = {Tensor.numpy, Tensor.cpu, Tensor.tolist, Tensor.__array__, Tensor.new_tensor}
HOST_OPERATORS = {
    *("_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "equal", "allclose", "bincount"),
    *("_unique2", "unique_consecutive", "unique_dim"),
    # Of linalg.solve, inv, cholesky (solve_ex and the like do without), and of what is made of singular or eigenvalues.
    *("_linalg_check_errors", "_linalg_svd", "_linalg_eigh", "linalg_eig", "linalg_pinv", "linalg_lstsq"),
}


def double_precision(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Data and networks in float64 give losses and penalties in float64."""
    for name, value in _both_phases(Game(make, setting, dtype=torch.float64)).items():
        if value.dtype != torch.float64:
            return failed(f"{name} is {value.dtype} for data and networks in float64")
    return passed()


def _both_phases(game: Game, watch: AbstractContextManager[Any] | None = None) -> Scalars:
    """One step of either player, watched; by plain gradient descent, which itself never talks to the host."""
    game.generator_optimizer = SGD(game.generator.parameters(), lr=1e-3)
    batch, latent = game.batch(), game.latent()
    with watch or nullcontext():
        scalars = game.critic_step(batch, SGD(game.critic.parameters(), lr=1e-3))
        return scalars | game.generator_step(latent, batch)


def autocast(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Under bf16 autocast both phases run and give finite scalars, and the penalty stays in single precision."""
    game = Game(make, setting)
    round_outputs_up(game.critic, game.generator)  # as in a run
    with torch.autocast("cpu", torch.bfloat16):
        scalars = _both_phases(game)
    for name, value in scalars.items():
        if not torch.isfinite(value):
            return failed(f"{name} is {value.item()} under bf16 autocast")
    if Game(make, setting).penalised() and scalars["penalty"].dtype != torch.float32:
        return failed(f"the penalty is {scalars['penalty'].dtype} under bf16 autocast")
    return passed()


def other_device(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Everything is made on the device of the samples: on CUDA where present, else on torch's meta device."""
    return _on_cuda(make, setting) if torch.cuda.is_available() else _on_meta(make, setting)


def _on_cuda(make: Make, setting: TrialSetting) -> CheckOutcome:
    try:
        scalars = _both_phases(Game(make, setting, device="cuda"))
    except RuntimeError as error:
        if MIXED_DEVICES.search(str(error)):
            return failed(f"mixes devices: {error}")
        raise
    wrong = [name for name, value in scalars.items() if value.device.type != "cuda"]
    return failed(f"{', '.join(wrong)} not on the samples' device") if wrong else passed("on CUDA")


def _on_meta(make: Make, setting: TrialSetting) -> CheckOutcome:
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
    """Refuses the calls that hand a tensor's values to Python, or Python's to a device, without an operator."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func in HOST_CALLS or _crosses(func, args, kwargs or {}):
            raise _HostSync(func.__name__)
        return func(*args, **(kwargs or {}))


def _crosses(func: Callable, args: tuple, kwargs: dict) -> bool:
    """Whether the call copies from the host to a device, or back."""
    if func in (torch.tensor, torch.as_tensor):  # without a device it is a number of the host, which every device takes
        return kwargs.get("device") is not None and not any(isinstance(x, Tensor) for x in args)
    # "cpu" in words: a device that is an object may be that of the samples, which is the CPU here.
    return func is Tensor.to and any(isinstance(x, str) and x == "cpu" for x in (*args, *kwargs.values()))


class _Operators(TorchDispatchMode):
    """Refuses the operators that wait for the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = func.overloadpacket.__name__
        if name in HOST_OPERATORS or _waits(name, args, kwargs or {}):
            raise _HostSync(name)
        return func(*args, **(kwargs or {}))


def _waits(name: str, args: tuple, kwargs: dict) -> bool:
    """Whether these arguments make the operator wait: for the number of places that a mask or counts select."""
    if name == "repeat_interleave":
        return kwargs.get("output_size") is None
    if name not in ("index", "index_put", "index_put_"):
        return False
    fills = name != "index" and args[2].numel() == 1  # x[mask] = 0 becomes a masked fill
    return not fills and any(_is_mask(index) for index in args[1])


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype == torch.bool


@contextmanager
def _host_refused() -> Iterator[None]:
    with _Calls(), _Operators():
        yield


def capturable(make: Make, setting: TrialSetting) -> CheckOutcome:
    """Where `capturable` is claimed, no step asks the device for a value, and every tensor stays where it lies."""
    game = Game(make, setting)
    if not game.objective.capturable:
        return not_applicable("`capturable` is not claimed")
    game.updates = torch.tensor(game.updates)  # on the device, as in an accelerated run
    try:
        _both_phases(game, _host_refused())
    except _HostSync as sync:
        return failed(f"talks to the host ({sync}): avoid it, or set capturable = False")
    return _stays_in_place(Game(make, setting))


def _stays_in_place(game: Game) -> CheckOutcome:
    """A captured iteration goes on with the tensors of its first time."""
    game.play(1)
    guard = CaptureGuard(game.objective, game.critic)
    game.play(1)
    if moved := guard.moved_tensor():
        return failed(f"{moved} is replaced by another tensor: change it in place, or set capturable = False")
    return passed()
