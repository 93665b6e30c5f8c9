"""Draws from the generator of a finished run. Trains nothing, evaluates nothing."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ...models.dcgan import to_uint8
from ...models.networks import draw_latent
from ...objectives.errors import BadInput
from ..config.architectures import build_architecture
from ..data.catalog import is_pair
from ..records.checksums import SUMS, altered
from ..records.reader import WEIGHTS, read_run, read_samples
from ..report.samples import picture

MOST = 1_000_000  # samples of one call
BATCH = 1000  # samples of one forward pass, as in an evaluation: their layers' outputs are held at once


def sample_run(folder: Path, n: int, out: Path, seed: int) -> Path:
    """Writes n samples of a run's generator: a picture (.png), or the tensor [n, …] itself (.pt), images in [−1, 1].

    Raises BadInput for a folder that holds no trained generator, an ending that is not known, and n or seed beyond
    what is allowed.
    """
    if out.suffix not in (".png", ".pt"):
        raise BadInput(f"{out}: must end in .png or .pt")
    if not 1 <= n <= MOST:
        raise BadInput(f"{n} samples: must be 1 to {MOST:,}")
    if not 0 <= seed < 2**63:
        raise BadInput(f"seed {seed}: must be 0 or more, and below 2⁶³")
    samples, real = _draw(folder, n, seed)
    try:
        if out.suffix == ".pt":
            torch.save(samples, out)
        else:
            shown = samples if samples.dim() == 2 else to_uint8(samples)
            picture(shown.numpy(), real if samples.dim() == 2 else None).save(out)
    except (OSError, RuntimeError) as error:  # torch raises the latter for a folder that is not there
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise BadInput(f"{out}: cannot be written ({why})") from error
    return out


@torch.no_grad()
def _draw(folder: Path, n: int, seed: int):
    weights = folder / WEIGHTS[0]
    if not weights.is_file():
        raise BadInput(_why_none(folder))
    record = read_run(folder)
    if is_pair(record.spec["dataset"]):
        raise BadInput(f"{folder}: this run trained a critic alone: there is no generator to sample")
    if altered(folder, WEIGHTS[:1]):
        raise BadInput(f"{weights}: damaged: not what was written, by its sum in {SUMS}")
    real = read_samples(folder / "samples.npz", "real")["real"]
    architecture, target = record.spec["architecture_spec"], record.spec.get("targets", {}).get("architecture")
    shape, beside = tuple(real.shape[1:]), Path(record.spec.get("suite_folder", ""))
    # Nothing is drawn for weights that are replaced at once; but somebody else's constructor may need numbers.
    with torch.device("meta") if target is None else torch.random.fork_rng(devices=[]):
        networks = build_architecture(architecture, target or architecture["name"], shape, beside)
    try:
        networks.generator.load_state_dict(load_file(weights), assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise BadInput(
            f"{weights}: damaged or of another architecture ({' '.join(str(error).split())[:200]})"
        ) from error
    if not all(tensor.isfinite().all() for tensor in networks.generator.state_dict().values()):
        raise BadInput(f"{weights}: not all of its weights are numbers: nothing to draw (this run {record.status})")
    networks.generator.eval()
    latent = draw_latent(networks, n, torch.Generator().manual_seed(seed))
    return torch.cat([networks.generator(part) for part in latent.split(BATCH)]), real


def _why_none(folder: Path) -> str:
    if not (folder / "result.json").is_file():
        return f"{folder}: no trained generator here; give the folder of a run, results/<suite>/runs/<id>"
    record = read_run(folder)
    if record.measured:
        return f"{folder}: this run's trained generator is gone; delete the folder and run the suite again"
    return f"{folder}: this run {record.status} and left no trained generator"
