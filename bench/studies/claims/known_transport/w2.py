"""W2: whether the published cosines come out again on the authors' own pairs, at their number of steps."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from .....objectives.errors import unknown
from ....data.files import root
from ...engine.contract import Criterion, Measure, NotAtThisScale, Part, Row, Scale, Setting, Size, Study
from ...plotting.style import label, panels, shared_legend
from .runs import AUTHORS_SN, CLIP, GP, LP, SIZES, SN, critic_rows, draw
from .w1 import DOCUMENT

PAIRS = ((2, 4), (2, 64), (16, 4), (16, 64))
WITHIN = 0.1
METHODS = (CLIP, GP, LP, AUTHORS_SN, SN)
# The penalties take an hour and more a seed on two cores, the others ten minutes: they can be had alone.
W2_SIZES: dict[Scale, Size | str] = {
    scale: replace(size, options={**size.options, "methods": METHODS}) if isinstance(size, Size) else size
    for scale, size in SIZES.items()
}


def run(setting: Setting) -> list[Row]:
    """The methods on the authors' pairs."""
    return critic_rows(PAIRS, setting.options["methods"], setting, official=True)


def resolve(setting: Setting) -> dict[str, bool]:
    """Raises BadInput for a method that the study does not know, NotAtThisScale without the authors' parameters."""
    if strange := [str(name) for name in setting.options["methods"] if name not in METHODS]:
        raise unknown("method of W2", strange[0], list(METHODS))
    folder = root(setting.resources.data) / "w1_benchmark"
    if not folder.is_dir():
        raise NotAtThisScale(f"the authors' parameters are not in the data folder: no {folder}")
    return {}


def derive(measurements: pd.DataFrame) -> pd.DataFrame:
    """`gap`: ours less the published one."""
    return measurements.assign(gap=measurements["cosine"] - measurements["published"])


def plot(measurements: pd.DataFrame) -> Figure:
    """Cosines by pair, published ones hollow."""
    figure, (axis,) = panels("W2  Our cosines and the published ones, on the authors' pairs", width=7.6)
    draw(axis, measurements, "cosine", published=True)
    label(axis, "", "cos", "hollow: published")
    shared_legend(figure, axis)
    return figure


def _criteria(objective: str) -> list[Criterion]:
    found = []
    for d, n in PAIRS:
        text = f"cos of {objective} less the published one, d = {d}, n = {n}"
        measure = Measure.median("gap", text, objective=objective, d=d, n=n)
        found += [measure.at_least(-WITHIN), measure.at_most(WITHIN)]
    return found


STUDY = Study(
    id="W2",
    claim="The published cosines of clipping, GP, LP and SN.",
    document=DOCUMENT,
    experiment="As W1 on the authors' own pairs at the published number of steps: 5,000 (clipping), 10,000 (SN), "
    "60,000 (GP, LP). One published number against the median of our seeds. SN as the authors' code has it, without "
    "a gradient through the norm, and as its paper has it.",
    run=run,
    resolve=resolve,
    derive=derive,
    parts=tuple(Part(name=objective, criteria=tuple(_criteria(objective))) for objective in METHODS),
    plot=plot,
    sizes=W2_SIZES,
)
