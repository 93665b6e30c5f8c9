"""T15: which divergence drops a mode when one Gaussian is fitted to two."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy.stats import norm
from torch import Tensor

from ...report.palette import BLUE, GREEN, GREY, VERMILION
from ..engine.contract import Criterion, Measure, Row, Setting, Study, every_scale, reproduces
from ..plotting.style import label, legend, panels

MODE, SPREAD, STARTS, STEPS = 3.0, 1.0, 50, 1000
FARTHER, FEW = (4.5, 6.0), 8  # JS is fitted to modes farther apart too, from the first few starts
GRID = torch.linspace(-18.0, 18.0, 401, dtype=torch.float64)
CELL = float(GRID[1] - GRID[0])
COLORS = {"KL": BLUE, "reverse KL": VERMILION, "JS": GREEN}


def log_normal(mean: Tensor, log_sd: Tensor) -> Tensor:
    """Log density of N(mean, exp(log_sd)²) on GRID, [k, 401] for k of them."""
    z = (GRID - mean[:, None]) / log_sd.exp()[:, None]
    return -0.5 * z.square() - log_sd[:, None] - 0.5 * np.log(2.0 * np.pi)


def log_target(mode: float = MODE) -> Tensor:
    """Log density of ½N(−mode, 1) + ½N(mode, 1) on GRID, [401]."""
    sds = torch.full((2,), float(np.log(SPREAD)), dtype=torch.float64)
    return torch.logsumexp(log_normal(torch.tensor([-mode, mode], dtype=torch.float64), sds), 0) - np.log(2.0)


def kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p‖q) by the trapezoid rule (both vanish at the ends), [k], nats."""
    return (log_p.exp() * (log_p - log_q)).sum(-1) * CELL


