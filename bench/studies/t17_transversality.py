"""T17: random low-dimensional supports meet in measure zero; the mass near the other shrinks with the codimension."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .contract import Criterion, Part, Row, Setting, Study, every_scale
from .style import BLUE, GREEN, VERMILION, label, legend, panels

# A patch of 12 dimensions crosses planes of small codimension at no small angle. With 3 dimensions some crossings are
# nearly tangent: at ε = .03 … .15 such a tube reaches the patch's edge and the exponent fitted is 2 in place of 3.
AMBIENT, PATCH, SAMPLES = 24, 12, 500_000
WIDTHS = np.geomspace(0.03, 0.15, 8)
COLORS = {1: BLUE, 2: GREEN, 3: VERMILION}


def near_distances(rng: np.random.Generator, codimension: int) -> np.ndarray:
    """Distances to a random plane of this codimension, of points drawn from a random cube [−1, 1]^12 within R^24.

    The plane passes through a random point of the cube's inner half, so that the two meet.
    """
    patch = np.linalg.qr(rng.normal(size=(AMBIENT, PATCH)))[0]
    normals = np.linalg.qr(rng.normal(size=(AMBIENT, codimension)))[0]
    meeting = rng.uniform(-0.5, 0.5, PATCH)
    points = rng.uniform(-1.0, 1.0, (SAMPLES, PATCH)) - meeting
    return np.linalg.norm(points @ (patch.T @ normals), axis=1)


def run(setting: Setting) -> list[Row]:
    """Per seed and codimension: the mass within each ε, and the exponent fitted to it."""
    rows: list[Row] = []
    for seed in setting.seeds:
        rng = np.random.default_rng(seed)
        for codimension in COLORS:
            gaps = near_distances(rng, codimension)
            masses = np.array([(gaps < width).mean() for width in WIDTHS])
            # The log of a count has a standard deviation of 1/√count.
            exponent = np.polyfit(np.log(WIDTHS), np.log(masses), 1, w=np.sqrt(masses))[0]
            common = {"seed": seed, "codimension": codimension}
            rows += [common | {"epsilon": e, "mass": m} for e, m in zip(WIDTHS, masses, strict=True)]
            rows.append(common | {"exponent": exponent, "deviation": abs(exponent / codimension - 1.0)})
            rows[-1]["meeting"] = (gaps == 0.0).mean()
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """Mass near the other support against ε."""
    figure, (axis,) = panels("T17  The overlap of random supports vanishes like ε^codimension", width=6.4)
    for codimension, color in COLORS.items():
        shown = measurements[measurements["codimension"] == codimension]
        for seed, curve in shown.dropna(subset=["epsilon"]).groupby("seed"):
            fits = shown["exponent"].dropna()
            text = f"codimension {codimension}: exponents {fits.min():.2f} … {fits.max():.2f}" if seed == 0 else None
            axis.loglog(curve["epsilon"], curve["mass"], "o-", color=color, markersize=3, linewidth=0.8, label=text)
    axis.set_xticks([0.03, 0.05, 0.1, 0.15], ["0.03", "0.05", "0.1", "0.15"])
    axis.minorticks_off()
    legend(axis, loc="lower right")
    label(axis, "ε", "share of a support within ε of the other")
    return figure


STUDY = Study(
    id="T17",
    claim="Random low-dimensional supports meet in measure zero.",
    document="Report 2.3.1",
    experiment=f"A random {PATCH}-D patch and a random plane of codimension 1, 2, 3 that crosses it, in R^{AMBIENT}; "
    f"{SAMPLES:,} points: mass within ε of the other support, exponent fitted over ε = .03 … .15.",
    run=run,
    parts=(
        Part(
            criteria=(
                *(
                    Criterion(
                        measurement="deviation",
                        where={"codimension": codimension},
                        text=f"relative deviation of the exponent from codimension {codimension}",
                        op="<=",
                        threshold=0.1,
                    )
                    for codimension in COLORS
                ),
                Criterion(measurement="meeting", text="share of points on the other support", op="<=", threshold=0.0),
            ),
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=5),
    settings={"ambient": AMBIENT, "samples": SAMPLES, "epsilon": list(WIDTHS)},
)
