"""Line charts as inline SVG for the page: small, sharp, and in the page's own colours, light or dark.

Strings in, strings out; every text is escaped here because the page takes the result as markup.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

from .canvas import few_ticks, log_ticks, tick, with_room
from .curves import Curve, Style, on_axis
from .palette import CYCLE

WIDTH, HEIGHT = 400, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 10, 8, 38


class Scale:
    """Data to pixels along one axis."""

    def __init__(
        self, low: float, high: float, start: float, end: float, log: bool = False, room: float = 0.04
    ) -> None:
        self.low, self.high = with_room(low, high, log, room)
        self.start, self.end, self.log = start, end, log

    def __call__(self, values: np.ndarray) -> np.ndarray:
        low, high, data = (np.log10(v) if self.log else v for v in (self.low, self.high, values))
        return np.asarray(self.start + (data - low) / (high - low) * (self.end - self.start))

    @property
    def ticks(self) -> np.ndarray:
        locator = log_ticks(self.low, self.high) if self.log else few_ticks()
        found = np.asarray(locator.tick_values(self.low, self.high), dtype=float)
        return found[(found >= self.low) & (found <= self.high)]


def chart(
    curves: Sequence[Curve],
    styles: Mapping[str, Style],
    labels: tuple[str, str],
    floor: tuple[float, str, bool] | None = None,
    extent: tuple[float, float] = (math.nan, math.nan),
    log: bool = False,
    stairs: bool = False,
) -> Markup:
    """Every seed thin, the median bold, real data's own value dotted, crosses where runs diverged. From 0 on.

    Args:
        curves: what to draw; an empty string if nothing is.
        styles: by objective.
        labels: of the two axes.
        floor: its value, its name, and whether the name stands below it.
        extent: the values that the vertical axis covers, and the floor: what lies beyond is drawn at its ends, and
            said. By default the curves'.
        log: whether it is logarithmic.
        stairs: whether the lines are a survival curve, whose axis goes down to 0.
    """
    lines = [line for curve in curves for line in curve.lines]
    if not lines:
        return Markup("")
    x = np.concatenate([line.x for line in lines])
    covered = [line.y for line in lines] if math.isnan(extent[0]) else [np.array(extent)]
    values = np.concatenate([*covered, [floor[0] if floor else math.nan]])
    low, high = (0.0 if stairs else np.nanmin(values)), np.nanmax(values)
    xs = Scale(min(0.0, x.min()), x.max(), _LEFT, WIDTH - _RIGHT)
    ys = Scale(low, high, HEIGHT - _BOTTOM, _TOP, log, room=0.08)
    parts = [_frame(xs, ys, *labels)]
    drawn, beyond = on_axis(curves, ys.low, ys.high)
    parts += [_curve(curve, styles[curve.objective], xs, ys, stairs) for curve in drawn]
    if beyond:
        parts.append(_beyond(beyond, right=floor is not None and floor[2]))
    if floor is not None:
        parts.append(_floor(*floor, ys))
    label = escape(f"{labels[1]} against {labels[0]}: {', '.join(curve.objective for curve in curves)}")
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>')


def _beyond(text: str, right: bool) -> str:
    """Where the floor's name is not."""
    x, anchor = (WIDTH - _RIGHT - 3, "end") if right else (_LEFT + 4, "start")
    return f'<text class="beyond" x="{x}" y="{_TOP + 13}" text-anchor="{anchor}">{text}</text>'


def _floor(value: float, name: str, below: bool, ys: Scale) -> str:
    level = float(ys(np.array([value]))[0])
    end = WIDTH - _RIGHT
    text = f'<text x="{end}" y="{level + (11 if below else -4):.1f}" text-anchor="end">{escape(name)}</text>'
    return f'<path class="floor" d="M{_LEFT} {level:.1f}H{end}"/>{text}'


def sparkline(x: np.ndarray, y: np.ndarray, style: Style, label: str) -> Markup:
    """One line without axes; an empty string if no two values are finite."""
    keep = np.isfinite(x) & np.isfinite(y)
    if keep.sum() < 2:
        return Markup("")
    x, y = x[keep], y[keep]
    log = bool(y.min() > 0 and y.max() > 30 * y.min())
    d = _path(Scale(x.min(), x.max(), 2, 158)(x), Scale(y.min(), y.max(), 38, 2, log)(y))
    return Markup(
        f'<svg class="spark" viewBox="0 0 160 40" role="img" aria-label="{escape(label)}">'
        f'<path class="median {colour_class(style)}" d="{d}"/></svg>'
    )


def colour_class(style: Style) -> str:
    """The CSS class that holds the objective's colour."""
    return f"c{style.index % len(CYCLE)}"


def _frame(xs: Scale, ys: Scale, x_label: str, y_label: str) -> str:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts = []
    for value, place in zip(xs.ticks, xs(xs.ticks), strict=True):
        parts.append(f'<text x="{place:.1f}" y="{bottom + 14}" text-anchor="middle">{tick(value)}</text>')
    for value, place in zip(ys.ticks, ys(ys.ticks), strict=True):
        parts.append(f'<path class="grid" d="M{_LEFT} {place:.1f}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{place + 3.5:.1f}" text-anchor="end">{tick(value)}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>')
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>')
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>',
    )
    return "".join(parts)


def _curve(curve: Curve, style: Style, xs: Scale, ys: Scale, stairs: bool) -> str:
    dashes = f' stroke-dasharray="{" ".join(map(str, style.dashes))}"' if style.dashes else ""
    thin = "".join(_path(xs(line.x), ys(line.y), stairs) for line in curve.lines)
    parts = [f'<path class="seed" d="{thin}"/>']
    if len(curve.x):
        parts.append(f'<path class="median"{dashes} d="{_path(xs(curve.x), ys(curve.y), stairs)}"/>')
    for line in curve.lines:
        if line.cross is not None:
            x, y = float(xs(np.array([line.cross[0]]))[0]), float(ys(np.array([line.cross[1]]))[0])
            ending = "diverged, recovered later" if line.recovered else "diverged"
            title = escape(f"{curve.objective}, seed {line.seed}: {ending}")
            d = f"M{x - 4:.1f} {y - 4:.1f}l8 8m0-8l-8 8"
            kind = "cross recovered" if line.recovered else "cross"
            parts.append(f'<path class="{kind}" d="{d}"><title>{title}</title></path>')
    return f'<g class="{colour_class(style)}"><title>{escape(curve.objective)}</title>{"".join(parts)}</g>'


def _path(x: np.ndarray, y: np.ndarray, stairs: bool = False) -> str:
    places = [f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    if not stairs:
        return "M" + "L".join(places)
    return f"M{places[0]}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in zip(x[1:].tolist(), y[1:].tolist(), strict=True))
