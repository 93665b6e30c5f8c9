"""What is compared: a loss plus a way to keep the critic Lipschitz. Pure torch; no Lightning, no metrics, no files."""

from .base import API_VERSION, Batch, Objective, prepared
from .dragan import DRAGAN
from .errors import BadInput, unknown
from .feature_matching import FeatureMatching
from .game import critic_step, generator_step
from .gradient_normalisation import GradientNormalisation
from .gradient_penalty import GradientPenalty
from .instance_noise import InstanceNoise
from .layer_norm import LayerNorm
from .least_squares import LeastSquares
from .losses import LOSSES
from .minibatch_discrimination import MinibatchDiscrimination
from .minimax import Minimax, NonSaturating
from .orthogonal import Orthogonal
from .r1 import R1
from .r2 import R2
from .r3gan import R3GAN
from .spectral_norm import SpectralNorm
from .weight_clipping import WeightClipping
from .weight_norm import WeightNorm
from .wgan_lp import LipschitzPenalty

BUILTINS: dict[str, type[Objective]] = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "least-squares": LeastSquares,
    "wgan-clip": WeightClipping,
    "wgan-gp": GradientPenalty,
    "wgan-lp": LipschitzPenalty,
    "dragan": DRAGAN,
    "r1": R1,
    "r2": R2,
    "r3gan": R3GAN,
    "sn-gan": SpectralNorm,
    "gn-gan": GradientNormalisation,
    "orthogonal": Orthogonal,
    "weight-norm": WeightNorm,
    "layer-norm": LayerNorm,
    "instance-noise": InstanceNoise,
    "feature-matching": FeatureMatching,
    "minibatch-discrimination": MinibatchDiscrimination,
}

__all__ = [
    "API_VERSION",
    "BUILTINS",
    "DRAGAN",
    "LOSSES",
    "R1",
    "R2",
    "R3GAN",
    "BadInput",
    "Batch",
    "FeatureMatching",
    "GradientNormalisation",
    "GradientPenalty",
    "InstanceNoise",
    "LayerNorm",
    "LeastSquares",
    "LipschitzPenalty",
    "MinibatchDiscrimination",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Orthogonal",
    "SpectralNorm",
    "WeightClipping",
    "WeightNorm",
    "critic_step",
    "generator_step",
    "prepared",
    "unknown",
]
