"""Runs studies one after the other and leaves their records, plots and the verdict table. Knows no single study."""

import shutil
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import torch
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ....objectives.errors import BadInput, unknown
from ...records.store import disk_trouble, locked, telling_disk_trouble, try_to_write
from ...run.machine import machine
from ..training.image_games import resolved
from ..training.parallel import settled
from .contract import SCALES, NotAtThisScale, Scale, Setting, Size, Study
from .judge import judge
from .store import Record, code_sha, frame, publish, read, specification, write
from .table import PLOT, verdict_table, write_tables

SUPERSEDED = "superseded"  # where every complete record goes that another has replaced


@dataclass(frozen=True)
class Job:
    """What was asked of `run_studies`; see there."""

    scale: Scale
    out: Path
    jobs: int
    seeds: int | None
    options: Mapping[str, Any]
    force: bool
    console: Console
    device: str = "auto"
    data: Path | None = None
    gpu_jobs: int = 1
    weights: Path | None = None

    def setting(self, study: Study, seeds: Sequence[int], options: Mapping[str, Any]) -> Setting:
        """What the study's `run` gets."""
        where = (self.device, self.data, self.gpu_jobs, self.weights)
        return Setting(self.scale, tuple(seeds), options, self.draft(study), self.out / "runs", self.jobs, *where)

    def draft(self, study: Study) -> Path:
        """Where a record is put together before it moves into place."""
        return self.out / f".{study.id}.draft"

    def say(self, study: Study, text: str) -> None:
        """A line of progress."""
        self.console.print(f"{study.id:<4} {text}", highlight=False, markup=False, soft_wrap=True)


def run_studies(
    studies: Mapping[str, Study],
    scale: Scale,
    out: Path,
    jobs: int = 1,
    *,
    seeds: int | None = None,
    options: Mapping[str, Any] | None = None,
    force: bool = False,
    console: Console | None = None,
    catalogue: Mapping[str, Study] | None = None,
    device: str = "auto",
    data: Path | None = None,
    gpu_jobs: int = 1,
    weights: Path | None = None,
) -> int:
    """Runs the studies that have no complete record of this scale, code and so on, then writes and prints the table.

    Args:
        studies: which, by id.
        scale: see `Setting`.
        out: `<out>/<id>/` gets a study's record and plot, `<out>/verdicts.{csv,md,tex}` the table of all records there.
        jobs: processes that a study may use; the studies themselves run one after the other.
        seeds: how many, in place of the study's own number.
        options: in place of the studies' own at this scale (`Size.options`); the table says which.
        force: run again what is complete.
        console: where progress and the table are printed; standard output by default.
        catalogue: all studies whose records may lie in the folder, for the table; `studies` by default.
        device: see `Setting`.
        data: likewise.
        gpu_jobs: likewise.
        weights: likewise.

    Returns:
        The exit status: 2 if a study cannot use what was asked for (a line says why), else 1 if one raised (it is
        recorded as failed), else 0. The others go on.

    Raises:
        BadInput: for a scale or an option that is not known, no seeds, a folder that cannot be written or in which
            studies are running, and a full disk.
    """
    if scale not in SCALES:
        raise unknown("scale", scale, list(SCALES))
    if seeds is not None and seeds < 1:
        raise BadInput(f"--seeds {seeds}: must be 1 or more")
    job = Job(scale, out, jobs, seeds, options or {}, force, console or Console(), device, data, gpu_jobs, weights)
    for study in studies.values():
        _check_options(study, job)
    _make(out)
    with telling_disk_trouble(out), locked(out):
        with settled():
            statuses = [_status(study, job) for study in studies.values()]
        write_tables(verdict_table(out, catalogue or studies), out)
        show(verdict_table(out, studies), out, job.console)
    return max(statuses, default=0)


def choose(ids: Sequence[str] | str, studies: Mapping[str, Study]) -> dict[str, Study]:
    """The studies of these ids ("all" for every one), in the catalogue's order.

    Raises:
        BadInput: for an unknown id; it lists the known ones.
    """
    names = [ids] if isinstance(ids, str) else list(ids)
    names = list(studies) if names == ["all"] else [name.upper() for name in names]
    for name in names:
        if name not in studies:
            raise unknown("study", name, list(studies))
    return {name: study for name, study in studies.items() if name in names}


