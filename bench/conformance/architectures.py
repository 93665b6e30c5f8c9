"""What networks must do to be trained and compared: the checks behind `lipbench check --kind architecture`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...models.networks import Networks, Unsuited, draw_latent
from ...objectives.base import declared_mixing, mixes_samples
from ...objectives.conditioning import bound
from ...objectives.conformance.report import CheckOutcome, Report, failed, not_applicable, passed
from ...objectives.conformance.trial import seeded
from ...objectives.slopes import slopes
from ..config.architectures import other_kind
from .engine import NamedCheck, run_checks

SHAPES = ((2,), (5,), (1, 28, 28), (3, 32, 32))
N = 6  # samples in a batch
CLOSE = 1e-4  # of the largest logit: float32 in batches of another size


@dataclass(frozen=True)
class NetworksTrial:
    """How to make the networks, and the first shape that suits them."""

    make: Callable[[tuple[int, ...]], Networks]
    shape: tuple[int, ...]

    def networks(self, seed: int = 0) -> Networks:
        """Fresh ones."""
        with seeded(seed):
            return self.make(self.shape)

    def samples(self, n: int = N) -> Tensor:
        """Samples [n, *shape] in [-1, 1]."""
        return 2 * torch.rand(n, *self.shape, generator=torch.Generator().manual_seed(1)) - 1


def check_architecture(title: str, make: Callable[[tuple[int, ...]], Networks]) -> Report:
    """Runs every check, on the first of SHAPES that suits.

    Args:
        title: of the report.
        make: shape of a sample → networks; Unsuited where it makes none of that shape.

    Raises:
        BadInput: what `make` raises; Unsuited where none of the shapes suits.
    """
    return run_checks(title, NetworksTrial(make, _suited(make)), CHECKS)


def _suited(make: Callable[[tuple[int, ...]], Networks]) -> tuple[int, ...]:
    refused: list[str] = []
    for shape in SHAPES:
        try:
            with seeded(0):
                make(shape)
        except Unsuited as reason:
            refused.append(str(reason))
            continue
        return shape
    raise Unsuited(f"suits none of the shapes {', '.join(map(str, SHAPES))}: {refused[0]}")


def _logits(networks: Networks, x: Tensor, first: int = 0) -> Tensor:
    """Of samples whose classes, if the networks have any, are first, first + 1, …"""
    return _bound_logits(networks, x, _classes(networks, len(x), first))


def _classes(networks: Networks, n: int, first: int = 0) -> Tensor | None:
    return (first + torch.arange(n)) % networks.classes if networks.classes else None


def _latents(networks: Networks, n: int = N, labels: Tensor | None = None) -> Tensor:
    return draw_latent(networks, n, torch.Generator().manual_seed(2), labels=labels)


def shapes(trial: NetworksTrial) -> CheckOutcome:
    """Samples of the shape that was asked for, finite; also one alone, as an evaluation may draw."""
    networks = trial.networks()
    networks.generator.eval()
    for n in (N, 1):
        latents = _latents(networks, n)
        made = networks.generator(latents)
        if (what := other_kind(made, latents)) is not None:
            return failed(f"the generator makes {what}")
        if made.shape != (n, *trial.shape):
            return failed(f"the generator makes {tuple(made.shape)} of {n} latents: must be {(n, *trial.shape)}")
        if not made.isfinite().all():
            return failed("the generator's samples are not finite at the start")
    return passed(f"on samples of shape {trial.shape}")


def one_logit(trial: NetworksTrial) -> CheckOutcome:
    """Logits [B], finite."""
    samples = trial.samples()
    found = _logits(trial.networks(), samples)
    if (what := other_kind(found, samples)) is not None:
        return failed(f"the critic makes {what}")
    if found.shape != (N,):
        return failed(f"the critic makes {tuple(found.shape)} of {N} samples: must be ({N},), one logit each")
    return passed() if found.isfinite().all() else failed("the critic's logits are not finite at the start")


def samples_apart(trial: NetworksTrial) -> CheckOutcome:
    """A logit depends on its sample alone, or on what objectives see, so that their penalties refuse it: batch norm, or
    a module that declares it by `mixes_samples`.
    """
    networks = trial.networks()
    critic = networks.critic.train()
    if (declared := declared_mixing(critic)) is not None:
        return not_applicable(declared)
    x = trial.samples()
    with torch.no_grad():
        _logits(networks, x)  # what estimates itself step by step (a norm) begins to settle
        critic.eval()
        together = _logits(networks, x)
        if _differ(together, torch.cat([_logits(networks, sample, i) for i, sample in enumerate(x.split(1))])):
            return failed("a logit depends on the other samples of its batch even in eval mode")
        told = mixes_samples(critic)
        if told is not None:
            return not_applicable(told)
        changed = torch.cat([x[:1], x[1:].flip(0) * 0.3])
        second, third = (_logits(trial.networks(), samples)[:1] for samples in (x, changed))
    return (
        failed("a logit depends on the other samples of its batch in training") if _differ(second, third) else passed()
    )


def double_backward(trial: NetworksTrial) -> CheckOutcome:
    """A penalty on slopes has a gradient, finite, and slopes are not all zero."""
    networks = trial.networks()
    critic = networks.critic
    with bound(critic, _classes(networks, N)):
        slope = slopes(critic, trial.samples())
    if not (slope > 0).any():
        return failed("the critic's slope is zero everywhere: does it detach its input?")
    found = torch.autograd.grad(slope.square().sum(), list(_trained(critic).values()), allow_unused=True)
    known = [gradient for gradient in found if gradient is not None]
    if not known:
        return failed("a penalty on slopes reaches no parameter")
    return passed() if all(g.isfinite().all() for g in known) else failed("a penalty on slopes has no finite gradient")


def gradient_reaches_all(trial: NetworksTrial) -> CheckOutcome:
    """Every parameter that is trained gets a gradient from the critic's output on fakes."""
    networks = trial.networks()
    _logits(networks, networks.generator(_latents(networks))).square().sum().backward()
    for part, network in (("generator", networks.generator), ("critic", networks.critic)):
        missed = [name for name, parameter in _trained(network).items() if parameter.grad is None]
        if missed:
            return failed(f"no gradient reaches {', '.join(missed[:3])} of the {part}")
    return passed()


