"""The pretended GPU itself: what a real one refuses or waits for. Iterations in test_iterations.py test the rest."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn


def here(*size: int) -> Tensor:
    return torch.ones(size)


def there(*size: int) -> Tensor:
    return torch.ones(size, device="cuda")


@pytest.mark.parametrize(
    "mix",
    [
        pytest.param(lambda: here(2) + there(2), id="plus"),
        pytest.param(lambda: torch.cat([here(2), there(2)]), id="cat"),
        pytest.param(lambda: torch.ops.aten._foreach_add_.List([there(2)], [here(2)]), id="foreach"),
    ],
)
def test_gpu_refuses_mixed_devices(gpu: Any, mix: Callable[[], Tensor]) -> None:
    with pytest.raises(RuntimeError, match="same device"):
        mix()


def test_gpu_has_memory_of_its_own(gpu: Any) -> None:
    x = here(2)
    y = x.to("cuda").add_(here())
    assert (x.tolist(), y.cpu().tolist()) == ([1, 1], [2, 2])
    assert y.to("cuda") is y
    layer = nn.Linear(2, 1).to("cuda")
    layer(there(3, 2)).sum().backward()
    assert layer.weight.grad is not None
    assert {x.device.type for x in (y[0], layer.weight.grad, torch.zeros_like(y), y.new_tensor([1.0]))} == {"cuda"}


def test_gpu_streams_take_their_state_from_the_host(gpu: Any) -> None:
    stream = torch.Generator("cuda").manual_seed(3)
    state = stream.get_state()
    first = torch.rand(2, generator=stream, device="cuda").tolist()
    stream.set_state(state)
    assert torch.rand(2, generator=stream, device="cuda").tolist() == first
    with pytest.raises(TypeError, match="ByteTensor"):
        stream.set_state(state.to("cuda"))
    with pytest.raises(RuntimeError, match="device type for generator"):
        torch.randn(2, generator=stream)


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda x: float(x.sum()), id="float"),
        pytest.param(lambda x: x[x > 0], id="mask"),
        pytest.param(lambda x: torch.tensor([1.0], device=x.device), id="tensor"),
        pytest.param(lambda x: here(3).copy_(x), id="copy"),
        pytest.param(lambda x: x[torch.tensor([0])], id="indices"),
        pytest.param(lambda x: torch.cuda.synchronize(), id="synchronize"),
    ],
)
def test_gpu_tells_when_the_host_waits(gpu: Any, wait: Callable[[Tensor], Any]) -> None:
    x = there(3)
    wait(x)
    assert gpu.waits
    with pytest.raises(RuntimeError, match="the host waits"), gpu:
        wait(x)


def test_gpu_does_not_wait_for_copies_of_pinned_memory(gpu: Any) -> None:
    with gpu:
        assert here(3).pin_memory().to("cuda", non_blocking=True).is_cuda
    assert gpu.waits == []


def test_gpu_graph_repeats_what_was_captured(gpu: Any) -> None:
    """A capture changes nothing; a replay runs no Python, and draws and writes where the captured operations did."""
    stream, x, ran = torch.Generator("cuda").manual_seed(0), there(2), []
    start = stream.get_state()
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(stream)
    with torch.cuda.graph(graph):
        x.add_(torch.rand(2, generator=stream, device="cuda"))
        y = x * 2
        ran.append(1)
    assert x.cpu().tolist() == [1, 1]
    for _ in range(2):
        graph.replay()
    stream.set_state(start)
    expected = 1 + torch.rand(2, generator=stream, device="cuda") + torch.rand(2, generator=stream, device="cuda")
    assert torch.equal(x, expected)
    assert torch.equal(y, 2 * expected)
    assert ran == [1]


@pytest.mark.parametrize(
    ("step", "refused"),
    [
        pytest.param(lambda x, s: x.sum().item(), "the host waits", id="item"),
        pytest.param(lambda x, s: torch.rand(2, generator=s, device="cuda"), "not registered", id="stream"),
        pytest.param(lambda x, s: torch.zeros(()).add_(1), "computed on the host once", id="host"),
    ],
)
def test_gpu_graph_refuses_what_it_would_not_repeat(gpu: Any, step: Callable[..., Any], refused: str) -> None:
    x, stream, graph = there(2), torch.Generator("cuda"), torch.cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match=refused), torch.cuda.graph(graph):
        step(x, stream)
