"""What a run takes of a GPU, its evaluations apart; the GPU's counter is played."""

import pytest

from lipbench.bench.run import machine
from lipbench.bench.run.machine import PeakMemory


class Counter:
    """A GPU's peak since it was last reset, where so much is held all the time."""

    def __init__(self, held: float) -> None:
        self.held = self.peak = held

    def take(self, amount: float) -> None:
        self.peak = max(self.peak, self.held + amount)

    def reset(self, device: str) -> None:
        assert device == "cuda:1"
        self.peak = self.held


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    made = Counter(100.0)
    monkeypatch.setattr(machine, "peak_memory_mb", lambda device: made.peak)
    monkeypatch.setattr(machine, "reset_peak_memory", made.reset)
    return made


@pytest.mark.parametrize("training", [(7.0, 3.0), (3.0, 7.0)])
def test_peak_memory_of_the_training_leaves_evaluations_out(counter: Counter, training: tuple[float, float]) -> None:
    memory = PeakMemory("cuda:1")
    counter.take(training[0])
    with memory.apart():
        counter.take(50.0)
    counter.take(training[1])
    with pytest.raises(ZeroDivisionError), memory.apart():
        counter.take(60.0)
        raise ZeroDivisionError
    assert memory.figures() == {"peak_memory_mb": 160.0, "training_memory_mb": 107.0}


def test_peak_memory_of_all_is_the_trainings_where_that_takes_more(counter: Counter) -> None:
    memory = PeakMemory("cuda:1")
    with memory.apart():
        counter.take(5.0)
    counter.take(80.0)
    assert memory.figures() == {"peak_memory_mb": 180.0, "training_memory_mb": 180.0}


def test_peak_memory_on_a_cpu_is_the_processs_alone(counter: Counter) -> None:
    memory = PeakMemory("cpu")
    with memory.apart():
        counter.take(5.0)
    assert memory.figures() == {"peak_memory_mb": 105.0, "training_memory_mb": None}
