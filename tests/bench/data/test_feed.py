"""Rows fed ahead of time against rows of a resident table: the same, whatever the stream's state."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lipbench.bench.data.dataset import Dataset
from lipbench.bench.data.prefetch import DEPTH, Feed, draw_index, fits, rows

TABLE = torch.arange(50 * 3, dtype=torch.uint8).reshape(50, 3)


def stream(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def resident(n: int, rng: torch.Generator) -> Tensor:
    return TABLE.index_select(0, torch.randint(50, (n,), generator=rng))


def test_feed_gives_what_a_resident_table_gives_and_moves_the_stream_alike() -> None:
    feed, ours, theirs = Feed(TABLE), stream(), stream()
    for n in (4, 4, 4, 7, 4, 7, 1, 4, 4, 4, 4, 4, 4):
        assert torch.equal(feed.sample(n, ours), resident(n, theirs))
        assert torch.equal(ours.get_state(), theirs.get_state())


def test_feed_follows_a_stream_that_others_draw_from_and_one_that_is_put_back() -> None:
    feed, ours, theirs = Feed(TABLE), stream(), stream()
    for _ in range(3):
        assert torch.equal(feed.sample(4, ours), resident(4, theirs))
    state = ours.get_state()
    for rng in (ours, theirs):
        torch.randn(3, generator=rng)
    assert torch.equal(feed.sample(4, ours), resident(4, theirs))
    for rng in (ours, theirs):
        rng.set_state(state)
    assert torch.equal(feed.sample(4, ours), resident(4, theirs))


def test_feed_that_begins_anew_goes_on_from_a_saved_state() -> None:
    first, rng = Feed(TABLE), stream()
    for _ in range(5):
        first.sample(4, rng)
    saved = rng.get_state()
    expected = [first.sample(4, rng) for _ in range(6)]
    resumed = torch.Generator()
    resumed.set_state(saved)
    second = Feed(TABLE)
    assert all(torch.equal(second.sample(4, resumed), rows) for rows in expected)


class Watched(Tensor):
    """A table that notes how many rows each draw takes."""

    drawn: list[int]

    def index_select(self, dim: int, index: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.drawn.append(len(index))
        return self.as_subclass(Tensor).index_select(dim, index)


def watched() -> Watched:
    table = TABLE.as_subclass(Watched)
    table.drawn = []
    return table


def test_feed_gathers_ahead_and_nothing_twice() -> None:
    table, rng = watched(), stream()
    feed = Feed(table)
    feed.sample(4, rng)
    feed.sample(1, stream(9))  # waits until all that was begun before is done
    ahead = table.drawn.count(4)
    assert ahead > 1
    feed.sample(4, rng)
    feed.sample(2, stream(9))
    assert table.drawn.count(4) == ahead + 1


def test_feed_keeps_two_sizes_of_draws_apart() -> None:
    """What is gathered for the one is of use after a draw of the other."""
    table, training, evaluation = watched(), stream(), stream(8)
    feed = Feed(table)
    for _ in range(3):
        feed.sample(4, training)
        feed.sample(9, evaluation)
    feed.sample(1, stream(9))
    assert table.drawn.count(4) == table.drawn.count(9) == 3 + DEPTH


def test_dataset_with_a_feed_samples_as_without_one(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (30, 1, 2, 2), dtype=np.uint8)
    images.tofile(tmp_path / "x.bin")
    mapped = torch.from_numpy(np.memmap(tmp_path / "x.bin", dtype=np.uint8, mode="c", shape=images.shape))
    plain = Dataset("x", (1, 2, 2), torch.from_numpy(images), None, None, None, None, "made up")
    fed = Dataset("x", (1, 2, 2), mapped, None, None, None, None, "made up", feed=Feed(mapped))
    ours, theirs = stream(), stream()
    for _ in range(4):
        assert torch.equal(fed.sample(6, ours), plain.sample(6, theirs))


def test_dataset_moved_to_a_device_that_it_does_not_fit_is_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 10**9))
    data = Dataset("x", (3,), TABLE, TABLE[:10], None, None, None, "made up").to("cuda:0")
    assert data.feed is not None
    assert data.feed.table is data.train is TABLE


def test_everything_fits_on_a_cpu_and_half_of_the_free_memory_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fits(TABLE.nbytes, "cpu")
    for free, fit in ((2 * TABLE.nbytes, True), (2 * TABLE.nbytes - 1, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 10**9))
        assert fits(TABLE.nbytes, "cuda:0") is fit
        assert fits(TABLE.nbytes, "cuda:0", alone=True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 2 * TABLE.nbytes - 1))
    assert not fits(TABLE.nbytes, "cuda:0", alone=True)


def test_rows_come_on_the_device_of_the_index() -> None:
    index = draw_index(50, 6, stream())
    assert torch.equal(rows(TABLE, index), TABLE[index])
