"""The trained networks of a finished run, and samples of its generator. Trains nothing, evaluates nothing."""

from math import isqrt
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...models.dcgan import to_uint8
from ...models.networks import Networks, draw_latent
from ...objectives.base import prepared
from ...objectives.errors import BadInput, message_of
from ..config.architectures import build_architecture
from ..config.plugins import build_objective, find_objective
from ..data.catalog import is_pair
from ..records.checksums import SUMS, first_altered
from ..records.reader import WEIGHTS, RunRecord, read_run, read_samples
from ..report.samples import picture

MOST = 1_000_000  # samples of one call
BATCH = 1000  # samples of one forward pass, as in an evaluation: their layers' outputs are held at once


def sample_run(folder: Path, n: int, out: Path, seed: int, asked: int | None = None) -> Path:
    """Writes n samples of a run's generator: a picture (.png), or the tensor [n, …] itself (.pt), images in [−1, 1].

    A conditional generator is asked for the class `asked`, or for one after the other: as many samples of each as a row
    of the picture has.

    Raises BadInput for a folder that holds no trained generator, an ending that is not known, and n, seed or class
    beyond what is allowed.
    """
    if out.suffix not in (".png", ".pt"):
        raise BadInput(f"{out}: must end in .png or .pt")
    if not 1 <= n <= MOST:
        raise BadInput(f"{n} samples: must be 1 to {MOST:,}")
    if not 0 <= seed < 2**63:
        raise BadInput(f"seed {seed}: must be 0 or more, and below 2⁶³")
    samples, real = _draw(folder, n, seed, asked)
    try:
        if out.suffix == ".pt":
            torch.save(samples, out)
        else:
            shown = samples if samples.dim() == 2 else to_uint8(samples)
            picture(shown.numpy(), real if samples.dim() == 2 else None).save(out)
    except (OSError, RuntimeError) as error:  # torch raises the latter for a folder that is not there
        why = getattr(error, "strerror", None) or message_of(error)
        raise BadInput(f"{out}: cannot be written ({why})") from error
    return out


def load_networks(folder: Path) -> Networks:
    """The networks of a run, with the weights of its trained generator; the critic's are those of no training.

    Raises BadInput for a folder that holds no trained generator, or not one of this architecture.
    """
    _need_weights(folder, WEIGHTS[0])
    record = read_run(folder)
    if is_pair(record.spec["dataset"]):
        raise BadInput(f"{folder}: this run trained a critic alone: there is no generator to sample")
    # Nothing is drawn for weights that are replaced at once; but somebody else's constructor may need numbers.
    with torch.device("meta") if _target(record) is None else torch.random.fork_rng(devices=[]):
        networks = _build(record)
    _load_weights(networks.generator, folder, WEIGHTS[0])
    return networks


def load_critic(folder: Path) -> nn.Module:
    """The trained critic of a run, as its objective prepares it.

    Raises BadInput as `load_networks`, and for a plug-in that is not found as it was.
    """
    _need_weights(folder, WEIGHTS[1])
    record = read_run(folder)
    told = record.spec["objective_spec"]
    found = find_objective(record.spec["objective_target"], _suite_folder(record))
    if found.source != told["source"]:
        raise BadInput(f"{folder}: the plug-in {found.target} is not what it was when this run was made")
    with torch.random.fork_rng(devices=[]):  # weights are drawn, since what prepares them may compute with them
        objective = build_objective(found, told["arguments"], found.target)
        critic = prepared(objective, _build(record).critic)
    _load_weights(critic, folder, WEIGHTS[1])
    return critic


def _build(record: RunRecord) -> Networks:
    """Records of before have the data's shape in their samples alone."""
    shape = record.spec.get("shape") or read_samples(record.folder / "samples.npz", "real")["real"].shape[1:]
    architecture = record.spec["architecture_spec"]
    target = _target(record)
    if target is None:
        target = architecture["name"]
    return build_architecture(architecture, target, tuple(shape), _suite_folder(record))


def _target(record: RunRecord) -> str | None:
    """What makes the networks, if that is a plug-in."""
    return record.spec.get("targets", {}).get("architecture")


def _suite_folder(record: RunRecord) -> Path:
    return Path(record.spec.get("suite_folder", ""))


def _load_weights(network: nn.Module, folder: Path, file: str) -> None:
    weights = folder / file
    if first_altered(folder, [file]):
        raise BadInput(f"{weights}: damaged: not what was written, by its sum in {SUMS}")
    try:
        network.load_state_dict(load_file(weights), assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise BadInput(f"{weights}: damaged or of another architecture ({message_of(error, 200)})") from error


@torch.no_grad()
def _draw(folder: Path, n: int, seed: int, asked: int | None):
    networks = load_networks(folder)
    labels = _labels(networks.classes, n, asked)
    if not all(tensor.isfinite().all() for tensor in networks.generator.state_dict().values()):
        told = f"not all of its weights are numbers: nothing to draw (this run {read_run(folder).status})"
        raise BadInput(f"{folder / WEIGHTS[0]}: {told}")
    real = read_samples(folder / "samples.npz", "real")["real"]
    networks.generator.eval()
    latent = draw_latent(networks, n, torch.Generator().manual_seed(seed), labels=labels)
    return torch.cat([networks.generator(part) for part in latent.split(BATCH)]), real


def _labels(classes: int, n: int, asked: int | None) -> Tensor | None:
    if asked is None:
        return torch.arange(n) // isqrt(n) % classes if classes else None
    if not classes:
        raise BadInput(f"class {asked}: this generator knows no classes")
    if not 0 <= asked < classes:
        raise BadInput(f"class {asked}: must be 0 to {classes - 1}, this generator knows {classes} classes")
    return torch.full((n,), asked)


def _need_weights(folder: Path, file: str) -> None:
    if not (folder / file).is_file():
        raise BadInput(_why_none(folder))


def _why_none(folder: Path) -> str:
    if not (folder / "result.json").is_file():
        return f"{folder}: no trained generator here; give the folder of a run, results/<suite>/runs/<id>"
    record = read_run(folder)
    if record.measured:
        return f"{folder}: this run's trained generator is gone; delete the folder and run the suite again"
    return f"{folder}: this run {record.status} and left no trained generator"