def js(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Jensen–Shannon divergence, [k], nats."""
    middle = torch.logaddexp(log_p, log_q) - np.log(2.0)
    return 0.5 * (kl(log_p, middle) + kl(log_q, middle))


DIVERGENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "KL": lambda p, q: kl(p.expand_as(q), q),
    "reverse KL": lambda p, q: kl(q, p),
    "JS": lambda p, q: js(p.expand_as(q), q),
}


def run(setting: Setting) -> list[Row]:
    """Per divergence and start: the fitted Gaussian, its divergence, and how many modes lie within 2 sd of its mean.

    Per divergence the best optimum, for JS with the modes farther apart as well.
    """
    rows: list[Row] = []
    target = log_target()
    for name, divergence in DIVERGENCES.items():
        means, sds, values = fit(divergence, target, setting.seeds)
        for place, seed in enumerate(setting.seeds):
            mean, log_sd = start(seed)
            modes = covered(means[place], sds[place])
            row: Row = {"seed": seed, "divergence": name, "start_mean": mean, "start_sd": np.exp(log_sd)}
            row |= {"mean": means[place], "sd": sds[place], "modes": modes, "value": values[place]}
            row |= {"both": int(modes == 2), "one": int(modes == 1)}
            rows.append(row | {"reached": int(values[place] < values.min() + 1e-3)})
        rows.append({"divergence": name} | best(means, sds, values, MODE))
    for mode in FARTHER:
        fitted = fit(DIVERGENCES["JS"], log_target(mode), setting.seeds[:FEW])
        rows.append({"divergence": "JS"} | best(*fitted, mode))
    return rows


def best(means: np.ndarray, sds: np.ndarray, values: np.ndarray, mode: float) -> Row:
    """Modes covered by the best of the fits [k] to modes at ±mode, and the least divergence, nats, over one and both.

    The least divergence is inf where no fit covers that many.
    """
    modes = np.array([covered(mean, sd, mode) for mean, sd in zip(means, sds, strict=True)])
    least = {f"least_{word}": values[modes == k].min(initial=np.inf) for k, word in ((1, "one"), (2, "both"))}
    return {"mode": mode, "best_modes": int(modes[values.argmin()])} | least


def covered(mean: float, sd: float, mode: float = MODE) -> int:
    """How many of the two modes, at ±mode, lie within two standard deviations of the mean."""
    return int(abs(mean - mode) <= 2.0 * sd) + int(abs(mean + mode) <= 2.0 * sd)


def start(seed: int) -> tuple[float, float]:
    """A mean within twice the range of the modes; a log sd from narrower than one mode to wider than both."""
    rng = np.random.default_rng(seed)
    return float(rng.uniform(-2 * MODE, 2 * MODE)), float(rng.uniform(np.log(0.3 * SPREAD), np.log(2 * MODE)))


def fit(
    divergence: Callable[[Tensor, Tensor], Tensor], target: Tensor, seeds: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, standard deviations and divergences at the end of gradient descent, all starts at once; each [k]."""
    mean, log_sd = torch.tensor([start(seed) for seed in seeds], dtype=torch.float64).unbind(1)
    mean, log_sd = mean.clone().requires_grad_(), log_sd.clone().requires_grad_()
    # A short memory of squared gradients: narrow starts begin with gradients that are thousands of times larger.
    optimizer = torch.optim.Adam([mean, log_sd], lr=0.05, betas=(0.9, 0.9))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        divergence(target, log_normal(mean, log_sd)).sum().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        value = divergence(target, log_normal(mean, log_sd))
    return mean.detach().numpy(), log_sd.detach().exp().numpy(), value.numpy()


def plot(measurements: pd.DataFrame) -> Figure:
    """The Gaussians that descent ends in, with their share of the starts and their divergence."""
    starts = measurements["seed"].nunique()
    figure, axes = panels(f"T15  One Gaussian fitted to two modes, from {starts} starts", columns=3, width=3.5)
    density = log_target().exp().numpy()
    for axis, (name, color) in zip(axes, COLORS.items(), strict=True):
        axis.fill_between(GRID, density, color=GREY, alpha=0.3, linewidth=0, label="two modes")
        ends = measurements[(measurements["divergence"] == name) & measurements["mean"].notna()]
        for end in _distinct(ends).to_dict("records"):
            curve = norm.pdf(GRID.numpy(), end["mean"], end["sd"])
            axis.plot(GRID, curve, color=color, linewidth=0.8 + 3 * end["share"])
            text = f"{end['share']:.0%}\n{end['value']:.2f}"
            axis.text(end["mean"], curve.max() + 0.012, text, ha="center", fontsize=8)
        axis.set(xlim=(-9, 9), ylim=(0, 0.52))
        label(axis, "x", "density" if name == "KL" else "", f"{name}: % of starts, divergence in nats")
    axes[0].plot([], [], color=BLUE, label="fitted Gaussian\n(width: share of starts)")
    legend(axes[0], loc="upper left")
    return figure


def _distinct(ends: pd.DataFrame) -> pd.DataFrame:
    """The optima that were reached, rounded, each with its share of the starts."""
    keys = ends[["mean", "sd"]].round(1) + 0.0
    grouped = ends.groupby([keys["mean"], keys["sd"]])
    return pd.DataFrame(
        [
            {"mean": g["mean"].mean(), "sd": g["sd"].mean(), "value": g["value"].mean(), "share": len(g) / len(ends)}
            for _, g in grouped
        ]
    )


def _share(name: str, column: str, text: str) -> Criterion:
    return Measure.share(column, text, divergence=name).at_least(0.95)


def _best(name: str, mode: float = MODE) -> Measure:
    text = f"modes covered by the best optimum, modes at ±{mode:g}"
    return Measure.largest("best_modes", text, divergence=name, mode=mode)


STUDY = Study(
    id="T15",
    claim="KL over- or under-penalises (covers all modes, or reversed, drops one); JS avoids mode dropping.",
    document="Report 2.2.2",
    experiment=f"One Gaussian fitted to ½N(−{MODE:g},1) + ½N({MODE:g},1) by gradient descent on each "
    f"divergence (quadrature) from {STARTS} starts; a mode is covered within 2 sd of the fitted mean. For JS also "
    f"modes at ±4.5 and ±6, from {FEW} starts.",
    run=run,
    parts=(
        reproduces(
            _share("KL", "both", "share of starts that cover both modes"),
            name="KL covers both modes",
            reported=(_best("KL"),),
        ),
        reproduces(
            _share("reverse KL", "one", "share of starts that cover one mode"),
            name="reverse KL covers one",
            caveat="The share measures the law of the starts, which is ours, and not the divergence alone.",
            cause="Its best optimum covers one mode, as claimed, but a wide Gaussian over both (sd about 2.7) is a "
            "local optimum too, in which starts near the middle end (all with abs(mean) ≤ 1.5, whatever their width): "
            "descent on reverse KL need not drop a mode.",
            reported=(_best("reverse KL"),),
        ),
        reproduces(
            _share("JS", "both", "share of starts that cover both modes"),
            name="JS avoids mode dropping",
            cause="Its best optimum here covers both modes, but each mode alone is a local optimum, in which narrow "
            "starts near a mode end: minimising JS by descent does drop modes. With the modes at ±4.5 or ±6 the best "
            "optimum itself covers one.",
            reported=(_best("JS"), *(_best("JS", mode) for mode in FARTHER)),
        ),
    ),
    plot=plot,
    sizes=every_scale(seeds=STARTS),
    settings={
        "modes": [-MODE, MODE],
        "sd": SPREAD,
        "steps": STEPS,
        "start": start.__doc__,
        "farther modes": list(FARTHER),
        "starts there": FEW,
    },
)
