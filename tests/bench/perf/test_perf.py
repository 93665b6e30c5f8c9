"""The performance table: that both loops do the same work, who runs what in which turn, what a row says. No timings."""

import csv
import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import replace
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn

from lipbench.bench.perf import __main__ as perf
from lipbench.bench.perf import against, commands, evaluation, iteration, sweeps, ways
from lipbench.bench.perf.budget import Budget
from lipbench.bench.perf.table import COLUMNS, Goal, Row, machine, markdown, perf_csv, print_rows
from lipbench.bench.records.schema import RunOutcome, RunResult
from lipbench.bench.report.statistics import Estimate
from lipbench.bench.run.context import RunContext
from lipbench.models import Networks
from lipbench.models.dcgan import dcgan
from lipbench.models.iteration import RealData
from lipbench.objectives import BadInput

SMALL = 2  # iterations in a block


def small_dcgan(shape: tuple[int, ...]) -> Networks:
    return dcgan(shape, channels=4)


def small(case: iteration.Case) -> iteration.Case:
    """The same case on fewer channels and images."""
    if case.networks is not dcgan:
        return replace(case, size=SMALL)
    return replace(case, networks=small_dcgan, recipe=replace(case.recipe, batch=8), size=SMALL)


def named(cases: tuple[iteration.Case, ...]) -> list[str]:
    return [case.name for case in cases]


