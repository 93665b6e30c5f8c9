"""What a trained run leaves: its result, history, samples and weights. Trains nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save

from ...models.dcgan import to_uint8
from ...models.gan import GAN
from ...models.iteration import Iteration, stream_seed
from ...objectives.conditioning import bound
from ..config.spec import RunSpec
from ..data.dataset import Dataset
from ..metrics import stability
from ..metrics.pairs import fields, time_to_cosine
from ..records.schema import Cost, Measured, RunOutcome, RunResult
from ..records.store import write_text
from ..records.summary import directions, summarise
from ..report.samples import write_picture
from .evaluation import SNAPSHOT, Evaluator
from .hardware import versions
from .noise import measure_again


def result_of(spec: RunSpec, module: GAN, evaluator: Evaluator) -> RunResult:
    """The result of a run that has just been trained; its seconds are those before it was last resumed."""
    assert evaluator.quality is not None
    with evaluator.memory.apart():
        again = measure_again(module.iteration, evaluator.quality, spec.evaluation.repeats)
    measured = Measured(
        steps=module.iteration.updates,
        metrics=_metrics(spec, evaluator),
        floors=evaluator.quality.floors,
        protocol=evaluator.quality.protocol,
        evaluation_noise=again.get("evaluation_noise"),
        bias=again.get("bias"),
        data=evaluator.data.source,
        layers=_layers(module.iteration, evaluator.data),
    )
    outcome = RunOutcome(**evaluator.divergence.verdict())
    return RunResult(spec.id, versions(), outcome, _cost(module, evaluator), measured)


def _metrics(spec: RunSpec, evaluator: Evaluator) -> dict[str, dict[str, float | None]]:
    assert evaluator.quality is not None
    found = summarise(pd.DataFrame(evaluator.history), spec.steps, directions(evaluator.quality.protocol))
    once = {} if evaluator.data.pair is None else time_to_cosine(evaluator.history)
    return found | {
        key: {"best": value, "final": value, "tail_mean": value, "tail_sd": None} for key, value in once.items()
    }


def _cost(module: GAN, evaluator: Evaluator) -> Cost:
    iteration, preparation_seconds = module.iteration, module.loop.preparation_seconds
    memory = evaluator.memory.figures()
    return Cost(
        seconds=evaluator.seconds_before,
        seconds_per_iteration=(evaluator.train_seconds - preparation_seconds) / max(1, iteration.updates),
        preparation_seconds=preparation_seconds,
        seconds_per_critic_step=iteration.critic_seconds / iteration.timed_steps if iteration.timed_steps else None,
        peak_memory_mb=memory["peak_memory_mb"],
        training_memory_mb=memory["training_memory_mb"],
    )


def _layers(iteration: Iteration, data: Dataset) -> dict[str, object]:
    x = data.held_out_at_most(2, torch.Generator(iteration.device).manual_seed(0))
    label = torch.zeros(1, dtype=torch.int64, device=x.device) if iteration.networks.classes else None
    with bound(iteration.critic, label):
        values = stability.singular_values(iteration.critic, x)
        histograms = stability.weight_histograms(iteration.critic, x)
    return {
        "singular_values": values,
        "weight_histogram": histograms,
        "clip": getattr(iteration.objective, "clip", None),
    }


def write_files(folder: Path, module: GAN, evaluator: Evaluator) -> None:
    """Writes history.csv, samples and weights of a trained run. Raises OSError."""
    write_text(folder / "history.csv", pd.DataFrame(evaluator.history).to_csv(index=False))
    _write_samples(folder, module.iteration, evaluator)
    _write_weights(folder, module.iteration)


def _write_samples(folder: Path, iteration: Iteration, evaluator: Evaluator) -> None:
    data = evaluator.data
    rng = torch.Generator(iteration.device).manual_seed(stream_seed(iteration.seed, "pictures"))
    real = data.held_out_at_most(SNAPSHOT[data.is_points], rng)
    arrays = {
        "real": (real if data.is_points else to_uint8(real)).cpu().numpy(),
        "fake": evaluator.snapshots[-1][1].numpy(),
        "steps": np.array([step for step, _ in evaluator.snapshots]),
        "snapshots": np.stack([samples.numpy() for _, samples in evaluator.snapshots]),
    }
    if data.columns:
        arrays["columns"] = np.array(data.columns)
    if data.pair is not None and data.shape == (2,):
        with stability.evaluating(iteration.critic):
            arrays |= fields(iteration.critic, data.pair)
    np.savez_compressed(folder / "samples.npz", **arrays)  # pyright: ignore[reportArgumentType]
    write_picture(folder / "samples.png", arrays["real"], arrays["fake"])


def _write_weights(folder: Path, iteration: Iteration) -> None:
    (folder / "checkpoint").mkdir(exist_ok=True)
    for name, network in (("generator", iteration.sampler), ("critic", iteration.critic)):
        state = {k: v.detach().cpu().contiguous().clone() for k, v in network.state_dict().items()}
        # Not save_file: a full disk is to raise an OSError.
        (folder / "checkpoint" / f"{name}.safetensors").write_bytes(save(state))
