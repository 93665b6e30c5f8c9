"""Runs studies one after the other and leaves their records, plots and the verdict table. Knows no single study."""

import shutil
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import torch
from pydantic import ValidationError
from rich.console import Console

from ....objectives.errors import BadInput, unknown
from ...records.store import disk_trouble, telling_disk_trouble
from ...run.hardware import machine
from . import report
from .contract import NotAtThisScale, Setting, Study
from .job import StudyJob
from .judge import judge
from .parallel import repeatable_torch
from .store import Record, StudyStore, code_sha, frame, read, specification, write
from .table import print_verdicts, verdict_table, write_tables


def run_studies(
    studies: Mapping[str, Study],
    job: StudyJob,
    catalogue: Mapping[str, Study] | None = None,
    console: Console | None = None,
) -> int:
    """Runs the studies that have no complete record of this scale, code and so on, then writes and prints the table.

    Args:
        studies: which, by id; they run one after the other.
        job: what is asked of them.
        catalogue: all studies whose records may lie in the folder, for the table; `studies` by default.
        console: where progress and the table are printed; standard output by default.

    Returns:
        The exit status: 2 if a study cannot use what was asked for (a line says why), else 1 if one raised (it is
        recorded as failed), else 0. The others go on.

    Raises:
        BadInput: for an option that is not known, a folder that cannot be written or in which studies are running, and
            a full disk.
    """
    for study in studies.values():
        job.size_of(study)  # refuses unknown options before the first study runs
    store, console = StudyStore(job.out), console or Console()
    with telling_disk_trouble(job.out), store.lock():
        with repeatable_torch():
            statuses = [StudyRun(study, job, store, console).status() for study in studies.values()]
        write_tables(verdict_table(job.out, catalogue or studies), job.out)
        print_verdicts(verdict_table(job.out, studies), job.out, console)
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
    return {name: studies[name] for name in studies if name in names}


@dataclass(frozen=True)
class StudyRun:
    """One study under a job: whether its record is current, else the experiment and its record."""

    study: Study
    job: StudyJob
    store: StudyStore
    console: Console

    def status(self) -> int:
        """Brings the record up to date; the study's exit status."""
        try:
            return int(self.bring_up_to_date().status == "failed")
        except BadInput as error:
            self._say(str(error))
            return 2

    def bring_up_to_date(self) -> Record:
        """The record that is there if it is complete and current, else a new one.

        Raises:
            BadInput: where the study cannot use what was asked for, its data or options.
        """
        study, size = self.study, self.job.size_of(self.study)
        record = Record(study.id, self.job.scale, "completed", code=code_sha(study))
        if isinstance(size, str):
            return self._skip(record, size)
        setting = self.job.setting(size, self.store.unfinished(study.id))
        record = replace(record, seeds=setting.seeds, note=size.note, specification=specification(study, size))
        try:
            record = replace(record, resolved=study.resolve(setting))
            current = None if self.job.force else self._current(record)
            return current or self._run(record, setting)
        except NotAtThisScale as reason:
            return self._skip(record, str(reason))

    def _current(self, wanted: Record) -> Record | None:
        folder = self.job.out / self.study.id
        if not folder.exists():
            return None
        try:
            found, _ = read(folder)
        except BadInput as error:
            self._say(f"runs again: {error}")
            self.store.set_damaged_aside(self.study.id)
            return None
        decisive = ("scale", "seeds", "note", "code", "resolved", "status")
        if any(getattr(found, name) != getattr(wanted, name) for name in decisive):
            return None
        self._say("complete already")
        return found

    def _run(self, record: Record, setting: Setting) -> Record:
        """Runs the experiment in a draft folder, judges and draws it; a failure is recorded too."""
        draft, start = self.store.draft(self.study.id), time.perf_counter()
        measurements = pd.DataFrame()
        try:
            measurements = frame(self.study.run(setting))
            write(draft, replace(record, rows=len(measurements)), measurements)
            judge(self.study, report.redraw(self.study, draft))
        except (BadInput, ValidationError) as error:
            shutil.rmtree(draft)
            raise BadInput(_one_line(error)) from error
        except NotAtThisScale:
            raise
        except Exception as error:
            if disk_trouble(error):
                raise
            record = replace(record, status="failed", reason=traceback.format_exc())
        record = replace(record, rows=len(measurements), seconds=round(time.perf_counter() - start, 3))
        return self._publish(record, measurements)

    def _skip(self, record: Record, reason: str) -> Record:
        """Records why nothing was done, unless a complete record is there."""
        before = self.store.complete(self.study.id)
        record = replace(record, status="skipped", reason=reason)
        self.store.draft(self.study.id)
        if before is None:
            return self._publish(record, pd.DataFrame())
        shutil.rmtree(self.store.unfinished(self.study.id))
        self._say(f"not at this scale: {reason.splitlines()[-1]}; the record of scale {before.scale} stays")
        return record

    def _publish(self, record: Record, measurements: pd.DataFrame) -> Record:
        """Moves the record and the other files of the draft folder to their place, and prints the verdict."""
        about = machine("cuda" if torch.cuda.is_available() else "cpu") | {"threads": torch.get_num_threads()}
        record = replace(record, machine=about)
        write(self.store.unfinished(self.study.id), record, measurements)
        self.store.publish(record)
        rows = verdict_table(self.job.out, {self.study.id: self.study})["verdict"]
        self._say(f"{record.seconds:7.1f} s  " + "; ".join(dict.fromkeys(rows)))
        return record

    def _say(self, text: str) -> None:
        report.say(self.console, self.study.id, text)


def _one_line(error: BadInput | ValidationError) -> str:
    if isinstance(error, BadInput):
        return str(error)
    first = error.errors()[0]
    return f"'{first['loc'][0]}' is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}"