def datasets_of(studies: Mapping[str, Study], scale: Scale, options: Mapping[str, Any]) -> list[str]:
    """The data sets by name that these studies have as an option, each once; `options` as in `run_studies`."""
    sizes = (study.sizes.get(scale) for study in studies.values())
    named = [{**size.options, **options} for size in sizes if isinstance(size, Size) and "dataset" in size.options]
    return list(dict.fromkeys(str(found["dataset"]) for found in named))


def _status(study: Study, job: Job) -> int:
    try:
        return int(settle(study, job).status == "failed")
    except BadInput as error:
        job.say(study, str(error))
        return 2


def settle(study: Study, job: Job) -> Record:
    """The study's record: the one that is there if it is complete and current, else a new one.

    Raises:
        BadInput: where it cannot use what was asked for, its data or options.
    """
    size = study.sizes.get(job.scale, "the study gives no size for it")
    record = Record(study.id, job.scale, "completed", code=code_sha(study))
    if isinstance(size, str):
        return _leave(study, replace(record, status="skipped", reason=size), job)
    size = _asked(size, job)
    setting = job.setting(study, range(size.seeds), size.options)
    record = replace(record, seeds=setting.seeds, note=size.note, specification=specification(study, size))
    try:
        record = replace(record, resolved=resolved(setting))
    except NotAtThisScale as reason:
        return _leave(study, replace(record, status="skipped", reason=str(reason)), job)
    found = None if job.force else _current(study, record, job)
    return found if found is not None else _run(study, record, setting, job)


def redraw(study: Study, folder: Path) -> pd.DataFrame:
    """Draws the study's pictures again from the record in the folder, and returns the measurements."""
    _, measurements = read(folder)
    draw(study, measurements, folder)
    return measurements


def draw(study: Study, measurements: pd.DataFrame, folder: Path, **saved: Any) -> None:
    """The study's pictures of these measurements; `saved` goes to matplotlib's `savefig`."""
    with matplotlib.rc_context({"axes.formatter.min_exponent": 3}):  # 0.2, not 2×10⁻¹, at a logarithmic axis's ticks
        for stem, picture in {PLOT.removesuffix(".png"): study.plot, **study.pictures}.items():
            picture(measurements).savefig(folder / f"{stem}.png", **saved)


def rebuild(out: Path, studies: Mapping[str, Study], console: Console) -> None:
    """Verdicts, tables and pictures again, from the records that lie in the folder alone."""
    for study in (study for study in studies.values() if (out / study.id).is_dir()):
        try:
            record, _ = read(out / study.id)
            if record.status == "completed":
                redraw(study, out / study.id)
        except BadInput as error:
            console.print(f"{study.id:<4} {error}", highlight=False, markup=False, soft_wrap=True)
    table = verdict_table(out, studies)
    write_tables(table, out)
    show(table, out, console)


def _check_options(study: Study, job: Job) -> None:
    size = study.sizes.get(job.scale)
    known = list(size.options) if isinstance(size, Size) else []
    for key in job.options:
        if not known:
            raise BadInput(f"{study.id} at scale {job.scale}: --set {key}: this study has no options")
        if key not in known:
            raise BadInput(f"{study.id} at scale {job.scale}: {unknown('option', key, known)}")


def _asked(size: Size, job: Job) -> Size:
    """The size with what the user wants otherwise, which its note then says."""
    size = size if job.seeds is None else replace(size, seeds=job.seeds)
    if not job.options:
        return size
    told = ", ".join(f"{key} = {value}" for key, value in job.options.items())
    note = f"{size.note}; {told}" if size.note else told
    return replace(size, options={**size.options, **job.options}, note=note)


