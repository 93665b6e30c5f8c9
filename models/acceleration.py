"""Ways to run an iteration faster than operation by operation: as one CUDA graph, or compiled.

What an iteration computes is iteration.py's affair.
"""

import gc
import time
import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ..objectives.base import Objective
from ..objectives.capture_guard import CaptureGuard
from ..objectives.errors import BadInput, message_of
from .iteration import Accelerated, Iteration
from .recipe import Recipe
from .snapshot import Snapshot
from .tracing import Compiler, inductor, trace

WARM_UP = 3  # iterations before a capture, as torch's notes on CUDA graphs ask for
# Whether a graph has to be told of random streams: from 2.14 on torch finds them, and prints a line when it is told.
REGISTERS = torch.__version__ < "2.14"  # compared as versions

Maker = Callable[[Iteration], Accelerated]


class TrainingLoop:
    """Runs iterations in the way that they ask for; the first ones of a captured or compiled iteration prepare it.

    Args:
        iteration: what to run, once it has begun.
        make: what captures or compiles, in place of lipbench's own.
    """

    def __init__(self, iteration: Iteration, make: Maker | None = None) -> None:
        self.iteration, self.make = iteration, make
        self.preparation_seconds = 0.0  # that captures and compilations took
        self._accelerated: Accelerated | None = None

    def run(self, count: int) -> None:
        """That many full iterations. Raises RuntimeError as `prepare` does."""
        if self._accelerated is None and self.iteration.accelerate != "none":
            start = self._clock()
            self._accelerated = prepare(self.iteration, self.make)
            self.preparation_seconds += self._clock() - start
        self.iteration.run(count, self._accelerated)

    def release(self) -> None:
        """Forgets the captured iteration, and frees its memory."""
        self._accelerated = None

    def _clock(self) -> float:
        if self.iteration.device.type == "cuda":
            torch.cuda.synchronize(self.iteration.device)
        return time.perf_counter()


def check_capability(precision: str, device: str) -> None:
    """Raises BadInput where this very GPU has no TF32, which torch would pass over in silence."""
    if precision == "tf32" and torch.cuda.get_device_capability(device) < (8, 0):
        name = torch.cuda.get_device_name(device)
        raise BadInput(f"precision 'tf32': {name} has no TF32 (compute capability ≥ 8.0)")


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
    if accelerate == "compile" and recipe.updates == "simultaneous":
        return "simultaneous updates cannot be compiled: use accelerate: none or graph"
    return None


def prepare(iteration: Iteration, make: Maker | None = None) -> Accelerated:
    """The iteration, accelerated as it asks for; its state is left as it was.

    Raises RuntimeError with the cause where it cannot be captured or compiled: a run that went on without would carry a
    false label.
    """
    make = make or (capture if iteration.accelerate == "graph" else Compiled)
    try:
        iteration.updates_on_device = torch.tensor(iteration.updates, device=iteration.device)
        with iteration.numerics():
            return make(iteration)
    except Exception as error:
        first = _first(error)
        if isinstance(first, torch.OutOfMemoryError):
            raise first from error
        cause = message_of(first)
        what = f"an iteration of {iteration.objective.name}"
        raise RuntimeError(f"accelerate: {iteration.accelerate}: {what} cannot be captured: {cause}") from error


def _first(error: BaseException) -> BaseException:
    """Where it began: what ends a capture after an error raises one of its own."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error


def rehearse(iteration: Iteration, rounds: int) -> None:
    """That many iterations; RuntimeError where one leaves behind what a captured or compiled one would never see."""
    iteration.once()  # what is made at the first time, as the optimisers' states, stays
    guard = CaptureGuard(iteration.objective, iteration.critic)
    for _ in range(rounds - 1):
        iteration.once()
    if changed := guard.changed_attribute():
        raise RuntimeError(f"{changed}: keep state in a buffer, use batch.step, or set capturable = False")
    if moved := guard.moved_tensor():
        raise RuntimeError(f"{moved} is replaced by another tensor: change it in place, or set capturable = False")


@cache
def _capturing(device: torch.device) -> torch.cuda.Stream:
    """One for all captures of the process: cuBLAS keeps a workspace for every stream that it has seen."""
    return torch.cuda.Stream(device)


def capture(iteration: Iteration) -> Accelerated:
    """The whole iteration as one CUDA graph, after warming up on the stream of the capture."""
    device = iteration.device
    undo, stream, here = Snapshot(iteration), _capturing(device), torch.cuda.current_stream(device)
    stream.wait_stream(here)
    with torch.cuda.stream(stream), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
        rehearse(iteration, WARM_UP)
    here.wait_stream(stream)
    undo.restore()
    gc.collect()  # an older graph that is destroyed while this one is captured would end the capture
    graph = torch.cuda.CUDAGraph()
    if REGISTERS:
        for name in iteration.drawing:
            graph.register_generator_state(iteration.stream(name))
    # The outer context: a capture that fails leaves its own stream the current one.
    with torch.cuda.stream(here), torch.cuda.graph(graph, stream=stream):
        scalars = iteration.once()

    def replay() -> Tensor:
        graph.replay()
        return scalars

    return replay


class Compiled:
    """The critic's and the generator's update, each compiled with its backward passes and optimiser.

    Drawing real samples and latents, and averaging the generator, stay outside: each is an operation or two.
    """

    def __init__(self, iteration: Iteration, compiler: Compiler = inductor) -> None:
        self.iteration = iteration
        undo = Snapshot(iteration)
        rehearse(iteration, 2)
        real, latent = iteration.draw(iteration.batch)
        self._critic = trace(iteration.update_critic, (real, latent), compiler)
        if iteration.trains_generator:
            self._generator = trace(self._update_and_gradients, iteration.draw_for_generator(real, latent), compiler)
        self._with_gradient = [p for p in iteration.generator.parameters() if p.grad is not None]
        undo.restore()

    def __call__(self) -> Tensor:
        return self.iteration.once(update_critic=self._critic, update_generator=self._update_generator)

    def _update_and_gradients(self, real: Tensor, latent: Tensor) -> list[Tensor]:
        scalars = self.iteration.update_generator(real, latent)
        return [*scalars, *(p.grad for p in self.iteration.generator.parameters() if p.grad is not None)]

    def _update_generator(self, real: Tensor, latent: Tensor) -> list[Tensor]:
        loss, *gradients = self._generator(real, latent)
        for parameter, gradient in zip(self._with_gradient, gradients, strict=True):
            parameter.grad = gradient
        return [loss]
