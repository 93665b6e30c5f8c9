"""Makes runs as jobs of a Slurm queue, through submitit; the results folder is shared. Waiting is Slurm's affair."""

import json
import math
import os
import re
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, UncompletedJobError
from submitit.helpers import DelayedSubmission

from ....objectives.errors import BadInput, message_of
from ...config.spec import RunSpec
from ...records.schema import RunResult
from ...records.store import write_json
from ...run.context import RunContext
from .base import Event, Limits, RunFinished, RunQueued, RunRetried, Trials
from .shared import POLL, Watch, portable
from .worker import make

ARRAY = 1000  # jobs in one array; Slurm's usual limit is 1001
# Of a job, in an array or not: what else a file says may be an option of sacct.
NUMBER = re.compile(r"[0-9]+(_[0-9]+)?")
HOURS = 12  # of a job, where nothing is said


class Job:
    """What submitit calls on a node; a job that is preempted goes back to the queue and on from its checkpoint."""

    def __call__(self, spec: RunSpec, context: RunContext, run_id: str, seconds: float | None) -> RunResult | BadInput:
        """The run's result; a BadInput is returned, for of an exception only its text would come back."""
        try:
            return make(spec, context, run_id, seconds)
        except BadInput as error:
            return error

    def checkpoint(self, *arguments: Any) -> DelayedSubmission:
        """Called by submitit before the job is stopped."""
        return DelayedSubmission(self, *arguments)


class SlurmExecutor:
    """A job for each run, in arrays.

    Args:
        limits: of every run.
        gpus: of a job.
        parameters: as submitit's `AutoExecutor.update_parameters` takes them; and `cluster`: `local` makes the jobs
            processes of this machine, to try things out.
        detach: whether to return once all is in the queue. What is there from an earlier call is collected, not
            submitted again.
    """

    slots = None

    def __init__(self, limits: Limits, gpus: float, parameters: Mapping[str, Any], detach: bool = False) -> None:
        if gpus != int(gpus):
            raise BadInput(f"{gpus:g} GPUs for each run: Slurm gives whole GPUs to jobs")
        self.limits, self.detach = limits, detach
        self.cluster = parameters.get("cluster", "slurm")
        own = {"gpus_per_node": int(gpus)} if gpus else {}
        self.parameters = own | {k: v for k, v in parameters.items() if k != "cluster"}

    @property
    def where(self) -> str:
        """For the first line of a sweep."""
        return f"on the queue of {self.cluster}"

    def execute(self, specs: Sequence[RunSpec], context: RunContext) -> Generator[Event, None, None]:
        """As `Executor.execute`."""
        queue, watch, trials = self._queue(context), Watch(context, self.limits), Trials(self.limits.retries)
        ledger = Ledger(context.folder / "slurm", self.cluster)
        pending = {spec.id: (spec, job) for spec in specs if (job := ledger.find(spec.id)) is not None}
        for spec, _ in pending.values():
            watch.submitted(spec)
        try:
            new = [spec for spec in specs if spec.id not in pending]
            for start in range(0, len(new), ARRAY):
                pending |= self._submit(queue, new[start : start + ARRAY], context, watch, ledger)
            while pending:
                yield from watch.news([spec for spec, _ in pending.values()])
                for spec, job in [(s, j) for s, j in pending.values() if ledger.ended(j)]:
                    event = ledger.left_over(job, spec, trials) or _event(job, spec, watch, trials)
                    del pending[spec.id]
                    ledger.forget([spec.id])
                    if isinstance(event, RunRetried):
                        pending |= self._submit(queue, [spec], context, watch, ledger)
                    yield event
                if self.detach:
                    left, pending = [spec for spec, _ in pending.values()], {}
                    yield from map(RunQueued, left)
                elif pending:
                    time.sleep(POLL)
        finally:
            own = {run: job for run, (_, job) in pending.items() if job.job_id not in ledger.adopted}
            for job in own.values():
                job.cancel(check=False)
            ledger.forget(own)

    def collect(self, runs: Iterable[str], context: RunContext) -> set[str]:
        """As `Executor.collect`."""
        return Ledger(context.folder / "slurm", self.cluster).forget(runs)

    def _submit(
        self,
        queue: submitit.AutoExecutor,
        specs: Sequence[RunSpec],
        context: RunContext,
        watch: Watch,
        ledger: "Ledger",
    ) -> dict[str, tuple[RunSpec, Any]]:
        for spec in specs:
            watch.submitted(spec)
        with queue.batch():
            jobs = [queue.submit(Job(), *portable(spec, context), spec.id, self.limits.seconds) for spec in specs]
        ledger.note({spec.id: job.job_id for spec, job in zip(specs, jobs, strict=True)})
        return {spec.id: (spec, job) for spec, job in zip(specs, jobs, strict=True)}

    def _queue(self, context: RunContext) -> submitit.AutoExecutor:
        """Raises BadInput where there is no such queue, or it does not know a parameter."""
        minutes = 60 * HOURS if self.limits.seconds is None else math.ceil(self.limits.seconds / 60) + 5
        defaults = {"name": "lipbench", "timeout_min": minutes, "cpus_per_task": context.threads}
        try:
            queue = submitit.AutoExecutor(
                context.folder / "slurm", cluster=self.cluster, slurm_max_num_timeout=self.limits.retries
            )
            queue.update_parameters(**defaults | self.parameters)
        except (ValueError, RuntimeError, NameError, AssertionError) as error:
            raise BadInput(f"executor slurm: {message_of(error)}") from error
        return queue