def equal(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("case", iteration.CASES, ids=named(iteration.CASES))
def test_iteration_both_loops_end_with_the_same_weights(case: iteration.Case) -> None:
    """Bit for bit: otherwise the ratio would compare different work."""
    case = small(case)
    gan, raw = iteration.build(case, 3 * SMALL)
    start = deepcopy(gan.iteration.generator), deepcopy(gan.iteration.critic)
    iteration.interleave(gan, raw, SMALL)
    assert gan.iteration.updates == 3 * SMALL
    for first, ours, theirs in zip(
        start, (gan.iteration.generator, gan.iteration.critic), (raw.generator, raw.critic), strict=True
    ):
        assert not equal(first, ours)
        assert equal(ours, theirs)


def test_iteration_goal_is_on_the_case_that_the_goal_names() -> None:
    (case,) = (case for case in iteration.CASES if case.goal is not None)
    assert case.name == "wgan-gp, MLP 3×64"
    assert (case.recipe.batch, case.recipe.n_critic, case.goal) == (256, 5, Goal("≤", 1.08))
    gan, _ = iteration.build(case, 1)
    assert [layer.out_features for layer in gan.iteration.critic.modules() if isinstance(layer, nn.Linear)] == [
        64,
        64,
        64,
        1,
    ]


class Clock:
    """Stands in for the two clocks: whoever takes time moves it."""

    def __init__(self) -> None:
        self.wall, self.processor = 0.0, 0.0


class SlowData:
    """Data of which each draw takes so long, by the wall clock and of the processor's time."""

    def __init__(self, data: RealData, clock: Clock, wall: float, processor: float) -> None:
        self.data, self.clock, self.costs = data, clock, (wall, processor)

    def sample(self, n: int, rng: torch.Generator) -> torch.Tensor:
        self.clock.wall += self.costs[0]
        self.clock.processor += self.costs[1]
        return self.data.sample(n, rng)


def test_iteration_interleave_times_each_block_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pair is left out, and neither side's time holds the other's."""
    case, clock = small(iteration.CASES[0]), Clock()
    case = replace(case, recipe=replace(case.recipe, n_critic=1))  # a draw an iteration
    monkeypatch.setattr(time, "perf_counter", lambda: clock.wall)
    monkeypatch.setattr(time, "process_time", lambda: clock.processor)
    gan, raw = iteration.build(case, 4 * SMALL)
    gan.iteration.data, raw.data = SlowData(gan.iteration.data, clock, 3, 2), SlowData(raw.data, clock, 5, 1)
    turns = iteration.interleave(gan, raw, SMALL)
    assert (turns.lipbench.wall, turns.lipbench.processor) == ([3] * 3, [2] * 3)
    assert (turns.other.wall, turns.other.processor) == ([5] * 3, [1] * 3)


def test_iteration_interleave_ends_with_its_budget_but_not_before_three_pairs() -> None:
    case = small(iteration.CASES[0])
    for budget, pairs in ((Budget(1e-9), 3), (Budget(1e9), 5)):
        gan, raw = iteration.build(case, 6 * SMALL)
        turns = iteration.interleave(gan, raw, SMALL, budget)
        assert (len(turns.lipbench.wall), len(turns.other.wall)) == (pairs, pairs)
        assert gan.iteration.updates == (pairs + 1) * SMALL


def test_iteration_rows_of_a_case() -> None:
    rows = list(iteration.measure(small(iteration.CASES[0]), 3))
    assert [row.unit for row in rows] == ["ms", "ms", "×", "×"]
    assert [row.goal is not None for row in rows] == [False, False, True, False]
    assert all(row.estimate.n == 3 and row.estimate.value > 0 for row in rows)


def test_training_does_not_search_for_gpus_at_each_step() -> None:
    """Lightning's setting would have every step of Adam open the driver's library."""
    assert "PYTORCH_NVML_BASED_CUDA_CHECK" not in os.environ


class Desk:
    """A worker that notes what it is given and says it is done."""

    def __init__(self, name: str, log: list[tuple[str, int, int]], status: str = "completed") -> None:
        self.name, self.log, self.status, self.made = name, log, status, set()

    def submit(self, spec: Any, context: RunContext) -> "Future[RunResult]":
        self.log.append((self.name, spec.seed, context.threads))
        assert (context.folder, spec.id) not in self.made, "a worker would find the run instead of making it"
        self.made.add((context.folder, spec.id))
        done: Future[RunResult] = Future()
        done.set_result(RunResult("r", {}, RunOutcome(self.status, "of a reason")))
        return done


def test_sweeps_throughput_gives_the_same_runs_to_one_and_to_two_workers(tmp_path: Path) -> None:
    log: list[tuple[str, int, int]] = []
    runs = sweeps.specs(2, datasets=["8gaussians"], steps=1)
    seconds = sweeps.throughput([Desk("a", log), Desk("b", log)], runs, tmp_path, rounds=2)
    warm_up, rounds = log[:4], log[4:]
    assert {(name, threads) for name, _, threads in warm_up} == {("a", 1), ("b", 1)}
    one = [("a", 0, 1), ("a", 1, 1), ("a", 0, 1), ("b", 1, 1), ("a", 0, 2), ("a", 1, 2)]
    assert rounds == one * 2
    assert {name: len(values) for name, values in seconds.items()} == {
        "1 job × 1 thread": 2,
        "2 jobs × 1 thread": 2,
        "1 job × 2 threads": 2,
    }


def test_sweeps_throughput_rows_compare_round_by_round() -> None:
    seconds = {
        "1 job × 1 thread": [10.0, 20.0, 40.0],
        "2 jobs × 1 thread": [5.0, 12.5, 20.0],
        "1 job × 2 threads": [4.0, 10.0, 16.0],
    }
    rows = {row.measured: row for row in sweeps.throughput_rows("load", seconds)}
    assert rows["1 job × 1 thread"].estimate.value == 6  # 2 runs in 20 s, a minute
    speedup = rows["2 jobs / 1 job × 1 thread"]
    assert (speedup.estimate.value, speedup.met) == (2.0, "yes")
    assert speedup.estimate.low == 1.6
    against_threads = rows["2 jobs / 1 job × 2 threads"]
    assert (against_threads.estimate.value, against_threads.met) == (0.8, "no")


def test_sweeps_a_failed_run_is_not_a_measurement(tmp_path: Path) -> None:
    runs = sweeps.specs(1, datasets=["8gaussians"], steps=1)
    with pytest.raises(RuntimeError, match="failed: of a reason"):
        sweeps.overhead(Desk("a", [], "failed"), runs, tmp_path)


def test_sweeps_overhead_leaves_out_the_run_that_starts_the_worker(tmp_path: Path) -> None:
    log: list[tuple[str, int, int]] = []
    runs = sweeps.specs(4, datasets=["8gaussians"], architectures=[sweeps.SMALLEST["8gaussians"]], **sweeps.IDLE)
    assert len(sweeps.overhead(Desk("a", log), runs, tmp_path)) == 3
    assert [seed for _, seed, _ in log] == [0, 1, 2, 3]


def test_evaluation_rows_are_of_points_and_images() -> None:
    rows = list(evaluation.rows(3, n=64, n_modes=100, batch=1))
    assert [row.measured for row in rows] == [
        "W1, 64 points a side",
        "W1 of 64, modes of 100 points",
        "FD and IS on mnist-cnn, 64 images",
        "all metrics on mnist-cnn, 64 images",
        "inception, folded",
        "inception, unfolded",
        "efficientnet-lite0, folded",
        "efficientnet-lite0, unfolded",
    ]
    assert all(row.estimate.value > 0 and row.estimate.n == 3 for row in rows)


@pytest.mark.parametrize(
    ("sign", "value", "met"), [("≤", 1.08, "yes"), ("≤", 1.0801, "no"), ("≥", 1.8, "yes"), ("≥", 1.7999, "no")]
)
def test_row_says_whether_the_goal_is_met(sign: Any, value: float, met: str) -> None:
    goal = Goal(sign, 1.08 if sign == "≤" else 1.8)
    row = Row("part", "ratio", "×", Estimate(value, None, None, 1), goal)
    assert row.met == met
    assert row.cells()[-2:] == [f"{sign} {goal.bound:g}", met]


def test_row_shows_enough_digits_to_tell_a_missed_goal() -> None:
    row = Row("part", "ratio", "×", Estimate(1.084, 1.0712, 1.0999, 9), Goal("≤", 1.08))
    assert row.cells() == ["part", "ratio", "1.084 ×", "[1.071, 1.100]", "≤ 1.08", "no"]


ROWS = [
    Row("a | b", "cost", "ms", Estimate(1.23456789, 1.2, 1.3, 60)),
    Row("c", "ratio", "×", Estimate(1.5, None, None, 2), Goal("≥", 1.8)),
]


def test_printed_fits_a_narrow_terminal_with_each_part_once() -> None:
    console = Console(width=80, file=StringIO())
    with console.capture() as said:
        print_rows([*ROWS, ROWS[1]], console)
    lines = [line.rstrip() for line in said.get().splitlines()]
    assert [line.strip() for line in lines].count("c") == 1
    assert sum("goal" in line for line in lines) == 1  # the other part has none
    assert sum("1.500 ×" in line and "≥ 1.8" in line and line.endswith("no") for line in lines) == 2
    assert max(map(len, lines)) <= 80


def test_csv_has_a_line_per_row_and_all_digits() -> None:
    lines = list(csv.DictReader(StringIO(perf_csv(ROWS))))
    assert tuple(lines[0]) == COLUMNS
    assert float(lines[0]["median"]) == 1.23456789
    assert (lines[0]["goal"], lines[0]["met"]) == ("", "")
    assert (lines[1]["low"], lines[1]["n"], lines[1]["goal"], lines[1]["met"]) == ("", "2", "≥ 1.8", "no")


def test_markdown_holds_the_rows_and_the_machine() -> None:
    about = machine({"processor": "abacus", "cores": 2}, "python -m lipbench.bench.perf --quick", (1.5, 0.25, 0.125))
    text = markdown(ROWS, about)
    assert r"| a \| b | cost | 1.235 ms | [1.200, 1.300] |  |  |" in text
    assert "| c | ratio | 1.500 × |  | ≥ 1.8 | no |" in text
    assert "| processor | abacus |" in text
    assert "| command | python -m lipbench.bench.perf --quick |" in text
    assert "| load at the start | 1.50, 0.25, 0.12 (1, 5, 15 minutes) |" in text
    assert f"| pytorch-lightning | {version('pytorch-lightning')} |" in text


def test_intervals_of_few_repeats_are_not_called_95_percent() -> None:
    few = Row("c", "ratio", "×", Estimate(1.5, 1.4, 1.6, 3))
    told = "With 3 repeats an interval is their range, which holds the median of all possible repeats with a"
    console = Console(width=80, file=StringIO())
    with console.capture() as said:
        print_rows([*ROWS, few], console)
    shown = " ".join(said.get().split())
    for text in (markdown([*ROWS, few], {}), shown):
        assert f"{told} probability of 75 %, not 95 %." in text
    assert "not 95 %" not in markdown(ROWS, {})


def test_main_writes_the_table(tmp_path: Path, capsys: Any) -> None:
    asked: list[tuple[int, bool]] = []

    def measure(wanted: perf.Wanted, budget: Budget) -> Iterator[Row]:
        asked.append((wanted.repeats, wanted.quick))
        yield from ROWS

    perf.main(["--out", str(tmp_path / "new"), "--repeats", "7"], measure)
    perf.main(["--out", str(tmp_path / "new"), "--quick"], measure)
    assert asked == [(7, False), (60, True)]
    assert (tmp_path / "new" / "perf.csv").read_text() == perf_csv(ROWS)
    assert "≥ 1.8" in (tmp_path / "new" / "perf.md").read_text()
    assert "What lipbench costs" in capsys.readouterr().out


def test_main_tells_bad_input_in_a_line(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("")
    for arguments, told in ((["--repeats", "2"], "--repeats 2"), (["--out", str(tmp_path / "file")], "--out")):
        with pytest.raises(SystemExit) as stop:
            perf.main(arguments, lambda *_: iter(ROWS))
        assert stop.value.code == 2
        assert told in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_main_measures_everything(tmp_path: Path) -> None:
    perf.main(["--quick", "--out", str(tmp_path)])
    lines = list(csv.DictReader(StringIO((tmp_path / "perf.csv").read_text())))
    parts = {line["part"].partition(":")[0] for line in lines}
    assert parts == {"command line, processor time", "iteration", "speed on cpu", "evaluation", "sweep"}
    assert sum(line["goal"] != "" for line in lines) == 10
    assert all(float(line["median"]) > 0 for line in lines)


def test_commands_take_the_processors_time_of_a_process_that_ends_well() -> None:
    assert 0 < commands.processor_seconds(["--help"]) < 60
    with pytest.raises(RuntimeError, match=r"lipbench run missing exited with 2: .*missing"):
        commands.processor_seconds(["run", "missing"])


@pytest.mark.slow
def test_commands_measure_a_folder_of_finished_runs() -> None:
    rows = list(commands.rows(1, [4]))
    names = ["--help", "list objectives", "run, nothing to do of 4 runs", "report of 4 runs"]
    assert [row.measured for row in rows] == names
    nothing, report = rows[-2:]
    assert nothing.estimate.value < report.estimate.value  # only the second imports torch and matplotlib


class Ticking:
    """A loop whose iterations take a known time on a clock of its own."""

    def __init__(self, name: str, seconds: float, clock: list[float], log: list[tuple[str, int]]) -> None:
        self.name, self.seconds, self.clock, self.log = name, seconds, clock, log

    def run(self, iterations: int) -> None:
        self.log.append((self.name, iterations))
        self.clock[0] += self.seconds * iterations


def test_ways_take_turns_and_are_held_against_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = [0.0], list[tuple[str, int]]()
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    loops = {"other": Ticking("o", 0.5, clock, log), ways.EAGER: Ticking("e", 0.25, clock, log)}
    found = ways.interleave(loops, 4, 2, "cpu")
    assert log == [("o", 4), ("e", 4)] * 3
    assert found["other"].speed == [2.0, 2.0]
    rows = list(ways.table("part", found, {"other": Goal("≥", 0.4)}))
    assert [(row.measured, row.estimate.value, row.met) for row in rows] == [
        ("other", 2.0, ""),
        (ways.EAGER, 4.0, ""),
        (f"other / {ways.EAGER}", 0.5, "yes"),
    ]


def test_ways_compare_graphs_with_eager_of_their_precision() -> None:
    speeds = {ways.EAGER: 2.0, "lipbench, eager, tf32": 4.0, "lipbench, graph": 3.0, "lipbench, graph, tf32": 10.0}
    found = {name: ways.Turns(memory=7.0, speed=[speed]) for name, speed in speeds.items()}
    rows = {row.measured: row.estimate.value for row in ways.table("part", found, {})}
    assert rows["lipbench, graph, tf32 / lipbench, eager, tf32"] == 2.5
    assert rows[f"lipbench, graph / {ways.EAGER}"] == 1.5
    assert rows[f"lipbench, eager, tf32 / {ways.EAGER}"] == 2.0
    assert rows["lipbench, graph: memory of the first turn"] == 7.0


class Broken:
    """A loop that cannot run here."""

    def run(self, iterations: int) -> None:
        raise RuntimeError("cannot\nbe captured")


def test_ways_leave_out_what_fails_at_once_and_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    working = Ticking("e", 0.25, [0.0], [])
    found = ways.interleave({"other": Broken(), ways.EAGER: working}, 1, 2, "cpu")
    assert list(found) == [ways.EAGER]
    assert capsys.readouterr().err == "other: left out: cannot be captured\n"
    with pytest.raises(RuntimeError, match="captured"):
        ways.interleave({ways.EAGER: Broken()}, 1, 2, "cpu")


@pytest.mark.parametrize("case", [iteration.CASES[1], ways.sngan(2, channels=2)], ids=["MLP", "CNN"])
def test_ways_raw_and_eager_do_the_same_work(case: iteration.Case) -> None:
    data = ways.real_samples(case.dataset, "cpu")
    raw, eager = iteration.raw_loop(case, data, "cpu"), ways.lipbench_loop(case, data, ways.Way(ways.EAGER), "cpu")
    for loop in (raw, eager):
        loop.run(2)
    assert equal(raw.generator, eager.iteration.generator)
    assert equal(raw.critic, eager.iteration.critic)


def test_ways_on_a_gpu_have_graphs_and_each_precision() -> None:
    found = {(way.accelerate, way.precision) for way in ways.ON_GPU}
    precisions = ("32", "tf32", "bf16")
    assert found == {("compile", "32"), *((way, name) for way in ("none", "graph") for name in precisions)}
    assert {way.accelerate for way in ways.ON_CPU} == {"none", "compile"}


THEIRS = """
from torch import nn

class Generator32(nn.Sequential):
    def __init__(self, z):
        super().__init__(nn.Linear(z, 3072), nn.Tanh(), nn.Unflatten(1, (3, 32, 32)))

class Discriminator32(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(3072, 1))
"""
LOSS = """
class Hinge:
    def __call__(self, real, fake=None):
        return -real.mean() if fake is None else (1 - real).relu().mean() + (1 + fake).relu().mean()
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder laid out as the clone of another project, with small networks."""
    (tmp_path / "source/models").mkdir(parents=True)
    (tmp_path / "source/models/sngan.py").write_text(THEIRS)
    (tmp_path / "source/losses.py").write_text(LOSS)
    return tmp_path


def test_against_trains_the_networks_of_a_clone(clone: Path) -> None:
    project = against.find(clone)
    assert project.name == "pytorch-gan-collections"
    case = project.case(4)
    theirs = project.make(clone, case, ways.real_samples(case.dataset, "cpu"), "cpu")
    before = deepcopy(theirs.critic), deepcopy(theirs.generator)
    theirs.run(2)
    assert not equal(before[0], theirs.critic)
    assert not equal(before[1], theirs.generator)
    steps = [next(iter(o.state.values()))["step"].item() for o in theirs.optimizers]
    assert steps == [2, 2 * case.recipe.n_critic]


def test_against_refuses_other_networks_and_other_folders(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"396288 parameters, and lipbench's networks 3813379"):
        next(against.rows(clone, 3, "cpu", 4))
    (tmp_path / "source/models/sngan.py").unlink()
    with pytest.raises(BadInput, match=r"must be a clone of one of: pytorch-gan-collections .*, mimicry "):
        against.find(tmp_path)


def test_against_names_the_commit_or_says_that_git_does_not_tell(clone: Path) -> None:
    assert against.commit(clone) == "unknown commit"
    git = ["git", "-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    assert re.fullmatch(r"[0-9a-f]{7,}", against.commit(clone))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--batch", "1"], "--batch 1: must be 2 or more"),
        (["--device", "cuda"], "--device cuda: no GPUs can be used here"),
        (["--against", "/nowhere"], "--against /nowhere: must be a clone of one of"),
    ],
)
def test_main_refuses_before_it_measures(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: list[str], told: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as stop:
        perf.main(arguments, lambda *_: pytest.fail("it measures"))
    assert stop.value.code == 2
    assert told in capsys.readouterr().err


class Spending:
    """A loop that takes a second of the clock at every turn."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def run(self, count: int) -> None:
        self.clock.wall += 1


@pytest.fixture
def spending(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two loops on a clock that they alone move."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.wall)
    return {ways.EAGER: Spending(clock), "other": Spending(clock)}


def test_budget_ends_the_turns(spending: dict[str, Any]) -> None:
    """Two seconds of warming up, then two a round, until ten are over; without a budget all repeats."""
    found = ways.interleave(spending, 1, 100, "cpu", Budget(10))
    assert {name: len(turns.speed) for name, turns in found.items()} == {ways.EAGER: 4, "other": 4}
    found = ways.interleave(spending, 1, 100, "cpu")
    assert {name: len(turns.speed) for name, turns in found.items()} == {ways.EAGER: 100, "other": 100}


def test_budget_leaves_out_loops_that_had_no_turn_and_says_so(
    spending: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = ways.interleave(spending, 1, 100, "cpu", Budget(0.5))
    assert {name: len(turns.speed) for name, turns in found.items()} == {ways.EAGER: 1}
    assert "other: left out: the budget is used up" in capsys.readouterr().err


def test_budget_is_shared_evenly_among_what_is_left(spending: dict[str, Any]) -> None:
    budget = Budget(9)
    first = budget.share(3)
    for _ in range(3):
        assert not first.over()
        spending["other"].run(1)
    assert first.over() and not budget.over() and not Budget().share(2).over()


def test_budget_that_is_used_up_leaves_what_was_found(tmp_path: Path) -> None:
    """The first case alone is begun, lipbench's eager way alone is measured; the command ends well."""
    perf.main(["--parts", "speed", "sweep", "--quick", "--budget", "0.001", "--out", str(tmp_path)])
    rows = list(csv.DictReader(StringIO((tmp_path / "perf.csv").read_text())))
    expected = [(f"speed on cpu: {iteration.CASES[0].name}", ways.EAGER)]
    assert [(row["part"], row["measured"]) for row in rows] == expected
    assert "0.001 s, used up" in (tmp_path / "perf.md").read_text()


@pytest.mark.parametrize("seconds", ["0", "-3", "nan", "inf"])
def test_budget_must_be_a_time(seconds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        perf.main([f"--budget={seconds}", "--out", str(tmp_path)])
    assert ended.value.code == 2 and "must be a number of seconds > 0" in capsys.readouterr().err
