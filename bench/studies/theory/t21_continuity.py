"""T21: W_1 is continuous in the generator's parameters; Jensen–Shannon is not."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREEN, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels
from .exact import Array, jensen_shannon, on_union, parallel_lines, wasserstein

POINTS = 40
STEPS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


def run(setting: Setting) -> list[Row]:
    """Largest jump between neighbours on a path of parameters, for each step: parallel lines, and a small network.

    For the network also how far the jump falls from a step to a tenth of it.
    """
    rows: list[Row] = []
    network = [network_row(seed, step) for step in STEPS for seed in setting.seeds]
    for step in STEPS:
        path = np.linspace(-1.0, 1.0, round(2.0 / step) + 1)
        w1, js = zip(*(lines(theta) for theta in path), strict=True)
        rows.append({"kind": "lines", "step": step, "w1_jump": jump(w1), "js_jump": jump(js)})
        rows[-1]["w1_rate"] = rows[-1]["w1_jump"] / step
    rows += network + decays(network)
    path = np.linspace(-1.0, 1.0, 41)
    return rows + [dict(zip(("kind", "theta", "w1", "js"), ("path", t, *lines(t)), strict=True)) for t in path]


def lines(theta: float) -> tuple[float, float]:
    """W_1 and JS of the parallel lines at distance θ."""
    x, y = parallel_lines(theta, POINTS)
    _, p, q = on_union(x, y)
    return wasserstein(x, y), jensen_shannon(p, q)


def jump(values: tuple[float, ...]) -> float:
    """The largest change between neighbours."""
    return float(np.abs(np.diff(values)).max())


def generate(latent: Array, ends: list[tuple[Array, Array]], share: float) -> Array:
    """The network at a share of the way between two settings of its weights, [n, 2]."""
    (a0, b0), (a1, b1) = ends
    return np.tanh(latent @ ((1 - share) * a0 + share * a1)) @ ((1 - share) * b0 + share * b1)


def network_row(seed: int, step: float, generate: Callable[..., Array] = generate) -> Row:
    """The same along a straight path of the weights of a tanh network; W_1 may move no more than the points do."""
    rng = np.random.default_rng(seed)
    real, latent = rng.normal(size=(POINTS, 2)) + 1.0, rng.normal(size=(POINTS, 2))
    ends = [(rng.normal(size=(2, 16)), rng.normal(size=(16, 2))) for _ in range(2)]
    shares = np.linspace(0.0, 1.0, round(1.0 / step) + 1)
    fakes = [generate(latent, ends, share) for share in shares]
    w1 = tuple(wasserstein(real, fake) for fake in fakes)
    moved = [float(np.linalg.norm(b - a, axis=1).mean()) for a, b in pairwise(fakes)]
    excess = max(abs(after - before) - move for before, after, move in zip(w1, w1[1:], moved, strict=False))
    return {"kind": "network", "seed": seed, "step": step, "w1_jump": jump(w1), "excess": excess}


def decays(network: list[Row]) -> list[Row]:
    """Per seed: W_1's largest jump at step .01 over that at .1, of rows by `network_row`; near 1 where one stays."""
    jumps = {(row["seed"], row["step"]): row["w1_jump"] for row in network}
    seeds = dict.fromkeys(row["seed"] for row in network)
    return [{"kind": "network decay", "seed": s, "decay": jumps[s, 0.01] / jumps[s, 0.1]} for s in seeds]


def plot(measurements: pd.DataFrame) -> Figure:
    """Both divergences along θ, and the largest jump against the step."""
    figure, axes = panels("T21  W₁ moves with the parameters, Jensen–Shannon jumps", columns=2)
    path = measurements[measurements["kind"] == "path"]
    axes[0].plot(path["theta"], path["w1"], "o-", markersize=3, color=BLUE, label="W₁")
    axes[0].plot(path["theta"], path["js"], "s", markersize=3, color=VERMILION, label="JSD, nats")
    label(axes[0], "parameter θ", "divergence", "parallel lines at distance θ")
    by_step = measurements[measurements["kind"] == "lines"]
    axes[1].loglog(by_step["step"], by_step["js_jump"], "s-", color=VERMILION, label="JSD, lines")
    axes[1].loglog(by_step["step"], by_step["w1_jump"], "o-", color=BLUE, label="W₁, lines")
    network = measurements[measurements["kind"] == "network"].groupby("step")["w1_jump"].max()
    axes[1].loglog(network.index, network, "^-", color=GREEN, label="W₁, tanh network (worst seed)")
    label(axes[1], "step along the path of parameters", "largest jump between neighbours", "jumps against the step")
    legend(axes[0], loc="upper center")
    legend(axes[1], loc="lower right")
    return figure


FINEST = {"kind": "lines", "step": STEPS[-1]}

STUDY = Study(
    id="T21",
    claim="W is continuous in the generator's parameters; Jensen–Shannon is not.",
    document="Report 1.2.1, 3.5",
    experiment="Parallel lines along θ = −1 … 1 and a tanh network along a straight path of its weights, steps "
    ".5 … .01: largest jump of W_1 and of JS between neighbours.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("w1_rate", "largest jump of W_1 / step, parallel lines").at_most(1.0 + 1e-6),
            Measure.largest("excess", "jump of W_1 beyond the mean move of the points, network").at_most(1e-9),
            # A jump proportional to the step gives .1; half as much again is allowed.
            Measure.largest("decay", "network: largest jump of W_1 at step .01 over that at step .1").at_most(0.15),
            Measure.smallest("js_jump", "largest jump of JS at the finest step, nats", **FINEST).above(0.69),
            reading="For a generator that is continuous in θ (Arjovsky et al. 2017, theorem 1).",
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=3),
    settings={"points": POINTS, "steps": list(STEPS)},
)
