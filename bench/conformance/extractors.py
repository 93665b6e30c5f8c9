"""What an extractor of features must do: the checks behind `lipbench check --kind extractor`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...objectives.conformance.repeatable import global_states
from ...objectives.conformance.report import CheckOutcome, Report, failed, passed
from ...objectives.conformance.trial import seeded
from ..metrics.brought import BroughtNetwork
from .engine import NamedCheck, first_suited, run_checks

SHAPES = ((1, 28, 28), (3, 32, 32))
N = 6  # images in a batch
CLOSE = 1e-4  # of the largest feature: float32 in batches of another size


@dataclass(frozen=True)
class ExtractorTrial:
    """How to make the network, and the first shape of images that suits it."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]

    def network(self) -> nn.Module:
        """A fresh one, in evaluation mode, as it is used: images to features and logits."""
        network = self.make()
        return network if isinstance(network, BroughtNetwork) else BroughtNetwork(network)

    def images(self) -> Tensor:
        """Images [N, *shape] in [-1, 1]."""
        return 2 * torch.rand(N, *self.shape, generator=torch.Generator().manual_seed(1)) - 1

    @torch.no_grad()
    def features(self, network: nn.Module, images: Tensor) -> Tensor:
        """Features and logits beside each other [n, D + K]."""
        return torch.cat(network(images), dim=1)


def check_extractor(title: str, make: Callable[[], nn.Module]) -> Report:
    """Runs every check, on the first of SHAPES whose images the network takes.

    Args:
        title: of the report.
        make: makes the network.
    """
    trials = [ExtractorTrial(make, shape) for shape in SHAPES]
    suited = first_suited(trials, lambda trial: trial.features(trial.network(), trial.images()))
    return run_checks(title, suited, CHECKS)


def shapes(trial: ExtractorTrial) -> CheckOutcome:
    """Features [N, D], perhaps with logits [N, K], finite; also of one image alone."""
    network = trial.network()
    found = trial.features(network, trial.images())
    if trial.features(network, trial.images()[:1]).shape[1] != found.shape[1]:
        return failed("one image alone has another number of features")
    if not found.isfinite().all():
        return failed("features are not finite")
    return passed(f"{found.shape[1]} features and logits of images of shape {trial.shape}")


def same_weights(trial: ExtractorTrial) -> CheckOutcome:
    """Made again it is the same network: its weights' sha256 stands in the protocol."""
    with seeded(3):
        first = trial.network().state_dict()
    with seeded(3):
        second = trial.network().state_dict()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    return failed(f"two networks differ in {', '.join(different[:3])}: seed or load them") if different else passed()


def eval_changes_nothing(trial: ExtractorTrial) -> CheckOutcome:
    """In evaluation mode a pass changes no weight and no statistic."""
    network = trial.network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trial.features(network, trial.images())
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    return failed(f"a pass changes {', '.join(changed[:3])}") if changed else passed()


def deterministic(trial: ExtractorTrial) -> CheckOutcome:
    """Two passes give the same features, and draw no random numbers."""
    network, states = trial.network(), global_states()
    first, second = (trial.features(network, trial.images()) for _ in range(2))
    moved = [name for name, state in global_states().items() if state != states[name]]
    if moved:
        return failed(f"a pass draws from {' and '.join(moved)}, as dropout does in training")
    return passed() if torch.equal(first, second) else failed("two passes differ")


def images_apart(trial: ExtractorTrial) -> CheckOutcome:
    """The features of an image do not depend on the others of its batch."""
    network, images = trial.network(), trial.images()
    together = trial.features(network, images)
    alone = torch.cat([trial.features(network, image) for image in images.split(1)])
    apart = (together - alone).abs().max() > CLOSE * max(1.0, together.abs().max().item())
    return failed("features depend on the other images of the batch") if apart else passed()


CHECKS: tuple[NamedCheck[ExtractorTrial], ...] = (
    NamedCheck("shapes", shapes),
    NamedCheck("same weights", same_weights, ("shapes",)),
    NamedCheck("eval changes nothing", eval_changes_nothing, ("shapes",)),
    NamedCheck("deterministic", deterministic, ("shapes",)),
    NamedCheck("images apart", images_apart, ("shapes", "deterministic")),
)
