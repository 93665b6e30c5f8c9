"""Which objectives are built in, by name. Imports none of them."""

from typing import TYPE_CHECKING

from .registry import Registry

if TYPE_CHECKING:
    from .base import Objective

BUILTINS: "Registry[type[Objective]]" = Registry(
    "lipbench.objectives",
    {
        "minimax": "minimax:Minimax",
        "non-saturating": "minimax:NonSaturating",
        "least-squares": "least_squares:LeastSquares",
        "wgan-clip": "weight_clipping:WeightClipping",
        "wgan-gp": "gradient_penalty:GradientPenalty",
        "wgan-lp": "wgan_lp:LipschitzPenalty",
        "dragan": "dragan:DRAGAN",
        "r1": "r1:R1",
        "r2": "r2:R2",
        "r3gan": "r3gan:R3GAN",
        "sn-gan": "spectral_norm:SpectralNorm",
        "gn-gan": "gradient_normalisation:GradientNormalisation",
        "orthogonal": "orthogonal:Orthogonal",
        "weight-norm": "weight_norm:WeightNorm",
        "layer-norm": "layer_norm:LayerNorm",
        "instance-noise": "instance_noise:InstanceNoise",
        "feature-matching": "feature_matching:FeatureMatching",
        "minibatch-discrimination": "minibatch_discrimination:MinibatchDiscrimination",
    },
)
