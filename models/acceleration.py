"""Ways to run an iteration faster than operation by operation: as one CUDA graph, or compiled.

What an iteration computes is gan.py's affair.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..objectives.base import Batch, Objective
from ..objectives.capture_guard import CaptureGuard
from ..objectives.errors import BadInput
from .recipe import Recipe
from .snapshot import Snapshot
from .tracing import Compiler, Traced, inductor

if TYPE_CHECKING:
    from .gan import GAN

ACCELERATIONS = ("none", "graph", "compile")
WARM_UP = 3  # iterations before a capture, as torch's notes on CUDA graphs ask for
# Whether a graph has to be told of random streams: from 2.14 on torch finds them, and prints a line when it is told.
REGISTERS = torch.__version__ < "2.14"  # compared as versions

Iteration = Callable[[], Tensor]  # one full iteration; returns its scalars [len(SCALARS)]


def check_device(accelerate: str, precision: str, device: str) -> None:
    """Raises BadInput for what this kind of device cannot do."""
    for key, value in (("accelerate", accelerate), ("precision", precision)):
        if value in ("graph", "tf32") and not device.startswith("cuda"):
            raise BadInput(f"--{key} {value}: needs a CUDA GPU, and the device is {device}")


def check_capability(precision: str, device: str) -> None:
    """Raises BadInput where this very GPU has no TF32, which torch would pass over in silence."""
    if precision == "tf32" and torch.cuda.get_device_capability(device) < (8, 0):
        raise BadInput(f"--precision tf32: {torch.cuda.get_device_name(device)} has no TF32 (compute capability ≥ 8.0)")


def refusal(accelerate: str, objective: Objective, recipe: Recipe, resident: bool = True) -> str | None:
    """Why a run cannot be accelerated this way, or None; `resident`: whether its data lie on the device."""
    if accelerate == "none":
        return None
    if not objective.capturable:
        return f"{objective.name} needs the host in its steps (capturable = False), so it needs accelerate: none"
    if accelerate == "graph" and not resident:
        return "the data do not fit on the device, and a CUDA graph cannot wait for the host: use accelerate: compile"
    if accelerate == "compile" and recipe.optimizer == "rmsprop" and recipe.decay != "none":
        return "RMSprop with a learning rate that decays cannot be compiled: use accelerate: none or graph"
    return None


def prepare(gan: GAN) -> Iteration:
    """The module's iteration, accelerated as it asks for; the module is left as it was.

    Raises RuntimeError with the cause where the iteration cannot be captured or compiled: a run that went on without
    would carry a false label.
    """
    make = {"graph": capture, "compile": Compiled}[gan.accelerate]
    try:
        return make(gan)
    except Exception as error:
        first = _first(error)
        if isinstance(first, torch.OutOfMemoryError):
            raise first from error
        cause = " ".join(str(first).split()) or type(first).__name__
        told = f"accelerate: {gan.accelerate}: an iteration of {gan.objective.name} cannot be captured: {cause}"
        raise RuntimeError(told) from error


def _first(error: BaseException) -> BaseException:
    """Where it began: what ends a capture after an error raises one of its own."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error


def rehearse(function: Iteration, gan: GAN, rounds: int) -> None:
    """That many iterations; RuntimeError where one leaves behind what a captured or compiled one would never see."""
    function()  # what is made at the first time, as the optimisers' states, stays
    standing = CaptureGuard(gan.objective, gan.critic)
    for _ in range(rounds - 1):
        function()
    if changed := standing.changed_attribute():
        raise RuntimeError(f"{changed}: keep state in a buffer, use batch.step, or set capturable = False")
    if moved := standing.moved_tensor():
        raise RuntimeError(f"{moved} is replaced by another tensor: change it in place, or set capturable = False")


@cache
def _capturing(device: torch.device) -> torch.cuda.Stream:
    """One for all captures of the process: cuBLAS keeps a workspace for every stream that it has seen."""
    return torch.cuda.Stream(device)


def record(function: Iteration, gan: GAN) -> Iteration:
    """The function as a CUDA graph, after warming up on the stream of the capture; the module is left as it was."""
    undo, stream, here = Snapshot(gan), _capturing(gan.device), torch.cuda.current_stream(gan.device)
    stream.wait_stream(here)
    with torch.cuda.stream(stream), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
        rehearse(function, gan, WARM_UP)
    here.wait_stream(stream)
    undo.restore()
    gc.collect()  # an older graph that is destroyed while this one is captured would end the capture
    graph = torch.cuda.CUDAGraph()
    if REGISTERS:
        for name in gan.drawing:
            graph.register_generator_state(gan.stream(name))
    # The outer context: a capture that fails leaves its own stream the current one.
    with torch.cuda.stream(here), torch.cuda.graph(graph, stream=stream):
        scalars = function()

    def replay() -> Tensor:
        graph.replay()
        return scalars

    return replay


def capture(gan: GAN, record: Callable[[Iteration, GAN], Iteration] = record) -> Iteration:
    """The whole iteration as one graph; what changes from one to the next lies on the device, the step too."""
    gan.updates_on_device = torch.tensor(gan.updates, device=gan.device)

    def whole() -> Tensor:
        scalars = gan.iterate()
        gan.updates_on_device.add_(1)  # pyright: ignore[reportOptionalMemberAccess]
        return scalars

    return record(whole, gan)


class Compiled:
    """The critic's and the generator's update, each compiled with its backward passes and optimiser.

    Drawing real samples and latents, and averaging the generator, stay outside: each is an operation or two.
    """

    def __init__(self, gan: GAN, compiler: Compiler = inductor) -> None:
        self.gan = gan
        undo = Snapshot(gan)
        rehearse(gan.iterate, gan, 2)
        self.step = torch.tensor(gan.updates, device=gan.device)
        real, latent = gan.draw_real(), gan.draw_latent(gan.recipe.batch, "latent")
        self.critic = Traced(self._critic, (real, latent, self.step), compiler)
        self.generator = Traced(self._generator, (*gan.draw_for_generator(real), self.step), compiler)
        self.with_gradient = [p for p in gan.generator.parameters() if p.grad is not None]
        undo.restore()

    def __call__(self) -> Tensor:
        gan = self.gan
        self.step.fill_(gan.updates)
        for _ in range(gan.recipe.n_critic - 1):
            self.critic(gan.draw_real(), gan.draw_latent(gan.recipe.batch, "latent"), self.step)
        real = gan.draw_real()
        critic_loss, penalty = self.critic(real, gan.draw_latent(gan.recipe.batch, "latent"), self.step)
        generator_loss, *gradients = self.generator(*gan.draw_for_generator(real), self.step)
        for parameter, gradient in zip(self.with_gradient, gradients, strict=True):
            parameter.grad = gradient
        gan.update_average()
        return torch.stack([critic_loss, penalty, generator_loss])

    def _critic(self, real: Tensor, latent: Tensor, step: Any) -> list[Tensor]:
        scalars = self.gan.update_critic(self.gan.batch_of(real, latent, step))
        return [scalars["critic_loss"], scalars["penalty"]]

    def _generator(self, real: Tensor, latent: Tensor, step: Any) -> list[Tensor]:
        batch = Batch(real, real, None, step, self.gan.stream("objective"))
        scalars = self.gan.update_generator(latent, batch)
        gradients = [p.grad for p in self.gan.generator.parameters() if p.grad is not None]
        return [scalars["generator_loss"], *gradients]
