"""A function of tensors, with its backward passes and optimiser steps, as one graph of operations for a compiler."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing, get_proxy_mode, make_fx, track_tensor_tree
from torch.utils._python_dispatch import TorchDispatchMode

Compiler = Callable[[GraphModule, list[Tensor]], Callable[..., Any]]
Source = Callable[[], Tensor]  # where an input of a graph comes from at each call


def inductor(graph: GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    """torch.compile's own compiler; Dynamo, its front end, takes neither double backward nor torch.Generator.

    What it has compiled before torch finds again, in this process and in its cache folder, but only within a context
    that keeps account of shapes, as Dynamo's does.
    """
    from torch._guards import TracingContext, tracing
    from torch._inductor import compile as compile_graph
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    with tracing(TracingContext(FakeTensorMode(shape_env=ShapeEnv(), static_shapes=True))):
        compiled: Any = compile_graph(graph, list(inputs))
    return compiled


class Traced:
    """A compiled graph and where the tensors come from that it takes beside the inputs; a call runs it.

    A call computes what a call of the traced function does, on the same tensors, in place; gradients do not flow
    through what it returns.
    """

    def __init__(self, run: Callable[..., list[Tensor]], sources: Sequence[Source]) -> None:
        self.run, self.sources = run, sources

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        with torch.no_grad():
            return self.run(*inputs, *(source() for source in self.sources))


def trace(function: Callable[..., list[Tensor]], inputs: Sequence[Tensor], compiler: Compiler) -> Traced:
    """The function as a compiled graph.

    Tensors that the function takes from elsewhere (parameters, optimiser states) become inputs of the graph, so that
    it reads and changes them where they lie. Its random draws are taken out and made before each call, from the same
    generators in the same order.

    Args:
        function: of tensors; returns a list of tensors. It runs once, for real.
        inputs: like those of every later call.
        compiler: makes something to call of a graph and its inputs.

    Raises:
        RuntimeError: if it asks for a tensor's value, or its draws depend on other tensors.
    """
    draws = _Draws()

    def drawing(*given: Tensor) -> list[Tensor]:
        with draws:
            return function(*given)

    # On a GPU backward passes have threads of their own, in which nothing is traced.
    with torch.autograd.set_multithreading_enabled(False):
        module = make_fx(drawing, decomposition_table=DECOMPOSED)(*inputs)
    further = _FurtherInputs(module)
    _take_out_draws(further, draws)
    _take_out_tensors(further)
    _drop_profiling(module)
    module.graph.eliminate_dead_code()
    module.graph.lint()
    module.recompile()
    return Traced(compiler(module, [*inputs, *(source() for source in further.sources)]), further.sources)


class _FurtherInputs:
    """Placeholders that are added to a traced function's own, and where their tensors come from."""

    def __init__(self, module: GraphModule) -> None:
        self.module, self.sources = module, list[Source]()
        self._last = [node for node in module.graph.nodes if node.op == "placeholder"][-1]

    def replace(self, node: Node, source: Source) -> Node:
        """A new placeholder in place of the node."""
        graph = self.module.graph
        with graph.inserting_after(self._last):
            placeholder = graph.placeholder(f"taken_{len(self.sources)}")
        placeholder.meta = dict(node.meta)
        self.drop(node, placeholder)
        self.sources.append(source)
        self._last = placeholder
        return placeholder

    def drop(self, node: Node, instead: Node) -> None:
        """The other node takes its place."""
        node.replace_all_uses_with(instead)
        self.module.graph.erase_node(node)


def _take_out_draws(further: _FurtherInputs, draws: "_Draws") -> None:
    for node in list(further.module.graph.nodes):
        if node.target is _draw:
            further.replace(node, draws.made[node.args[0]])


def _take_out_tensors(further: _FurtherInputs) -> None:
    placeholders: dict[int, Node] = {}
    for node in list(further.module.graph.nodes):
        if node.op != "get_attr" or not isinstance(tensor := getattr(further.module, node.target), Tensor):
            continue
        if id(tensor) in placeholders:
            further.drop(node, placeholders[id(tensor)])
        else:
            placeholders[id(tensor)] = further.replace(node, _constant(tensor.detach()))


def _drop_profiling(module: GraphModule) -> None:
    for node in reversed(list(module.graph.nodes)):
        if getattr(node.target, "namespace", "") == "profiler":
            module.graph.erase_node(node)


class _Draws(TorchDispatchMode):
    """Draws from a generator, made beside the trace, in which `_draw` stands for them; their order is that of `made`.

    torch's tracer itself takes no torch.Generator in version 2.11.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Source] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        settings, mode = kwargs or {}, get_proxy_mode()
        if settings.get("generator") is None or mode is None:
            return func(*args, **settings)
        if any(isinstance(x, Tensor) for x in args):
            raise RuntimeError(f"{func} draws into a tensor: draw with torch.rand or torch.randn instead")
        draw = partial(func, *args, **settings)
        with disable_proxy_modes_tracing():
            drawn = draw()
        stands_for_it = mode.tracer.create_proxy("call_function", _draw, (len(self.made),), {})
        self.made.append(draw)
        return track_tensor_tree(drawn, stands_for_it, constant=None, tracer=mode.tracer)


def _draw(index: int) -> Tensor:
    raise AssertionError(f"draw {index} was not taken out of the graph")


def _constant(tensor: Tensor) -> Source:
    return lambda: tensor


def _adam(
    parameters: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    _: list[Tensor],
    steps: list[Tensor],
    *,
    lr: float | Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    **unused: Any,
) -> None:
    """Adam (Kingma and Ba 2015, algorithm 1) in operations that a compiler can join; the fused kernel it cannot."""
    for parameter, gradient, mean, square, step in zip(parameters, gradients, means, squares, steps, strict=True):
        # In double: with β₂ = 0.999 float32 leaves four digits of 1 − β₂ᵗ.
        done = step.double()
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scale = (square.sqrt() / (1 - beta2**done).sqrt()).add_(eps)
        parameter.sub_(lr / (1 - beta1**done) * (mean / scale))


DECOMPOSED = {
    torch.ops.aten._fused_adam_.default: _adam,
    torch.ops.aten._fused_adam_.tensor_lr: _adam,
}