def same_seed(trial: NetworksTrial) -> CheckOutcome:
    """Weights depend on torch's global seed alone."""
    first, second = (_state(trial.networks(3)) for _ in range(2))
    different = [name for name in first if name not in second or not torch.equal(first[name], second[name])]
    return failed(f"two networks of one seed differ in {', '.join(different[:3])}") if different else passed()


def round_trip(trial: NetworksTrial) -> CheckOutcome:
    """What the state_dict holds is all that decides the output: a checkpoint loses nothing."""
    first, second = trial.networks(0), trial.networks(1)
    second.generator.load_state_dict(first.generator.state_dict())
    second.critic.load_state_dict(first.critic.state_dict())
    latents, x = _latents(first), trial.samples()
    for networks in (first, second):
        networks.generator.eval()
        networks.critic.eval()
    with torch.no_grad():
        for part, one, other in (
            ("generator", first.generator(latents), second.generator(latents)),
            ("critic", _logits(first, x), _logits(second, x)),
        ):
            if not torch.equal(one, other):
                return failed(f"the {part}'s output depends on more than its state_dict: register it as a buffer")
    return passed()


def eval_repeats(trial: NetworksTrial) -> CheckOutcome:
    """In eval mode a pass draws nothing and changes nothing."""
    networks = trial.networks()
    networks.generator.eval()
    networks.critic.eval()
    before, found = {k: v.clone() for k, v in _state(networks).items()}, []
    with torch.no_grad():
        for _ in range(2):
            made = networks.generator(_latents(networks))
            found.append((made, _logits(networks, trial.samples())))
    if not all(torch.equal(a, b) for a, b in zip(*found, strict=True)):
        return failed("two passes in eval mode differ: something is drawn")
    changed = [name for name, value in _state(networks).items() if not torch.equal(value, before[name])]
    return failed(f"a pass in eval mode changes {', '.join(changed[:3])}") if changed else passed()


def double_precision(trial: NetworksTrial) -> CheckOutcome:
    """Networks that are made double compute in double."""
    networks = trial.networks()
    made = networks.generator.double()(_latents(networks).double())
    networks.critic.double()
    logits = _logits(networks, made)
    kept = made.dtype == logits.dtype == torch.float64
    return passed() if kept else failed(f"float64 becomes {made.dtype}, then {logits.dtype}")


def own_class(trial: NetworksTrial) -> CheckOutcome:
    """Samples and logits of conditional networks depend on their own class, and on that of no other."""
    networks = trial.networks()
    classes = _classes(networks, N)
    if classes is None:
        return not_applicable("these networks have no classes")
    rng = torch.Generator().manual_seed(3)
    networks.generator.eval()
    networks.critic.eval()
    with torch.no_grad():
        for parameter in (p for part in (networks.generator, networks.critic) for p in part.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng))  # gains by class may start alike
        moved = classes.clone()
        moved[0] = (moved[0] + 1) % networks.classes
        for part, (before, after) in (
            ("sample", [networks.generator(_latents(networks, N, labels)) for labels in (classes, moved)]),
            ("logit", [_bound_logits(networks, trial.samples(), labels) for labels in (classes, moved)]),
        ):
            if torch.equal(before[0], after[0]):
                return failed(f"a {part} does not change with its class")
            if _differ(before[1:], after[1:]):
                return failed(f"a {part} depends on the class of another")
    return passed()


def _bound_logits(networks: Networks, x: Tensor, labels: Tensor | None) -> Tensor:
    with bound(networks.critic, labels):
        return networks.critic(x)


def _differ(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() > CLOSE * max(1.0, a.abs().max().item()))


def _trained(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}


def _state(networks: Networks) -> dict[str, Tensor]:
    parts = (("generator", networks.generator), ("critic", networks.critic))
    return {f"{part}.{name}": value for part, network in parts for name, value in network.state_dict().items()}


BASIC = ("shapes", "one logit a sample")
CHECKS: tuple[NamedCheck[NetworksTrial], ...] = (
    NamedCheck("shapes", shapes),
    NamedCheck("one logit a sample", one_logit),
    NamedCheck("same seed, same weights", same_seed),
    NamedCheck("eval repeats", eval_repeats, (*BASIC, "same seed, same weights")),
    NamedCheck("state_dict round trip", round_trip, (*BASIC, "same seed, same weights", "eval repeats")),
    NamedCheck("its own class", own_class, BASIC),
    NamedCheck("samples apart", samples_apart, (*BASIC, "same seed, same weights", "eval repeats")),
    NamedCheck("double backward", double_backward, BASIC),
    NamedCheck("gradient reaches every parameter", gradient_reaches_all, BASIC),
    NamedCheck("float64", double_precision, BASIC),
)
