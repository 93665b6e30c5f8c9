"""T18: a discriminator that is close to the perfect one in sup norm may still give the generator a large gradient."""

import math
from collections.abc import Callable

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ...report.palette import BLUE, GREY, VERMILION
from ..engine.contract import Measure, Row, Setting, Study, every_scale, refutes, reproduces
from ..plotting.style import label, label_powers_of_ten, legend, panels

DISTANCE, EPSILON = 1.0, 1e-3
FREQUENCIES = (1.0, 10.0, 100.0)
GRID = torch.linspace(-0.5, 1.5, 40_001, dtype=torch.float64)


def perfect(x: Tensor) -> Tensor:
    """D**: 1 near the real line x = 0, 0 near the generated line x = 1, a smooth step between (degree 5)."""
    t = ((x - DISTANCE / 3.0) / (DISTANCE / 3.0)).clamp(0.0, 1.0)
    return 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t**2)


def oscillating(x: Tensor, frequency: float) -> Tensor:
    """Within ε of D** everywhere and within [0, 1], with a wave across the supports; frequency in cycles a unit."""
    wave = 0.5 * (1.0 + torch.sin(2.0 * math.pi * frequency * (x - DISTANCE)))
    return (1.0 - EPSILON) * perfect(x) + EPSILON * wave


def slope(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The derivative of a function of x at each x."""
    x = x.detach().clone().requires_grad_(True)
    return torch.autograd.grad(function(x).sum(), x)[0]


def generator_gradient(frequency: float) -> float:
    """|d/dθ E log(1 − D(g_θ(z)))| for g_θ(z) = (θ, z): the Jacobian's norm is 1, so the theorem's M is 1."""
    theta = torch.tensor(DISTANCE, dtype=torch.float64, requires_grad=True)
    torch.log1p(-oscillating(theta, frequency)).backward()
    return abs(float(theta.grad)) if theta.grad is not None else 0.0


def run(setting: Setting) -> list[Row]:
    """Per frequency: the gradient, and the bound δ/(1 − δ) with δ in sup norm and with the slopes included."""
    supports = torch.tensor([0.0, DISTANCE], dtype=torch.float64)
    rows: list[Row] = [{"kind": "perfect", "slope": float(slope(perfect, supports).abs().max())}]
    for frequency in FREQUENCIES:

        def difference(x: Tensor, f: float = frequency) -> Tensor:
            return oscillating(x, f) - perfect(x)

        sup = float(difference(GRID).abs().max())
        # the theorem's norm: the largest of |D − D**| + |∇(D − D**)|, both at the same point
        with_slope = float((difference(GRID).abs() + slope(difference, GRID).abs()).max())
        gradient = generator_gradient(frequency)
        row: Row = {"kind": "wave", "frequency": frequency, "sup": sup, "with_slope": with_slope, "gradient": gradient}
        row |= {"bound": sup / (1.0 - sup), "bound_with_slope": with_slope / (1.0 - with_slope)}
        rows.append(row | {"ratio": gradient / row["bound"], "ratio_with_slope": gradient / row["bound_with_slope"]})
    return rows


def plot(measurements: pd.DataFrame) -> Figure:
    """The discriminator near the generated line, and the gradient against both bounds."""
    figure, axes = panels("T18  Close to the perfect discriminator, yet a large gradient", columns=2)
    near = GRID[(GRID > 0.85) & (GRID < 1.15)]
    axes[0].plot(near, oscillating(near, 10.0) * 1e3, color=VERMILION, label="D, frequency 10")
    axes[0].plot(near, perfect(near) * 1e3, color="black", label="perfect D**")
    axes[0].axvline(DISTANCE, color=GREY, linestyle=":", label="generated line")
    axes[0].axhline(EPSILON * 1e3, color=GREY, linestyle="--", linewidth=1, label="D** + ε")
    axes[0].set_ylim(-0.1, 1.9)
    legend(axes[0], loc="upper right", ncols=2)
    label(axes[0], "x, across the lines", "D(x) × 1000", f"within ε = {EPSILON:g} of the perfect one")
    waves = measurements[measurements["kind"] == "wave"]
    axes[1].loglog(waves["frequency"], waves["gradient"], "o-", color=VERMILION, label="generator's gradient")
    axes[1].loglog(waves["frequency"], waves["bound"], "s--", color="black", label="bound, sup norm")
    axes[1].loglog(waves["frequency"], waves["bound_with_slope"], "^--", color=BLUE, label="bound, slopes included")
    label_powers_of_ten(axes[1].yaxis)
    legend(axes[1], loc="upper left")
    label(axes[1], "frequency, cycles per unit", "norm", "the bound of equation 7")
    return figure


STUDY = Study(
    id="T18",
    claim="∇D** = 0 on the supports, and (eq. 7) abs(D − D**) < ε bounds the generator's gradient by Cε/(1−ε).",
    document="Report 2.3.1",
    experiment=f"Parallel lines, ε = {EPSILON:g}: D = perfect discriminator + a wave of amplitude ≤ ε across the "
    "lines, frequency 1, 10, 100 per unit length; gradient by automatic differentiation (C = 1). That perfect "
    "discriminator is flat near both lines by construction, as in the theorem: its part only checks the code.",
    run=run,
    parts=(
        reproduces(
            Measure.largest("slope", "largest slope of D** on the supports").at_most(1e-12),
            name="∇D** = 0",
            reading="D** takes its extreme values 1 and 0 on the supports, so its gradient vanishes there wherever it "
            "is differentiable.",
        ),
        refutes(
            Measure.smallest("ratio", "generator's gradient / bound, ε in sup norm, least of three frequencies").above(
                1.0
            ),
            name="eq. 7 with ε in sup norm",
            reading="ε must bound the slopes too (Arjovsky & Bottou 2017, theorem 2.4).",
        ),
        reproduces(
            Measure.largest(
                "ratio_with_slope", "generator's gradient / bound, slopes included, largest of three"
            ).at_most(1.0),
            name="eq. 7 with the gradient in the norm",
        ),
    ),
    plot=plot,
    sizes=every_scale(),
    settings={"epsilon": EPSILON, "frequencies": list(FREQUENCIES), "distance": DISTANCE},
)
