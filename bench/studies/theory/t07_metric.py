"""T7: Kantorovich's W_p is a metric; Monge's is not, and neither is the Kullback–Leibler divergence."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...report.palette import BLUE, GREEN, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes, reproduces
from ..plotting.style import label, legend, panels
from .exact import distances, kullback_leibler, monge_cost, wasserstein

POINTS, TRIPLES = 10, 10
PAIR, POINT = np.array([[-1.0], [1.0]]), np.array([[0.0]])


def run(setting: Setting) -> list[Row]:
    """Axiom violations of W_1 and W_2 over random triples; Monge both ways; KL both ways."""
    rows: list[Row] = []
    for seed, p in itertools.product(setting.seeds, (1.0, 2.0)):
        rows += triples(np.random.default_rng(seed), seed, p)
    half, one = np.array([0.5, 0.5]), np.ones(1)
    rows.append({"kind": "monge", "forward": monge_cost(half, one, distances(PAIR, POINT))})
    rows[-1] |= {"backward": monge_cost(one, half, distances(POINT, PAIR))}
    rows[-1] |= {"forward_error": abs(rows[-1]["forward"] - 1.0)}
    for seed in setting.seeds:
        a, b = np.random.default_rng(seed).dirichlet(np.ones(POINTS), 2)
        there, back = kullback_leibler(a, b), kullback_leibler(b, a)
        rows.append({"kind": "kl", "seed": seed, "there": there, "back": back, "asymmetry": abs(there - back)})
    return rows


def triples(rng: np.random.Generator, seed: int, p: float) -> list[Row]:
    """Per triple of random measures in the plane: the worst violation of identity, symmetry, triangle."""
    rows: list[Row] = []
    for _ in range(TRIPLES):
        points = rng.normal(size=(3, POINTS, 2))
        weights = rng.dirichlet(np.ones(POINTS), 3)
        w = np.array(
            [[wasserstein(points[i], points[j], weights[i], weights[j], p) for j in range(3)] for i in range(3)]
        )
        identity, symmetry = np.abs(np.diag(w)).max(), np.abs(w - w.T).max()
        direct, detour = w[0, 2], w[0, 1] + w[1, 2]
        worst = max(identity, symmetry, *(w[i, k] - w[i, j] - w[j, k] for i, j, k in np.ndindex(3, 3, 3)))
        apart = w[~np.eye(3, dtype=bool)].min()
        rows.append({"kind": "axioms", "seed": seed, "p": p, "violation": worst, "apart": apart})
        rows[-1] |= {"direct": direct, "detour": detour}
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """Triangles under Kantorovich, Monge's cost both ways, KL both ways."""
    figure, axes = panels("T7  Kantorovich's distance is a metric, Monge's and KL are not", columns=3, width=3.4)
    axioms = measurements[measurements["kind"] == "axioms"]
    for p, name, color in ((1.0, "W₁", BLUE), (2.0, "W₂", GREEN)):
        shown = axioms[axioms["p"] == p]
        axes[0].scatter(shown["detour"], shown["direct"], s=10, color=color, label=name)
    top = axioms["detour"].max() * 1.05
    axes[0].plot([0, top], [0, top], color="black", linewidth=1, label="equality")
    legend(axes[0])
    label(axes[0], "W(μ,ν) + W(ν,ρ)", "W(μ,ρ)", "Kantorovich: triangle inequality")
    monge = measurements[measurements["kind"] == "monge"].iloc[0]
    axes[1].bar([0, 1], [monge["forward"], 1.3], color=[BLUE, "white"], edgecolor=[BLUE, VERMILION], hatch=["", "//"])
    axes[1].text(0, monge["forward"] + 0.03, f"{monge['forward']:.3g}", ha="center", fontsize=9)
    axes[1].text(1, 1.33, f"{monge['backward']} (no map)", ha="center", fontsize=9, color=VERMILION)
    axes[1].set_xticks([0, 1], ["½δ₋₁+½δ₁ → δ₀", "δ₀ → ½δ₋₁+½δ₁"], fontsize=8)
    axes[1].set_ylim(0, 1.55)
    label(axes[1], "", "Monge's cost", "Monge: not symmetric")
    kl = measurements[measurements["kind"] == "kl"]
    axes[2].scatter(kl["there"], kl["back"], color=VERMILION, s=22)
    low, high = kl[["there", "back"]].min().min() * 0.8, kl[["there", "back"]].max().max() * 1.1
    axes[2].plot([low, high], [low, high], color="black", linewidth=1, label="symmetry")
    legend(axes[2])
    label(axes[2], "KL(p‖q), nats", "KL(q‖p), nats", "KL: not symmetric")
    return figure


STUDY = Study(
    id="T7",
    claim="W_p is a metric “given either definition”; the Kullback–Leibler divergence is not symmetric.",
    document="Report 1.2, 1.2.1",
    experiment=f"{TRIPLES} random triples a seed of measures on {POINTS} points of the plane, p = 1 and 2; Monge's "
    "problem by enumeration of maps between ½δ₋₁ + ½δ₁ and δ₀, both ways; KL of random pairs both ways.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("violation", "worst violation of identity, symmetry or triangle inequality").at_most(1e-9),
            Measure.smallest("apart", "least distance of different measures").above(0.0),
            name="Kantorovich's W_p",
        ),
        refutes(
            Measure.largest("forward_error", "abs(Monge's cost of ½δ₋₁ + ½δ₁ → δ₀ − 1)").below(1e-9),
            Measure.smallest("backward", "Monge's cost of the reverse (inf: no map)").above(1e300),
            name="Monge's definition",
            reading="A metric by Kantorovich's definition only.",
        ),
        reproduces(
            Measure.median("asymmetry", "median abs(KL(p‖q) − KL(q‖p)), nats").above(1e-9), name="KL is not symmetric"
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=10),
    settings={"points": POINTS, "triples a seed": TRIPLES},
)
