"""Every study by its id; a study's module is imported when it is asked for."""

from typing import TYPE_CHECKING

from ...objectives.registry import Registry

if TYPE_CHECKING:
    from .engine.contract import Study

# T: theory; S: claims on toys; G: claims on images; K: what the documents name and do not assert;
# W: critics on pairs whose optimal transport is known.
STUDIES: "Registry[Study]" = Registry(
    "lipbench.bench.studies",
    {
        "T1": "theory.t01_push_forward:STUDY",
        "T2": "theory.t02_splitting_mass:STUDY",
        "T3": "theory.t03_product_measures:STUDY",
        "T4": "theory.t04_monotone_plans:STUDY",
        "T5": "theory.t05_lipschitz_maps:STUDY",
        "T6": "theory.t06_uniqueness:STUDY",
        "T7": "theory.t07_metric:STUDY",
        "T8": "theory.t08_convexity:STUDY",
        "T9": "theory.t09_duality:STUDY",
        "T10": "theory.t10_other_costs:STUDY",
        "T11": "theory.t11_optimal_discriminator:STUDY",
        "T12": "theory.t12_jensen_shannon_value:STUDY",
        "T13": "theory.t13_no_logarithm:STUDY",
        "T14": "theory.t14_distance_blindness:STUDY",
        "T15": "theory.t15_mode_dropping:STUDY",
        "T16": "theory.t16_perfect_discriminator:STUDY",
        "T17": "theory.t17_transversality:STUDY",
        "T18": "theory.t18_gradient_bound:STUDY",
        "T19": "theory.t19_displacement:STUDY",
        "T20": "theory.t20_penalty_sign:STUDY",
        "T21": "theory.t21_continuity:STUDY",
        "S1": "claims.s01_dirac:STUDY",
        "S2": "claims.vanishing_gradient.s02:STUDY",
        "S3": "claims.weights_and_spectra.s03:STUDY",
        "S4": "claims.s04_critic_values:STUDY",
        "S5": "claims.four_way.s05:STUDY",
        "S6": "claims.robustness.s06:STUDY",
        "S7": "claims.loss_tracks_quality.s07:STUDY",
        "S8": "claims.cost.s08:STUDY",
        "S9": "claims.s09_penalty_places:STUDY",
        "S10": "claims.training_advice.s10:STUDY",
        "S11": "claims.s11_older_remedies:STUDY",
        "S12": "claims.vanishing_gradient.s12:STUDY",
        "S13": "claims.s13_dual_estimate:STUDY",
        "S14": "claims.s14_steadiness:STUDY",
        "S15": "claims.s15_notebook:STUDY",
        "S16": "claims.weights_and_spectra.s16:STUDY",
        "S17": "claims.weights_and_spectra.s17:STUDY",
        "G1": "claims.vanishing_gradient.g01:STUDY",
        "G2": "claims.weights_and_spectra.g02:STUDY",
        "G3": "claims.four_way.g03:STUDY",
        "G4": "claims.loss_tracks_quality.g04:STUDY",
        "G5": "claims.robustness.g05:STUDY",
        "G6": "claims.training_advice.g06:STUDY",
        "G7": "claims.cost.g07:STUDY",
        "K1": "extensions.k01_conditional:STUDY",
        "K2": "extensions.k02_self_attention:STUDY",
        "K3": "extensions.k03_diffusion:STUDY",
        "K4": "extensions.k04_class_conditional:STUDY",
        "W1": "claims.known_transport.w1:STUDY",
        "W2": "claims.known_transport.w2:STUDY",
        "W3": "claims.known_transport.w3:STUDY",
        "W4": "claims.known_transport.w4:STUDY",
    },
)
