"""What a sweep tells while it runs: what is under way, how many are done, failed and left, and for how long yet.

On a terminal and in a notebook a display that renews itself, in a log a line for every run that ends. Decides nothing.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from statistics import fmean

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..config.process_state import told
from ..config.spec import RunSpec
from ..records.schema import RunOutcome, RunResult
from .executors import Event, RunFinished, RunRetried, RunStarted

SHOWN = 8  # runs under way that are named; the others are counted
RENEWED = 2  # times a second


class TimeLeft:
    """Guesses from the runs that have ended how long the others will take: from those of the same kind, if there are.

    Args:
        slots: runs made at once; None: as many as have been seen under way.
    """

    def __init__(self, slots: int | None) -> None:
        self._slots, self._seconds = slots, dict[tuple[str, ...], list[float]]()

    def learn(self, spec: RunSpec, seconds: float) -> None:
        """A run of that specification took so long."""
        for kind in _kinds(spec):
            self._seconds.setdefault(kind, []).append(seconds / spec.steps if kind == () else seconds)

    def guess(self, waiting: Sequence[RunSpec], running: Sequence[tuple[RunSpec, float]]) -> float | None:
        """Seconds until all have ended; `running` has how long each is under way. None: nothing has been learnt yet."""
        rest = [self._one(spec) for spec in waiting]
        begun = [max(self._one(spec) - elapsed, 0.0) for spec, elapsed in running]
        if not self._seconds:
            return None
        return max([sum(rest + begun) / max(1, self._slots or len(running)), *begun])

    def _one(self, spec: RunSpec) -> float:
        for kind in _kinds(spec):
            if kind in self._seconds:
                return fmean(self._seconds[kind]) * (spec.steps if kind == () else 1)
        return 0.0


def _kinds(spec: RunSpec) -> list[tuple[str, ...]]:
    """What a run is like, from the closest; the last, (), is any run, compared by the step."""
    steps = str(spec.steps)
    network = (spec.dataset, spec.architecture, steps)
    return [(*network, spec.objective, spec.recipe), (*network, spec.recipe), network, ()]


class Progress:
    """Follows the events of a sweep.

    Args:
        todo: the runs to be made.
        console: gets the display, or the lines.
        left: knows the runs that were made before.
        verbose: gives every run a line, with its id and its memory, on a terminal and in a notebook too.
    """

    def __init__(self, todo: Sequence[RunSpec], console: Console, left: TimeLeft, verbose: bool = False) -> None:
        self._verbose = verbose
        self._waiting = {spec.id: spec for spec in todo}
        self._running: dict[str, tuple[RunSpec, float]] = {}
        self._total, self._console, self._left = len(todo), console, left
        self._renews = console.is_terminal or console.is_jupyter
        self._ended: Counter[str] = Counter()
        self._notices: set[str] = set()
        self._begun = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within it the display is there, if the console is a terminal or a notebook's."""
        if not self._renews:
            yield
        elif self._console.is_jupyter:
            with _in_notebook(self._text):
                yield
        else:
            live = Live(get_renderable=self._display, console=self._console, transient=True, refresh_per_second=RENEWED)
            with live:
                yield

    def tell(self, event: Event, result: RunResult | None = None) -> None:
        """Takes note of an event; says what is worth a line. `result`: of a run that ended."""
        spec = event.spec
        if isinstance(event, RunStarted):
            self._waiting.pop(spec.id, None)
            self._running[spec.id] = spec, time.monotonic()
        elif isinstance(event, RunRetried):
            self._running.pop(spec.id, None)
            self._waiting[spec.id] = spec
            self._line(f"{name(spec)}: {event.cause}; it is tried again")
        elif isinstance(event, RunFinished):
            assert result is not None
            self._end(spec, result)

    def _end(self, spec: RunSpec, result: RunResult) -> None:
        self._waiting.pop(spec.id, None)
        _, since = self._running.pop(spec.id, (spec, None))
        if result.changed:
            self._line(
                f"{name(spec)}: {' or '.join(spec.outside)} changed {told(list(result.changed))}; no other run saw that"
            )
        for notice in result.notices:
            if notice not in self._notices:
                self._notices.add(notice)
                self._line(notice)
        this_time = None if since is None or result.cost.attempts <= 1 else time.monotonic() - since
        took = spent(result.cost.seconds, this_time)
        self._ended[result.outcome.status] += 1
        if result.measured is not None:
            self._left.learn(spec, result.cost.seconds)
        if self._verbose:
            memory = result.cost.peak_memory_mb
            took += f", {memory:,.0f} MB" if memory else ""
            took += f", {spec.id}"
        if result.outcome.reason or self._verbose or not self._renews:
            done = f"[{self._ended.total()}/{self._total}] {name(spec)}: {ending(result.outcome)}, {took}"
            self._line(done if self._renews else f"{done}{self._outlook()}")

    def _outlook(self) -> str:
        """What is left, behind a line of a log."""
        failed = f"{self._ended['failed']} failed, " if self._ended["failed"] else ""
        left = len(self._waiting) + len(self._running)
        return f" ({failed}{left} left{self._time_left()})" if left else ""

    def _time_left(self) -> str:
        now = time.monotonic()
        seconds = self._left.guess(
            list(self._waiting.values()), [(spec, now - since) for spec, since in self._running.values()]
        )
        if seconds is None:
            return ""
        return f", about {duration(seconds)}" if seconds >= 1 else ", a moment"

    def _display(self) -> RenderableType:
        done = self._ended.total()
        counts = f"{done}/{self._total} done"
        for status in ("diverged", "failed", "skipped"):
            counts += f", {self._ended[status]} {status}" if self._ended[status] else ""
        counts += f" · {len(self._running)} running, {len(self._waiting)} waiting"
        since = duration(time.monotonic() - self._begun)
        left = self._time_left().removeprefix(", ")
        head = Table.grid(padding=(0, 1))
        head.add_row(ProgressBar(self._total, done, width=24), Text(counts))
        return Group(*self._rows(), head, Text(f"{since} so far{f'; {left} left' if left else ''}", style="dim"))

    def _text(self) -> str:
        """The display without colours."""
        console = Console(width=self._console.width, force_jupyter=False, color_system=None, no_color=True)
        with console.capture() as captured:
            console.print(self._display())
        return captured.get()

    def _rows(self) -> Iterator[RenderableType]:
        """The runs under way, the oldest first."""
        now = time.monotonic()
        running = list(self._running.values())
        for spec, since in running[:SHOWN]:
            yield Text(f"  {duration(now - since):>8}  {name(spec)}", no_wrap=True, overflow="ellipsis")
        if len(running) > SHOWN:
            yield Text(f"            and {len(running) - SHOWN} more")

    def _line(self, line: str) -> None:
        say(line, self._console)