def show(table: pd.DataFrame, out: Path, console: Console) -> None:
    """Prints the table without its longest columns, if it has a row."""
    if table.empty:
        return
    shown = Table("id", "claim", "measured", "seeds", "verdict", show_lines=True)
    for row in table.to_dict("records"):
        claim = f"{row['claim']}\n({row['part']})" if row["part"] else row["claim"]
        shown.add_row(
            *(escape(str(cell)) for cell in (row["id"], claim, row["measured"], row["seeds"], row["verdict"]))
        )
    console.print(shown)
    console.print(f"Table and plots: {out / 'verdicts.md'}", highlight=False, soft_wrap=True)


def _current(study: Study, wanted: Record, job: Job) -> Record | None:
    folder = job.out / study.id
    if not folder.exists():
        return None
    try:
        found, _ = read(folder)
    except BadInput as error:
        job.say(study, f"runs again: {error}")
        return None
    asked = (wanted.scale, wanted.seeds, wanted.note, wanted.code, wanted.resolved)
    same = (found.scale, found.seeds, found.note, found.code, found.resolved) == asked
    if not same or found.status != "completed":
        return None
    job.say(study, "complete already")
    return found


def _run(study: Study, record: Record, setting: Setting, job: Job) -> Record:
    """Runs the experiment in a draft folder, judges and draws it, and leaves the record if it fails too."""
    draft, start = _draft(study, job), time.perf_counter()
    measurements = pd.DataFrame()
    try:
        measurements = frame(study.run(setting))
        record = replace(record, seconds=time.perf_counter() - start, rows=len(measurements))
        write(draft, record, measurements)
        judge(study, redraw(study, draft))
    except NotAtThisScale as reason:
        record = replace(record, status="skipped", reason=str(reason))
    except (BadInput, ValidationError) as error:
        shutil.rmtree(draft)
        raise BadInput(_told(error)) from error
    except Exception as error:
        if disk_trouble(error):
            raise
        record = replace(record, status="failed", reason=traceback.format_exc())
    record = replace(record, seconds=round(time.perf_counter() - start, 3))
    return _leave(study, record, job, measurements)


def _told(error: BadInput | ValidationError) -> str:
    if isinstance(error, BadInput):
        return str(error)
    first = error.errors()[0]
    return f"'{first['loc'][0]}' is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def _leave(study: Study, record: Record, job: Job, measurements: pd.DataFrame | None = None) -> Record:
    """Writes the record into the draft folder, moves that into place, and says what came out.

    What is complete gives way to no record that says why nothing was done, and otherwise moves to `SUPERSEDED`.
    """
    measurements = pd.DataFrame() if measurements is None else measurements
    before = _complete(job.out / study.id)
    if before is not None and record.status == "skipped":
        shutil.rmtree(job.draft(study), ignore_errors=True)
        reason = record.reason.splitlines()[-1]
        job.say(study, f"not at this scale: {reason}; the record of scale {before.scale} stays")
        return record
    draft = _draft(study, job) if measurements.empty else job.draft(study)
    about = machine("cuda" if torch.cuda.is_available() else "cpu") | {"threads": torch.get_num_threads()}
    record = replace(record, machine=about, rows=len(measurements))
    write(draft, record, measurements)
    aside = None if before is None else _unused(job.out / SUPERSEDED / f"{study.id}-{before.scale}")
    publish(draft, job.out / study.id, aside)
    rows = verdict_table(job.out, {study.id: study})["verdict"]
    job.say(study, f"{record.seconds:7.1f} s  " + "; ".join(dict.fromkeys(rows)))
    return record


def _unused(folder: Path) -> Path:
    """This folder, or the first of folder-2, folder-3, … that is not there yet."""
    names = (folder.name if number == 1 else f"{folder.name}-{number}" for number in count(1))
    return next(path for path in map(folder.with_name, names) if not path.exists())


def _complete(folder: Path) -> Record | None:
    try:
        found, _ = read(folder)
    except BadInput:
        return None
    return found if found.status == "completed" else None


def _draft(study: Study, job: Job) -> Path:
    draft = job.draft(study)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    return draft


def _make(out: Path) -> None:
    try:
        try_to_write(out)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror})") from error
