"""One run from its specification to its record: what is made of it, and of an error. Knows nothing of other runs."""

import gc
import json
import site
import sysconfig
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from ...models.acceleration import check_capability
from ...models.iteration import stream_seed
from ...models.options import check_device
from ...models.precision import repeatable_float32
from ...objectives.errors import BadInput, error_line, printable
from ..config.datasets import load_dataset, same_content
from ..config.metrics import bring
from ..config.process_state import ProcessState
from ..config.spec import RunSpec
from ..data.dataset import Dataset
from ..data.prefetch import fits
from ..records.schema import RunOutcome, RunResult
from ..records.store import Store, disk_trouble, telling_disk_trouble, write_json
from .checkpoint import RESUME, attempts, clear, count_attempt, resumes_at
from .context import RunContext
from .evaluation import Evaluator
from .hardware import PeakMemory, device_name, reset_peak_memory, versions
from .loggers import RunLogging
from .outcome import result_of, write_files
from .train import Skipped, build, fit, seed_globally


def run(spec: RunSpec, context: RunContext) -> RunResult:
    """Makes a run, or goes on with an interrupted one, and puts its record in place. An error becomes the result.

    Returns:
        The content of result.json.

    Raises:
        BadInput: if the disk is full: the run goes on from its checkpoint another time.
        MemoryError: if memory runs out: it may go on from its checkpoint, once others have left some.
        KeyboardInterrupt: if the process is told to stop (SIGINT, SIGTERM), likewise.
    """
    with telling_disk_trouble(context.folder):
        return _run(spec, context)


def record_failure(spec: RunSpec, context: RunContext, reason: str) -> RunResult:
    """The record of a run whose process could not write one; its checkpoints stay beside it."""
    store = Store(context.folder)
    folder = store.partial(spec.id)
    _write_spec(folder, spec, None, context)
    seconds = sum(time.time() - began for began, _ in attempts(folder)[-1:])
    return _finish(store, RunResult(spec.id, versions(), RunOutcome("failed", reason)), seconds)


def _run(spec: RunSpec, context: RunContext) -> RunResult:
    store = Store(context.folder)
    folder = store.partial(spec.id)
    _check_kind_of_device(folder, context)
    count_attempt(folder)
    torch.set_num_threads(context.threads)
    start = time.perf_counter()
    _write_spec(folder, spec, device_name(context.device), context)
    with repeatable_float32():  # without, what code from outside does to it would be put back unseen
        before, begun_at = ProcessState.now() if spec.outside else None, resumes_at(folder)
        try:
            end = _train_and_measure(spec, context, folder)
        except Skipped as reason:
            end = RunOutcome("skipped", str(reason))
        except BaseException as error:
            end = _failure(error)
            if begun_at and resumes_at(folder) == begun_at:  # it comes no further from there; then it begins anew
                clear(folder / RESUME)
        changed = () if before is None else tuple(map(printable, before.restore()))  # what follows needs it restored
    result = RunResult(spec.id, versions(), end) if isinstance(end, RunOutcome) else end
    return _finish(store, replace(result, changed=changed), time.perf_counter() - start)


def _check_kind_of_device(folder: Path, context: RunContext) -> None:
    """A random stream of a GPU means nothing on a CPU, nor the other way round. Raises BadInput."""
    path = folder / "spec.json"
    if not path.exists() or not any((folder / RESUME).glob("*.ckpt")):
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8")).get("device")
    except ValueError:  # cut short: the checkpoints will tell
        return
    now = device_name(context.device)
    if before is not None and before.startswith("cpu") != now.startswith("cpu"):
        raise BadInput(
            f"{folder}: this run was begun on {before} and cannot go on on {now}: "
            "choose that device, or delete the folder to begin anew"
        )


def _write_spec(
    folder: Path, spec: RunSpec, device: str | None, context: RunContext, shape: tuple[int, ...] | None = None
) -> None:
    """`shape` is that of a sample, known once the data are loaded: with it the networks can be built again."""
    about = {"device": device, "threads": context.threads, "shape": shape}
    about |= {"suite_folder": str(context.suite_folder.absolute())} if spec.outside else {}
    write_json(folder / "spec.json", spec.record() | about)


