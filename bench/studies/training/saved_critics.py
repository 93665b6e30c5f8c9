"""Networks of finished runs, trained and as they were before it, from the records alone. Nothing here trains."""

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ....models.networks import Networks, draw_latent
from ....objectives.base import Objective, prepared
from ....objectives.catalog import BUILTINS
from ...data.dataset import Dataset, as_float
from ...records.reader import RunRecord, read_samples
from .fixed_generator import untrained


def kept_samples(record: RunRecord) -> tuple[Tensor, Tensor]:
    """Real and generated images [n, C, H, W] in [−1, 1], as many as a record keeps."""
    assert record.samples is not None, f"{record.id} has no samples"
    found = read_samples(record.samples, "real", "fake")
    return as_float(torch.from_numpy(found["real"])), as_float(torch.from_numpy(found["fake"]))


def untrained_networks(record: RunRecord, shape: tuple[int, ...]) -> Networks:
    """What the run began with, before its objective prepared the critic."""
    settings = {k: v for k, v in record.spec["architecture_spec"].items() if k != "name"}
    return untrained(record.spec["architecture_spec"]["name"], shape, record.seed, settings)


def trained_critic(record: RunRecord, shape: tuple[int, ...]) -> nn.Module:
    """The critic that the run ended with, in eval mode: that is how it is used outside training steps."""
    critic = prepared(objective_of(record), untrained_networks(record, shape).critic)
    critic.load_state_dict(load_file(record.folder / "checkpoint" / "critic.safetensors"))
    return critic.eval()


@torch.no_grad()
def fresh_samples(record: RunRecord, data: Dataset, n: int, batch: int = 500) -> tuple[Tensor, Tensor]:
    """n held-out real and n generated samples [n, …]: the same at every call.

    They are on the device of the data; those of a stream on the CPU.
    """
    networks = untrained_networks(record, data.shape)
    networks.generator.load_state_dict(load_file(record.folder / "checkpoint" / "generator.safetensors"))
    kept = data.train if data.test is None else data.test
    device = torch.device("cpu") if kept is None else kept.device
    generator, rng = networks.generator.to(device).eval(), torch.Generator(device).manual_seed(0)
    sizes = [min(batch, n - start) for start in range(0, n, batch)]
    fake = torch.cat([generator(draw_latent(networks, size, rng)) for size in sizes])
    return data.held_out(n, rng), fake


def objective_of(record: RunRecord) -> Objective:
    """What the run minimised; one of lipbench's own."""
    found = record.spec["objective_spec"]
    return BUILTINS[found["name"]](**found["arguments"])
