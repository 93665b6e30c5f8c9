"""T17: random low-dimensional supports meet in measure zero; the mass near the other shrinks with the codimension."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREEN, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, label_powers_of_ten, legend, panels, seed_lines

# A patch of 12 dimensions crosses planes of small codimension at no small angle. With 3 dimensions some crossings are
# nearly tangent: at ε = .03 … .15 such a tube reaches the patch's edge and the exponent fitted is 2 in place of 3.
AMBIENT, PATCH, SAMPLES = 24, 12, 500_000
WIDTHS = np.geomspace(0.03, 0.15, 8)
MEETING = 1e-9
COLORS = {1: BLUE, 2: GREEN, 3: VERMILION}


def supports(rng: np.random.Generator, codimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal directions of a random patch, [24, 12], and normals of a random plane, [24, codimension]."""
    patch = np.linalg.qr(rng.normal(size=(AMBIENT, PATCH)))[0]
    return patch, np.linalg.qr(rng.normal(size=(AMBIENT, codimension)))[0]


def near_distances(rng: np.random.Generator, patch: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Distances to the plane with these normals, of points drawn from the cube [−1, 1]^12 of the patch.

    The plane passes through a random point of the cube's inner half, so that the two meet.
    """
    meeting = rng.uniform(-0.5, 0.5, PATCH)
    points = rng.uniform(-1.0, 1.0, (SAMPLES, PATCH)) - meeting
    return np.linalg.norm(points @ (patch.T @ normals), axis=1)


def run(setting: Setting) -> list[Row]:
    """Per seed and codimension: the mass within each ε, and the exponent fitted to it."""
    rows: list[Row] = []
    for seed in setting.seeds:
        rng = np.random.default_rng(seed)
        for codimension in COLORS:
            gaps = near_distances(rng, *supports(rng, codimension))
            masses = np.array([(gaps < width).mean() for width in WIDTHS])
            # The log of a count has a standard deviation of 1/√count.
            exponent = np.polyfit(np.log(WIDTHS), np.log(masses), 1, w=np.sqrt(masses))[0]
            common = {"seed": seed, "codimension": codimension}
            rows += [common | {"epsilon": e, "mass": m} for e, m in zip(WIDTHS, masses, strict=True)]
            rows.append(common | {"exponent": exponent, "deviation": abs(exponent / codimension - 1.0)})
            rows[-1]["meeting"] = meeting_share(gaps)
    return rows


def meeting_share(gaps: np.ndarray) -> float:
    """The share of distances [n] that are 0 but for rounding; a point in the plane is some 1e-16 off it."""
    return float((gaps < MEETING).mean())


def plot(measurements: pd.DataFrame) -> Figure:
    """Mass near the other support against ε."""
    figure, (axis,) = panels("T17  The overlap of random supports vanishes like ε^codimension", width=6.4)
    for codimension, color in COLORS.items():
        shown = measurements[measurements["codimension"] == codimension]
        curves, fits = shown.dropna(subset=["epsilon"]), shown["exponent"].dropna()
        text = f"codimension {codimension}: exponents {fits.min():.2f} … {fits.max():.2f}"
        seed_lines(axis, curves, "epsilon", "mass", text, marker="o", color=color, markersize=3, linewidth=0.8)
    axis.set(xscale="log", yscale="log")
    axis.set_xticks([0.03, 0.05, 0.1, 0.15], ["0.03", "0.05", "0.1", "0.15"])
    axis.minorticks_off()
    label_powers_of_ten(axis.yaxis)
    legend(axis, loc="lower right")
    label(axis, "ε", "share of a support within ε of the other")
    return figure


STUDY = Study(
    id="T17",
    claim="Random low-dimensional supports meet in measure zero.",
    document="Report 2.3.1",
    experiment=f"Random supports of less than full dimension: a {PATCH}-D patch and a plane of codimension 1, 2, 3 "
    f"that crosses it, in R^{AMBIENT}; {SAMPLES:,} points: mass within ε of the other support, exponent fitted over "
    "ε = .03 … .15. The patch has many dimensions on purpose: one of 3 may cross a plane of codimension 3 so nearly "
    "tangentially that at these ε the exponent comes out as 2.",
    run=run,
    parts=(
        reproduces(
            *(
                Measure.largest(
                    "deviation",
                    f"relative deviation of the exponent from codimension {codimension}",
                    codimension=codimension,
                ).at_most(0.1)
                for codimension in COLORS
            ),
            Measure.largest("meeting", "share of points on the other support (within 1e-9)").at_most(1e-5),
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
    settings={"ambient": AMBIENT, "patch": PATCH, "samples": SAMPLES, "epsilon": list(WIDTHS)},
)
