"""T12: against the optimal discriminator the value of the game is −2 log 2 + 2 JSD, at least −2 log 2."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import integrate

from ...report.palette import BLUE
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels
from .discriminator import PAIRS, STEPS, train, value


def jensen_shannon(pair: str) -> float:
    """JSD of the two densities by adaptive quadrature, nats."""
    real, fake = PAIRS[pair]

    def integrand(x: float) -> float:
        p, q = float(real.pdf(np.array(x))), float(fake.pdf(np.array(x)))
        middle = 0.5 * (p + q)
        return 0.5 * sum(density * np.log(density / middle) for density in (p, q) if density > 0)

    return float(integrate.quad(integrand, -8.0, 8.0, points=(-2.0, 0.0, 2.0), limit=200)[0])


def run(setting: Setting) -> list[Row]:
    """Per pair and seed: the value at the trained discriminator, by quadrature, against −2 log 2 + 2 JSD."""
    return [{"seed": seed} | compare(pair, train(pair, seed)) for pair in PAIRS for seed in setting.seeds]


def compare(pair: str, logits: np.ndarray) -> Row:
    """The value of the game at a discriminator's logits on the grid, against the theory's and against the minimum."""
    theory = -2.0 * np.log(2.0) + 2.0 * jensen_shannon(pair)
    trained = value(pair, -np.logaddexp(0.0, -logits), -np.logaddexp(0.0, logits))
    row = {"pair": pair, "trained": trained, "theory": theory}
    return row | {"error": abs(trained - theory), "above_minimum": trained + 2.0 * np.log(2.0)}


def plot(measurements: pd.DataFrame) -> Figure:
    """The trained values beside the theory's, and the minimum."""
    figure, (axis,) = panels("T12  The trained optimum of the game is −2 log 2 + 2 JSD", width=6.4)
    for place, pair in enumerate(PAIRS):
        shown = measurements[measurements["pair"] == pair]
        axis.hlines(shown["theory"].iloc[0], place - 0.3, place + 0.3, color="black", linewidth=1.2)
        axis.scatter(place + np.linspace(-0.15, 0.15, len(shown)), shown["trained"], color=BLUE, s=34, zorder=3)
        error = shown["error"].max()
        axis.text(place, shown["theory"].iloc[0] + 0.035, f"error ≤ {error:.2g}", ha="center", fontsize=8)
    axis.axhline(-2 * np.log(2), color="black", linestyle="--", linewidth=1, label="minimum −2 log 2")
    axis.plot([], [], color="black", linewidth=1.2, label="−2 log 2 + 2 JSD (quadrature)")
    axis.scatter([], [], color=BLUE, s=34, label="trained discriminator, one seed each")
    axis.set_xticks(range(len(PAIRS)), list(PAIRS))
    axis.set_ylim(-1.5, -0.45)
    label(axis, "pair of densities", "value of the game, nats")
    legend(axis, loc="upper right")
    return figure


STUDY = Study(
    id="T12",
    claim="L(G, D*) = −2 log 2 + 2 JSD(p_r, p_g), whose minimum is −2 log 2.",
    document="Report 2.2.2",
    experiment=f"T11's trained discriminators ({STEPS} steps): the game's value by quadrature against adaptive "
    "quadrature of the Jensen–Shannon divergence, three pairs of densities, one of them equal.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("error", "abs(value at the trained D − (−2 log 2 + 2 JSD)), three pairs, nats").below(0.01),
            # D* is the maximum: the trained value lies below it, and only an error on both sides says anything.
            Measure.largest(
                "error", "abs(value at the trained D + 2 log 2), equal densities, nats", pair="equal"
            ).below(0.01),
            Measure.smallest(
                "above_minimum",
                "value at the trained D + 2 log 2, different densities, nats",
                pair=("shifted", "bimodal"),
            ).above(0.01),
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=3),
    settings={"steps": STEPS},
)
