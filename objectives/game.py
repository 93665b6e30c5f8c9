"""The two steps of the game: all training code there is.

The Lightning module, the conformance kit and the studies with a fixed generator call these two and nothing else.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils import parametrize
from torch.optim import Optimizer

from .base import Batch, Objective
from .conditioning import bound
from .errors import BadInput


def critic_step(objective: Objective, critic: nn.Module, batch: Batch, optimizer: Optimizer) -> dict[str, Tensor]:
    """One update of the critic: one backward over loss + penalty, then the constraint.

    Args:
        objective: what is minimised, and how the critic is kept Lipschitz.
        critic: as `objective.prepare_critic` returned it; maps [B, …] to logits [B].
        batch: real and fake samples; fakes are detached here. A conditional critic is bound to its labels.
        optimizer: over the critic's parameters.

    Returns:
        Detached scalars on the device: `critic_loss` (without the penalty) and `penalty` (0 where there is none).

    Raises:
        BadInput: for a loss or a penalty that is no scalar.
    """
    batch = replace(batch, fake=batch.fake.detach())
    # Within one step a parametrised weight is one thing: one power iteration, not one per forward pass.
    device = batch.real.device.type
    with bound(critic, batch.labels), parametrize.cached():
        _parametrise(critic, device)
        loss = _scalar(objective, "critic_loss", objective.critic_loss(critic, batch))
        penalty = _penalty(objective, critic, batch)
    with _full_precision(device):
        _drop_gradients(optimizer)
        (loss if penalty is None else loss + penalty).backward()
        optimizer.step()
        with torch.no_grad():
            objective.constrain_(critic)
    return {
        "critic_loss": loss.detach(),
        "penalty": torch.zeros_like(loss) if penalty is None else penalty.detach(),
    }


def generator_step(
    objective: Objective,
    generator: nn.Module,
    critic: nn.Module,
    latent: Tensor,
    batch: Batch,
    optimizer: Optimizer,
) -> dict[str, Tensor]:
    """One update of the generator against a frozen critic; the gradients stay in the parameters' `.grad`.

    Args:
        objective: what is minimised.
        generator: maps latents [B, k] to samples.
        critic: held fixed: parameters, the state of its parametrisations and running statistics.
        latent: [B, k]; of a conditional generator it ends in the classes asked for, which are the batch's labels.
        batch: its `fake` is replaced by `generator(latent)`; its `real` serves objectives that compare the two.
        optimizer: over the generator's parameters.

    Returns:
        Detached scalar on the device: `generator_loss`.

    Raises:
        BadInput: for a loss that is no scalar.
    """
    scalars = generator_gradients(objective, generator, critic, latent, batch, optimizer)
    apply_gradients(optimizer, latent.device.type)
    return scalars


def generator_gradients(
    objective: Objective,
    generator: nn.Module,
    critic: nn.Module,
    latent: Tensor,
    batch: Batch,
    optimizer: Optimizer,
) -> dict[str, Tensor]:
    """`generator_step` up to its gradients, which `apply_gradients` takes; with a critic's step between the two, both
    players step from where they were.
    """
    with bound(critic, batch.labels), frozen(critic), parametrize.cached():
        _parametrise(critic, latent.device.type)
        loss = objective.generator_loss(critic, replace(batch, fake=generator(latent)))
        _scalar(objective, "generator_loss", loss)
        with _full_precision(latent.device.type):
            _drop_gradients(optimizer)
            loss.backward()
    return {"generator_loss": loss.detach()}


def apply_gradients(optimizer: Optimizer, device: str) -> None:
    """A step by the gradients that are there, in full precision."""
    with _full_precision(device):
        optimizer.step()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """The module without gradients to its parameters and without updates of its state; its outputs stay the same.

    State: power iterations of parametrisations and running statistics of norms. Freezing rather than detaching: the
    gradient still flows through the module to its input.
    """
    modules = list(module.modules())
    thawed = [p for p in module.parameters() if p.requires_grad]
    updating = [m for m in modules if isinstance(m, parametrize.ParametrizationList) and m.training]
    tracking = [m for m in modules if isinstance(m, _NormBase) and m.training and m.track_running_stats]
    try:
        for parameter in thawed:
            parameter.requires_grad_(False)
        for parametrization in updating:
            parametrization.eval()
        for norm in tracking:
            norm.track_running_stats = False
        yield
    finally:
        for parameter in thawed:
            parameter.requires_grad_(True)
        for parametrization in updating:
            parametrization.train()
        for norm in tracking:
            norm.track_running_stats = True


def round_outputs_up(*networks: nn.Module) -> None:
    """Samples and logits leave the networks in float32 also where autocast computed them in half precision."""
    for network in networks:
        network.register_forward_hook(_float)


def _float(network: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
    return output.float()


def _penalty(objective: Objective, critic: nn.Module, batch: Batch) -> Tensor | None:
    if batch.fake.dtype != batch.real.dtype:
        batch = replace(batch, fake=batch.fake.to(batch.real.dtype))
    with _full_precision(batch.real.device.type):  # second derivatives lose too much in half precision
        penalty = objective.penalty(critic, batch)
    return None if penalty is None else _scalar(objective, "penalty", penalty)


def _scalar(objective: Objective, name: str, value: Tensor) -> Tensor:
    if value.dim():
        raise BadInput(f"{objective.name}: {name} has shape {tuple(value.shape)}, expected ()")
    return value


def _parametrise(critic: nn.Module, device: str) -> None:
    """The parametrised weights are made once, in full precision and with gradients, for `parametrize.cached` to keep.

    In half precision the power iteration of spectral norm would leave two or three digits of σ; and a weight that was
    first asked for under no_grad would be a constant for the whole step.
    """
    with _full_precision(device), torch.enable_grad():
        for module in critic.modules():
            # `parametrize.is_parametrized` takes three times as long to say no, at every layer and step.
            if isinstance(made := vars(module)["_modules"].get("parametrizations"), nn.ModuleDict):
                for name in made:
                    getattr(module, name)


def _full_precision(device: str) -> AbstractContextManager[Any]:
    # Entering autocast costs 1 % of an iteration of small networks, hence only where it has something to switch off.
    return torch.autocast(device, enabled=False) if _autocasts(device) else nullcontext()


def _autocasts(device: str) -> bool:
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def _drop_gradients(optimizer: Optimizer) -> None:
    """As `zero_grad`, whose profiling costs 1 % of an iteration of small networks."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
