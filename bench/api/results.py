"""A results folder in a notebook: tables as pandas frames, figures, samples and trained networks. No torch.

Everything is read from the records when it is asked for; nothing is kept that a later run would make untrue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...objectives.errors import BadInput, unknown
from ..records.quantities import AXES, in_order
from ..records.reader import RunRecord, read_run, read_runs, read_samples, read_suite
from ..report import report
from ..report.blocks import Block, make_blocks, objective_order
from ..report.curves import styles
from ..report.tables import runs_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

FACTORS = ("run", "objective", "loss", "dataset", "architecture", "recipe", "seed")
Run = str | Mapping[str, Any] | pd.Series


def open_results(folder: str | Path) -> Results:
    """The results folder of a suite, of `lipbench run`, `run_suite` or `lipbench merge`.

    Args:
        folder: results/<suite's name>.

    Raises:
        BadInput: if there is no finished run in it, or a record is damaged.
    """
    results = Results(Path(folder))
    read_runs(results.folder)
    return results


class Results:
    """What a suite's runs left in a folder.

    Runs are named by their id, as in the column `run` of `runs`; a row of that frame does too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        counts = Counter(record.status for record in self.records)
        return f"Results({str(self.folder)!r}: {', '.join(f'{count} {status}' for status, count in counts.items())})"

    @property
    def records(self) -> list[RunRecord]:
        """All finished runs, as they were written."""
        return read_runs(self.folder)

    @property
    def runs(self) -> pd.DataFrame:
        """A row per run: factors, status, best, final, tail mean and sd of each metric, costs; as runs.csv."""
        return _typed(runs_table(self.records, read_suite(self.folder)))

    @property
    def summary(self) -> pd.DataFrame:
        """A row per block, objective and metric: median over `n` seeds of the tail mean, its interval, and the floor.

        A block is dataset × architecture × recipe. Diverged runs without a value count as the worst possible.
        """
        return _typed(pd.DataFrame([row for block in self._blocks() for row in _summary_rows(block)]))

    def history(self, *metrics: str) -> pd.DataFrame:
        """A row per run and evaluation: the run's factors, `step` and the other axes, and a column per metric.

        Args:
            metrics: columns that are wanted; by default all.

        Raises:
            BadInput: for a metric that no run has.
        """
        records = self.records
        known = in_order(key for record in records for key in record.courses if key not in AXES)
        for metric in metrics:
            if metric not in known:
                raise unknown("metric", metric, known)
        frames = [record.history.assign(**{key: record.spec[key] for key in FACTORS}) for record in records]
        table = pd.concat(frames, ignore_index=True).reindex(columns=[*FACTORS, *AXES, *(metrics or known)])
        return _typed(table.astype(dict.fromkeys(("step", "critic_steps", "images"), "Int64")))

    def samples(self, run: Run) -> dict[str, np.ndarray]:
        """`real` and `fake` samples, and those of every evaluation: `snapshots` [n, …], made at `steps` [n].

        Points [N, d] in data units, images [N, C, H, W] as bytes. Raises BadInput for a run that did not train.
        """
        record = self._record(run)
        if record.samples is None:
            raise BadInput(f"{record.id}: this run {record.status} and left no samples")
        return read_samples(record.samples, "real", "fake", "steps", "snapshots")

    def generator(self, run: Run, device: str = "cpu") -> nn.Module:
        """The trained generator that was evaluated, in evaluation mode: latents [B, k] to samples.

        A conditional one takes the classes asked for too: `generator(latents, labels)`, labels [B] int64.

        Raises BadInput for a run that did not train, or whose weights are gone or damaged.
        """
        from ..run.sampling import load_networks

        return load_networks(self._record(run).folder).generator.to(device).eval()

    def critic(self, run: Run, device: str = "cpu") -> nn.Module:
        """The trained critic as it was used, with its spectral norm or what else prepares it: samples to logits [B].

        A conditional one is called within `lipbench.objectives.bound(critic, labels)`.

        Raises BadInput as `generator` does, and where a plug-in's file is gone or has changed.
        """
        from ..run.sampling import load_critic

        return load_critic(self._record(run).folder).to(device).eval()

    def plot(self, metric: str, against: str = "step") -> Figure:
        """The metric's course in every block that has it: seeds thin, medians bold, crosses where runs diverged.

        Args:
            metric: a column of `history`.
            against: step, critic_steps, images or seconds.

        Raises:
            BadInput: for a metric that no run has, or another axis.
        """
        from ..report.figures import metric_figure

        blocks = self._blocks()
        known = in_order(q.key for block in blocks for q in block.quantities)
        if metric not in known:
            raise unknown("metric", metric, known)
        if against not in AXES:
            raise unknown("axis", against, list(AXES))
        return metric_figure(blocks, metric, against, styles(objective_order(self.records, read_suite(self.folder))))

    def report(self) -> Path:
        """Writes tables, plots and the page anew, from the records; the path of report.html."""
        report(self.folder)
        return self.folder / "report.html"

    def _blocks(self) -> list[Block]:
        return make_blocks(self.records, read_suite(self.folder))

    def _record(self, run: Run) -> RunRecord:
        name = run if isinstance(run, str) else str(run["run"])
        folder = self.folder / "runs" / name
        if not folder.is_dir():
            raise unknown("run", name, [record.id for record in self.records])
        return read_run(folder)


def _summary_rows(block: Block) -> Iterable[dict[str, Any]]:
    dataset, architecture, recipe = block.key
    for group in block.groups:
        factors = {"objective": group.objective, "dataset": dataset, "architecture": architecture, "recipe": recipe}
        factors |= {"seeds": len(group.runs), **group.counts}
        for shown in block.quantities:
            found = block.estimates[group.objective, shown.key]
            row = {"metric": shown.key, "median": found.value, "low": found.low, "high": found.high, "n": found.n}
            yield factors | row | {"floor": block.floors.get(shown.key), "better": shown.better}


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Texts as `string`, also where a column is empty; other empty cells are NaN."""
    texts = {"status", "reason", "better", "metric", *FACTORS} - {"seed"}
    kinds = dict.fromkeys(texts & set(table), "string")
    return table.astype(kinds | {name: float for name in table if name not in texts and table[name].dtype == object})