class Ledger:
    """Which job makes which run, in a file of the results folder, so that a later call finds its jobs again.

    The folder may have come from elsewhere: jobs that this command has not submitted are waited for, never cancelled.

    Args:
        folder: of submitit's files.
        cluster: the queue.
    """

    def __init__(self, folder: Path, cluster: str) -> None:
        self.folder, self.path = folder, folder / f"jobs-{cluster}.json"
        self.kind = submitit.LocalJob if cluster == "local" else submitit.SlurmJob
        self.adopted: set[str] = set()
        self.over: set[str] = set()

    def find(self, run: str) -> Any:
        """The job of an earlier call that makes this run; None where there is none."""
        number = self._read().get(run)
        if number is None:
            return None
        self.adopted.add(number)
        job = self.kind(folder=self.folder, job_id=number)
        if job.paths.result_pickle.exists():
            self.over.add(number)
        return job

    def left_over(self, job: Any, spec: RunSpec, trials: Trials) -> RunRetried | RunFinished | None:
        """What becomes of a run whose job was over before this call; None for other jobs.

        The job's pickle is not opened: in a results folder that came from elsewhere it may be a program.
        """
        if job.job_id not in self.over:
            return None
        return trials.after(spec, f"job {job.job_id} ended before, without a record of the run; see {job.paths.stderr}")

    def ended(self, job: Any) -> bool:
        """Whether a job is over. Of another process's local job submitit does not know whether it lives."""
        if self.kind is submitit.SlurmJob or job.job_id not in self.adopted:
            return job.done()
        return job.paths.result_pickle.exists() or not _lives(int(job.job_id))

    def note(self, jobs: Mapping[str, str]) -> None:
        """These jobs make these runs now."""
        self.adopted -= set(jobs.values())
        self.over -= set(jobs.values())
        write_json(self.path, self._read() | dict(jobs))

    def forget(self, runs: Iterable[str]) -> set[str]:
        """No job makes these runs any more; which of them one did."""
        known = self._read()
        gone = known.keys() & set(runs)
        if gone:
            write_json(self.path, {run: job for run, job in known.items() if run not in gone})
        return gone

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self.path.read_bytes()).items()
        except (FileNotFoundError, ValueError, AttributeError):
            return {}  # nothing was submitted, or the file is damaged: the locks keep two workers off one run
        return {run: job for run, job in known if isinstance(job, str) and NUMBER.fullmatch(job)}


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def _event(job: Any, spec: RunSpec, watch: Watch, trials: Trials) -> RunRetried | RunFinished:
    try:
        outcome = job.result()
    except FailedJobError as error:
        return trials.after(spec, str(error).strip().splitlines()[-1])
    except UncompletedJobError:
        cause = f"job {job.job_id} died: {job.state.lower()}; see {job.paths.stderr}"
        return trials.after(spec, watch.cause(spec, cause))
    if isinstance(outcome, BadInput):
        raise outcome
    for path in (job.paths.submitted_pickle, job.paths.result_pickle, job.paths.stdout, job.paths.stderr):
        path.unlink(missing_ok=True)
    return RunFinished(spec, outcome)
