"""The documents' claims put to the test: one short file a study, one contract, one table of verdicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .claims import (
    s01_dirac,
    s04_critic_values,
    s09_penalty_places,
    s11_older_remedies,
    s13_dual_estimate,
    s14_steadiness,
    s15_notebook,
)
from .claims.cost import g07 as g07_cost
from .claims.cost import s08 as s08_cost
from .claims.four_way import g03 as g03_four_way
from .claims.four_way import s05 as s05_mode_collapse
from .claims.loss_tracks_quality import g04 as g04_loss_tracks_fid
from .claims.loss_tracks_quality import s07 as s07_loss_tracks_quality
from .claims.robustness import g05 as g05_robustness
from .claims.robustness import s06 as s06_robustness
from .claims.training_advice import g06 as g06_training_advice
from .claims.training_advice import s10 as s10_training_advice
from .claims.vanishing_gradient import g01 as g01_vanishing_gradient
from .claims.vanishing_gradient import s02 as s02_vanishing_gradient
from .claims.vanishing_gradient import s12 as s12_instance_noise
from .claims.weights_and_spectra import g02 as g02_weights_and_spectra
from .claims.weights_and_spectra import s03 as s03_clipped_weights
from .claims.weights_and_spectra import s16 as s16_product_of_norms
from .claims.weights_and_spectra import s17 as s17_normalised_layers
from .engine import runner
from .engine.contract import (
    SCALES,
    Criterion,
    Measure,
    NotAtThisScale,
    Outcome,
    Part,
    Resources,
    Row,
    Scale,
    Setting,
    Size,
    Study,
)
from .engine.job import StudyJob
from .engine.judge import Verdict, judge
from .engine.table import verdict_table, write_tables
from .extensions import k01_conditional, k02_self_attention, k03_diffusion
from .theory import THEORY

# In the order of their numbers.
STABILITY: tuple[Study, ...] = (
    s01_dirac.STUDY,
    s02_vanishing_gradient.STUDY,
    s03_clipped_weights.STUDY,
    s04_critic_values.STUDY,
    s05_mode_collapse.STUDY,
    s06_robustness.STUDY,
    s07_loss_tracks_quality.STUDY,
    s08_cost.STUDY,
    s09_penalty_places.STUDY,
    s10_training_advice.STUDY,
    s11_older_remedies.STUDY,
    s12_instance_noise.STUDY,
    s13_dual_estimate.STUDY,
    s14_steadiness.STUDY,
    s15_notebook.STUDY,
    s16_product_of_norms.STUDY,
    s17_normalised_layers.STUDY,
)
IMAGES: tuple[Study, ...] = (
    g01_vanishing_gradient.STUDY,
    g02_weights_and_spectra.STUDY,
    g03_four_way.STUDY,
    g04_loss_tracks_fid.STUDY,
    g05_robustness.STUDY,
    g06_training_advice.STUDY,
    g07_cost.STUDY,
)
# Beside the claims: what the documents name and do not assert.
KEPT: tuple[Study, ...] = (k01_conditional.STUDY, k02_self_attention.STUDY, k03_diffusion.STUDY)
STUDIES: dict[str, Study] = {**THEORY, **{study.id: study for study in (*STABILITY, *IMAGES, *KEPT)}}


def run_studies(
    ids: Sequence[str] | str = "all",
    scale: Scale = "quick",
    out: Path | str = Path("results/studies"),
    jobs: int = 1,
    *,
    seeds: int | None = None,
    options: Mapping[str, Any] | None = None,
    force: bool = False,
    device: str = "auto",
    data: Path | None = None,
    weights: Path | None = None,
) -> int:
    """Runs studies by id ("all" for every one) and prints their verdicts; see `engine.job.StudyJob`.

    Returns:
        The exit status: 1 if a study raised, else 0, whatever the verdicts are.

    Raises:
        BadInput: for an unknown id or scale, or a folder that cannot be written.
    """
    resources = Resources(jobs, device=device, data=data, weights=weights)
    job = StudyJob(scale, Path(out), seeds, options or {}, force, resources)
    return runner.run_studies(runner.choose(ids, STUDIES), job, STUDIES)


__all__ = [
    "SCALES",
    "STUDIES",
    "Criterion",
    "Measure",
    "NotAtThisScale",
    "Outcome",
    "Part",
    "Resources",
    "Row",
    "Scale",
    "Setting",
    "Size",
    "Study",
    "Verdict",
    "judge",
    "run_studies",
    "verdict_table",
    "write_tables",
]
