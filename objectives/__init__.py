"""What is compared: a loss plus a way to keep the critic Lipschitz. Pure torch; no Lightning, no metrics, no files."""

from .base import API_VERSION, Batch, Objective
from .errors import BadInput, unknown
from .game import critic_step, generator_step
from .gradient_penalty import GradientPenalty
from .losses import LOSSES
from .minimax import Minimax, NonSaturating
from .spectral_norm import SpectralNorm
from .weight_clipping import WeightClipping

BUILTINS: dict[str, type[Objective]] = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "wgan-clip": WeightClipping,
    "wgan-gp": GradientPenalty,
    "sn-gan": SpectralNorm,
}

__all__ = [
    "API_VERSION",
    "BUILTINS",
    "LOSSES",
    "BadInput",
    "Batch",
    "GradientPenalty",
    "Minimax",
    "NonSaturating",
    "Objective",
    "SpectralNorm",
    "WeightClipping",
    "critic_step",
    "generator_step",
    "unknown",
]
