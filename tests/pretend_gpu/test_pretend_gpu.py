"""That the pretended GPU refuses what a real one refuses, and allows what it allows."""

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
        pytest.param(lambda: there(2).add_(here(2)), id="in-place"),
        pytest.param(lambda: here().add_(there()), id="number-in-place"),
        pytest.param(lambda: torch.cat([here(2), there(2)]), id="cat"),
        pytest.param(lambda: torch.stack([here(), there()]), id="stack"),
        pytest.param(lambda: nn.Linear(2, 1)(there(3, 2)), id="module"),
        pytest.param(lambda: nn.Linear(2, 1).to("cuda")(here(3, 2)), id="input"),
        pytest.param(lambda: there(3).index_select(0, torch.tensor([1])), id="index-select"),
        pytest.param(lambda: torch.lerp(there(2), there(2), here(2)), id="lerp"),
        pytest.param(lambda: torch.ops.aten._foreach_add_.List([there(2)], [here(2)]), id="foreach"),
        pytest.param(lambda: there(2)[there(2).long()] + here(2), id="indexed"),
    ],
)
def test_gpu_refuses_mixed_devices(gpu: Any, mix: Callable[[], Tensor]) -> None:
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        mix()


@pytest.mark.parametrize(
    "allowed",
    [
        pytest.param(lambda: there(2) * here(), id="number"),
        pytest.param(lambda: there(3)[torch.tensor([0, 2])], id="indices"),
        pytest.param(lambda: there(2).copy_(here(2)), id="copy"),
        pytest.param(lambda: here(2).to("cuda"), id="to"),
        pytest.param(lambda: here(2).to(there(1)), id="to-other"),
        pytest.param(lambda: torch.zeros_like(here(2), device="cuda:0"), id="like"),
        pytest.param(lambda: torch.as_tensor(here(2), device=torch.device("cuda")), id="as-tensor"),
        pytest.param(lambda: there(2).new_tensor([1.0, 2.0]), id="new-tensor"),
        pytest.param(lambda: there(2).new_zeros(2), id="new-zeros"),
        pytest.param(lambda: torch.randn(2, device="cuda", generator=torch.Generator("cuda")), id="stream"),
        pytest.param(lambda: there(2).double().view(2, 1).expand(2, 3)[0], id="views"),
        pytest.param(lambda: nn.Linear(2, 1).cuda()(there(3, 2)), id="module"),
    ],
)
def test_gpu_is_where_the_results_are(gpu: Any, allowed: Callable[[], Tensor]) -> None:
    found = allowed()
    assert found.device == torch.device("cuda:0")
    assert found.is_cuda
    assert found.cpu().device == torch.device("cpu")


def test_gpu_has_memory_of_its_own(gpu: Any) -> None:
    x = here(2)
    y = x.to("cuda")
    y.add_(1)
    assert x.tolist() == [1, 1]
    assert y.cpu().tolist() == [2, 2]
    assert y.to("cuda") is y


def test_gpu_gradients_lie_there(gpu: Any) -> None:
    layer = nn.Linear(2, 1).to("cuda")
    layer(there(3, 2)).square().mean().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.device.type == "cuda"


@pytest.mark.parametrize(("stream", "device"), [("cpu", "cuda"), ("cuda", "cpu"), ("cuda:0", None)])
def test_gpu_refuses_streams_of_another_device(gpu: Any, stream: str, device: str | None) -> None:
    with pytest.raises(RuntimeError, match="device type for generator but found"):
        torch.randn(2, generator=torch.Generator(stream), device=device)
    with pytest.raises(RuntimeError, match="device type for generator but found"):
        torch.zeros(2, device="cuda").normal_(generator=torch.Generator("cpu"))


def test_gpu_streams_take_their_state_from_the_host(gpu: Any) -> None:
    stream = torch.Generator("cuda").manual_seed(3)
    state = stream.get_state()
    first = torch.rand(2, generator=stream, device="cuda").tolist()
    stream.set_state(state)
    assert torch.rand(2, generator=stream, device="cuda").tolist() == first
    with pytest.raises(TypeError, match="ByteTensor"):
        stream.set_state(state.to("cuda"))


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda x: x[0].item(), id="item"),
        pytest.param(lambda x: float(x.sum()), id="float"),
        pytest.param(lambda x: bool(x.any()), id="bool"),
        pytest.param(lambda x: x.tolist(), id="list"),
        pytest.param(lambda x: x[x > 0], id="mask"),
        pytest.param(lambda x: x.nonzero(), id="nonzero"),
        pytest.param(lambda x: torch.equal(x, x), id="equal"),
        pytest.param(lambda x: x.cpu(), id="cpu"),
        pytest.param(lambda x: here(3).to(x.device), id="to"),
        pytest.param(lambda x: torch.tensor([1.0], device=x.device), id="tensor"),
        pytest.param(lambda x: here(3).copy_(x), id="copy"),
        pytest.param(lambda x: x[torch.tensor([0])], id="indices"),
        pytest.param(lambda x: torch.cuda.synchronize(), id="synchronize"),
    ],
)
def test_gpu_tells_when_the_host_waits(gpu: Any, wait: Callable[[Tensor], Any]) -> None:
    x = there(3)
    wait(x)
    assert len(gpu.waits) >= 1
    with pytest.raises(RuntimeError, match="the host waits for the GPU"), gpu:
        wait(x)


def test_gpu_does_not_wait_for_copies_of_pinned_memory(gpu: Any) -> None:
    with gpu:
        assert here(3).pin_memory().to("cuda", non_blocking=True).is_cuda
        x = there(3)
        x[x > 0] = 2.0
    assert gpu.waits == []


def test_gpu_gives_numpy_nothing(gpu: Any) -> None:
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        there(2).numpy()


@pytest.mark.skipif(not torch.backends.cuda.is_built(), reason="only a build for CUDA knows its kernels")
def test_gpu_lacks_what_only_the_cpu_can(gpu: Any) -> None:
    with pytest.raises(NotImplementedError, match="'CUDA' backend"):
        torch.histogram(there(3), 2)


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
        pytest.param(lambda x, s: torch.tensor([1.0], device="cuda"), "the host waits", id="tensor"),
        pytest.param(lambda x, s: torch.rand(2, generator=s, device="cuda"), "not registered", id="stream"),
        pytest.param(lambda x, s: torch.zeros(()).add_(1), "computed on the host once", id="host"),
    ],
)
def test_gpu_graph_refuses_what_it_would_not_repeat(gpu: Any, step: Callable[..., Any], refused: str) -> None:
    x, stream, graph = there(2), torch.Generator("cuda"), torch.cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match=refused), torch.cuda.graph(graph):
        step(x, stream)


def test_gpu_is_gone_after_the_test() -> None:
    assert not torch.cuda.is_initialized() or torch.cuda.device_count()
    assert "device" not in vars(Tensor)
    assert torch.Generator is type(torch.default_generator)
