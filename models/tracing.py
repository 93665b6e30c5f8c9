"""A function of tensors, with its backward passes and optimiser steps, as one graph of operations for a compiler."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing, get_proxy_mode, make_fx, track_tensor_tree
from torch.utils._python_dispatch import TorchDispatchMode

Compiler = Callable[[GraphModule, list[Tensor]], Callable[..., Any]]


def inductor(graph: GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    """torch.compile's own compiler; Dynamo, its front end, takes neither double backward nor torch.Generator."""
    from torch._inductor import compile as compile_graph

    compiled: Any = compile_graph(graph, list(inputs))
    return compiled


class Traced:
    """`function` as a compiled graph; a call computes what a call of it did, on the same tensors, in place.

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

    def __init__(self, function: Callable[..., list[Tensor]], inputs: Sequence[Tensor], compiler: Compiler) -> None:
        draws = _Draws()

        def drawing(*given: Tensor) -> list[Tensor]:
            with draws:
                return function(*given)

        # On a GPU backward passes have threads of their own, in which nothing is traced.
        with torch.autograd.set_multithreading_enabled(False):
            module = make_fx(drawing, decomposition_table=DECOMPOSED)(*inputs)
        self.module = module
        self.given = [node for node in module.graph.nodes if node.op == "placeholder"]
        self.others: dict[Node, Callable[[], Tensor]] = {}  # further placeholders, and where their tensors come from
        self._take_out(draws)
        self._lift_tensors()
        self._drop_profiling()
        module.graph.eliminate_dead_code()
        module.graph.lint()
        module.recompile()
        self.run = compiler(module, self._arguments(inputs))

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """What `function` returns, but for the graph behind it."""
        with torch.no_grad():
            return self.run(*self._arguments(inputs))

    def _arguments(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        return [*inputs, *(source() for source in self.others.values())]

    def _take_out(self, draws: "_Draws") -> None:
        for node in list(self.module.graph.nodes):
            if node.target is _draw:
                self._replace(node, draws.made[node.args[0]])

    def _lift_tensors(self) -> None:
        lifted: dict[int, Node] = {}
        for node in list(self.module.graph.nodes):
            if node.op != "get_attr" or not isinstance(tensor := getattr(self.module, node.target), Tensor):
                continue
            if id(tensor) in lifted:
                node.replace_all_uses_with(lifted[id(tensor)])
                self.module.graph.erase_node(node)
            else:
                lifted[id(tensor)] = self._replace(node, _constant(tensor.detach()))

    def _replace(self, node: Node, source: Callable[[], Tensor]) -> Node:
        """A placeholder, after those that are there, in place of the node."""
        graph, last = self.module.graph, [*self.given, *self.others][-1]
        with graph.inserting_after(last):
            placeholder = graph.placeholder(f"taken_{len(self.others)}")
        placeholder.meta = dict(node.meta)
        node.replace_all_uses_with(placeholder)
        graph.erase_node(node)
        self.others[placeholder] = source
        return placeholder

    def _drop_profiling(self) -> None:
        for node in reversed(list(self.module.graph.nodes)):
            if getattr(node.target, "namespace", "") == "profiler":
                self.module.graph.erase_node(node)


class _Draws(TorchDispatchMode):
    """Draws from a generator, made beside the trace, in which `_draw` stands for them; their order is that of `made`.

    torch's tracer itself takes no torch.Generator in version 2.11.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Callable[[], Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        settings, mode = kwargs or {}, get_proxy_mode()
        if settings.get("generator") is None or mode is None:
            return func(*args, **settings)
        if any(isinstance(x, Tensor) for x in args):
            raise RuntimeError(f"{func} draws into a tensor: draw with torch.rand or torch.randn instead")
        draw = _drawing(func, args, settings)
        with disable_proxy_modes_tracing():
            drawn = draw()
        stands_for_it = mode.tracer.create_proxy("call_function", _draw, (len(self.made),), {})
        self.made.append(draw)
        return track_tensor_tree(drawn, stands_for_it, constant=None, tracer=mode.tracer)


def _draw(index: int) -> Tensor:
    raise AssertionError(f"draw {index} was not taken out of the graph")


def _constant(tensor: Tensor) -> Callable[[], Tensor]:
    return lambda: tensor


def _drawing(draw: Callable[..., Tensor], args: tuple[Any, ...], settings: dict[str, Any]) -> Callable[[], Tensor]:
    return lambda: draw(*args, **settings)


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
