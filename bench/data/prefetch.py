"""Rows of a table too large for the device: gathered in host memory ahead of time, copied while the device computes."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import Tensor

DEPTH = 4  # minibatches gathered ahead


def draw_index(length: int, n: int, rng: torch.Generator) -> Tensor:
    """n rows of a table of that length, with replacement, on the generator's device; how every run draws its reals."""
    return torch.randint(length, (n,), generator=rng, device=rng.device)


def rows(table: Tensor, index: Tensor) -> Tensor:
    """Those rows, on the index's device; waits for that device where the table lies elsewhere."""
    if table.device == index.device:
        return table.index_select(0, index)
    return table.index_select(0, index.to(table.device)).to(index.device)


def fits(size: int, device: torch.device | str, alone: bool = False) -> bool:
    """Whether so many bytes of data may lie on the device: in half of a GPU's free memory; elsewhere always.

    `alone`: whether it might if nobody else were using the GPU.
    """
    device = torch.device(device)
    if device.type != "cuda":
        return True
    free, whole = torch.cuda.mem_get_info(device)
    return 2 * size <= (whole if alone else free)


@dataclass
class _Chain:
    """Draws that are under way, by the stream's state before each, and the stream as it is after the last of them."""

    ahead: torch.Generator | None = None
    pending: dict[bytes, Future[Tensor]] = field(default_factory=dict)


class Feed:
    """`sample(n, rng)` gives the rows that a table on the device would, and moves the stream on as it would.

    Whatever the stream's state at a call, the rows are its next ones: what was gathered ahead for another state is not
    used. So a run that is resumed goes on bit for bit. Not for use within a CUDA graph.

    Args:
        table: [N, …] in host memory, or mapped from a file.
    """

    def __init__(self, table: Tensor) -> None:
        self.table = table
        self._chains: dict[int, _Chain] = {}  # by the size of the draw: evaluations draw other sizes than training
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="feed")

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n rows [n, …] on the generator's device."""
        chain = self._chains.setdefault(n, _Chain())
        found = chain.pending.pop(_key(rng), None)
        if found is None:
            self._chains[n] = chain = _Chain()
            found = self._gather_later(n, copy_of(rng))
        draw_index(len(self.table), n, rng)
        self._look_ahead(chain, n, rng)
        return found.result().to(rng.device, non_blocking=True)

    def _look_ahead(self, chain: _Chain, n: int, rng: torch.Generator) -> None:
        chain.ahead = chain.ahead or copy_of(rng)
        while len(chain.pending) < DEPTH:
            chain.pending[_key(chain.ahead)] = self._gather_later(n, copy_of(chain.ahead))
            draw_index(len(self.table), n, chain.ahead)

    def _gather_later(self, n: int, rng: torch.Generator) -> Future[Tensor]:
        return self._pool.submit(self._gather, n, rng)

    def _gather(self, n: int, rng: torch.Generator) -> Tensor:
        if rng.device.type != "cuda":
            return self.table.index_select(0, draw_index(len(self.table), n, rng))
        # On a stream of its own, so that it waits for this draw alone and not for the training.
        with torch.cuda.stream(torch.cuda.Stream(rng.device)):
            index = draw_index(len(self.table), n, rng).cpu()
        return self.table.index_select(0, index).pin_memory()


def _key(rng: torch.Generator) -> bytes:
    return rng.get_state().numpy().tobytes()


def copy_of(rng: torch.Generator) -> torch.Generator:
    """A stream of its own that goes on as this one does."""
    copy = torch.Generator(rng.device)
    copy.set_state(rng.get_state())
    return copy