@contextmanager
def _in_notebook(text: Callable[[], str]) -> Iterator[None]:
    """Within it one output of the cell shows the text as it is now; rich's own display needs ipywidgets for that."""
    shown = import_module("IPython.display").display({"text/plain": text()}, raw=True, display_id=True)
    over = threading.Event()

    def renew() -> None:
        while not over.wait(1 / RENEWED):
            shown.update({"text/plain": text()}, raw=True)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        shown.update({"text/plain": ""}, raw=True)


def say(line: str, console: Console) -> None:
    """One line, as it is: paths are not to be wrapped, and brackets in them are no markup."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def name(spec: RunSpec) -> str:
    """What people call a run."""
    return f"{spec.dataset} {spec.objective} {spec.recipe} seed {spec.seed}"


def ending(outcome: RunOutcome) -> str:
    """How a run ended, in words."""
    if outcome.reason is None:
        return outcome.status
    at = "" if outcome.diverged_at is None else f" at step {outcome.diverged_at}"
    recovered = ", recovered" if outcome.recovered else ""
    return f"{outcome.status} ({outcome.reason}{at}{recovered})"


def spent(whole: float, here: float | None) -> str:
    """What a run took; of one that was resumed, in all and since then (`here`)."""
    if here is None or duration(whole) == duration(here) or whole < here:  # a process takes longer than the run in it
        return duration(whole)
    return f"{duration(whole)} in all, {duration(here)} since it was resumed"


def duration(seconds: float) -> str:
    """Seconds as people say them: 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = round(seconds)
    for size, unit, small, below in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"