def _train_and_measure(spec: RunSpec, context: RunContext, folder: Path) -> RunResult:
    if context.device != "cpu":
        gc.collect()  # module and trainer of the run before refer to each other, and hold the device's memory
    data = _load(spec, context)
    _write_spec(folder, spec, device_name(context.device), context, data.shape)
    seed_globally(stream_seed(spec.seed, "global"))
    module = build(spec, data, context.suite_folder)
    check_device(spec.accelerate, spec.precision, context.device)
    check_capability(spec.precision, context.device)
    reset_peak_memory(context.device)
    brought = bring(spec.evaluation, spec.sources, spec.targets, data, context.suite_folder)
    evaluator = Evaluator(data, spec.evaluation, spec.steps, context.weights, PeakMemory(context.device), brought)
    record = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    loggers = RunLogging(context.loggers, record, folder, evaluator)
    fit(module, evaluator, loggers, context, folder)
    write_files(folder, module, evaluator)
    return result_of(spec, module, evaluator)


def _load(spec: RunSpec, context: RunContext) -> Dataset:
    """The run's data on its device.

    A graph needs them on the GPU: raises MemoryError where they would fit, were it not for others on it; and BadInput
    where a user's own pictures have changed.
    """
    data = load_dataset(spec.targets.get("dataset", spec.dataset), context)
    if not same_content(spec.dataset, data, spec.content, context):
        raise BadInput(f"{spec.dataset}: the data have changed since the sweep began; run the suite again")
    data = replace(data, name=spec.dataset).to(context.device)
    if spec.accelerate != "graph" or data.feed is None:
        return data
    if fits(data.feed.table.nbytes, context.device, alone=True):
        raise MemoryError(f"out of memory: the data fit on {context.device}, but others fill it now")
    return data


def _failure(error: BaseException) -> RunOutcome:
    """How a run ended that an error of its own ended; other errors, as of the machine, are raised again."""
    if disk_trouble(error):
        raise error
    if _out_of_memory(error):
        raise MemoryError(f"out of memory: {error_line(error).partition(': ')[2]}") from error
    if any(isinstance(one, SIGTERMException | KeyboardInterrupt) for one in _chain(error)):
        raise KeyboardInterrupt from error  # Lightning turns both signals into an exit
    return RunOutcome("failed", f"{error_line(error)}{_place(error)}", traceback=printable(traceback.format_exc()))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it came of."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__ or error


def _place(error: BaseException) -> str:
    """Where in somebody else's file an error came from; nothing where lipbench or a package raised it by itself."""
    inside = tuple(str(Path(__file__).parents[2] / room) for room in ("bench", "models", "objectives"))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((*inside, *site.getsitepackages(), sysconfig.get_path("stdlib"))):
            return f" at {Path(frame.filename).name}:{frame.lineno}"
    return ""


def _out_of_memory(error: BaseException) -> bool:
    # On a CPU torch raises a RuntimeError that only its text tells from others.
    # So do the CUDA runtime and its libraries, beside torch's own allocator.
    # cuDNN finds no plan where no workspace fits any more.
    marks = ("DefaultCPUAllocator", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED", "unable to find an engine")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(mark in error_line(error) for mark in marks)


def _finish(store: Store, result: RunResult, seconds: float) -> RunResult:
    """Adds these seconds of the last attempt and puts the record in its place."""
    folder = store.partial(result.run)
    cost = replace(result.cost, seconds=result.cost.seconds + seconds, attempts=len(attempts(folder)))
    result = replace(result, cost=cost)
    write_json(folder / "result.json", result.to_json())
    final = store.finish(result.run)
    if result.outcome.status != "failed" or not resumes_at(final):  # else it goes on another time, with more luck
        clear(final / RESUME)  # last: until the record is in place, the checkpoints are all there is
    return result
