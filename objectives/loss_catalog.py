"""Which losses are built in, by name. Imports none of them."""

from typing import TYPE_CHECKING

from .checks import choice
from .registry import Registry

if TYPE_CHECKING:
    from .losses import Loss

LOSSES: "Registry[Loss]" = Registry(
    "lipbench.objectives",
    {
        "minimax": "losses:MINIMAX",
        "non_saturating": "losses:NON_SATURATING",
        "wasserstein": "losses:WASSERSTEIN",
        "hinge": "losses:HINGE",
        "relativistic": "losses:RELATIVISTIC",
        "least_squares": "losses:LEAST_SQUARES",
    },
)


def get_loss(name: str) -> "Loss":
    """The loss of that name. Raises BadInput, which lists the known ones, if there is none."""
    return LOSSES[choice("loss", name, LOSSES)]
