"""report.html: one self-contained file that makes no request, filled from the blocks by page.html.j2.

Everything that comes from a record is escaped by the template; only svg.py's markup is taken as it is.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ...objectives.catalog import BUILTINS
from ..records.quantities import AXES, KNOWN, Quantity, number, quantity
from ..records.reader import RunRecord
from . import findings
from .blocks import Block, Group, has_few_modes, is_conditional
from .curves import Style, axes_of, curves, log_scale
from .intervals import interval_text
from .noise import Noise, noise, size_curves
from .notes import MEANING, TERMS, notes
from .pairs import BY_DIMENSION, axis_label, floor_name, judges_critics
from .palette import CYCLE
from .plots import slugs
from .svg import chart, colour_class, sparkline
from .thumbnails import Strip, data_uri, strips, thumbnail

_STABILITY = (
    "generator_grad_norm",
    "slope_real_mean",
    "slope_fake_mean",
    "slope_line_mean",
    "critic_estimate",
    "sigma_max",
    "clipped_share",
    "sample_spread",
)
_EMBEDDED = {
    "fields": "Surfaces and gradients beside the optimal critic's",
    "weights": "Critic weights at the end",
    "singular-values": "Largest singular value of the critic layers",
}
_FACTORS = ("dataset", "architecture", "recipe")
_POINTS = 100  # per line of a chart: more cannot be seen at its width


@dataclass(frozen=True)
class Value:
    """A cell of the summary: text, the number to sort by (None sorts last), interval, and whether it is marked."""

    text: str
    key: float | None
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class Section:
    """A block as the page shows it."""

    block: Block
    anchor: str
    verdict: str
    axes: dict[str, str]
    quality: list[dict[str, Any]]
    stability: list[dict[str, Any]]
    survival: Markup
    real: Strip | None
    strips: list[Strip]
    frames: list[int]
    pictures: list[tuple[str, str]]
    comparisons: dict[str, Any]
    reliability: list[findings.Reliability]
    noise: list[Noise]
    sizes: Markup
    marks: list[str]
    counts_modes: bool
    conditional: bool


def render_page(
    name: str,
    blocks: Sequence[Block],
    styles: Mapping[str, Style],
    pngs: Mapping[str, bytes],
    suite: Mapping[str, Any],
    unfinished: Sequence[str] = (),
) -> str:
    """The page's text. `pngs` are the plots by file name, as plots.py made them; the critics' are embedded."""
    context = {
        "name": name,
        "about": _about(suite),
        "objectives": _objectives(blocks),
        "verdict": findings.verdict(blocks),
        "meaning": MEANING,
        "terms": TERMS,
        "notes": notes(blocks, unfinished)[len(MEANING) :],
        "factors": {factor: list(dict.fromkeys(b.key[i] for b in blocks)) for i, factor in enumerate(_FACTORS)},
        "tables": [_table(block, slug) for block, slug in zip(blocks, slugs(blocks), strict=True)],
        "sections": [_section(b, slug, styles, pngs) for b, slug in zip(blocks, slugs(blocks), strict=True)],
        "runs": [_run(run, block, styles[run.objective]) for block in blocks for run in block.runs],
        "protocols": _protocols(blocks),
        "versions": _versions([run for block in blocks for run in block.runs], suite),
        "styles": styles,
        "colours": CYCLE,
    }
    return _environment().get_template("page.html.j2").render(context)


def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": number,
        "interval": interval_text,
        "folded": _folded,
        "anchor": _anchor,
        "colour": colour_class,
        "json": _json,
        "js_number": _js,
    }
    return environment


def _table(block: Block, slug: str) -> dict[str, Any]:
    """A block's part of the summary: a row per objective, and the floors."""
    marked = {metric.key: block.marked(metric) for metric in block.quality}
    return {
        "block": block,
        "slug": slug,
        "floor_name": floor_name(block),
        "rows": [_row(block, group, marked) for group in block.groups],
        "floors": [number(block.floors.get(metric.key)) for metric in block.quality] if block.floors else [],
    }


def _row(block: Block, group: Group, marked: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    values = []
    for metric in block.quality:
        found = block.estimates[group.objective, metric.key]
        key = None if math.isnan(found.value) else found.value
        interval = interval_text(found).removeprefix(number(found.value)).strip()
        values.append(Value(number(found.value), key, interval, group.objective in marked[metric.key]))
    share = group.ok / len(group.runs)
    return {"group": group, "values": values, "failures": share < 1, "share": share}


def _section(block: Block, slug: str, styles: Mapping[str, Style], pngs: Mapping[str, bytes]) -> Section:
    axes = axes_of([run for group in block.groups for run in group.measured], list(AXES))
    (real, own_strips), reliable = strips(block, styles), findings.reliability(block)
    return Section(
        block=block,
        anchor=f"block-{slug}",
        verdict=findings.block_verdict(block),
        axes={axis: axis_label(block, axis) for axis in axes},
        quality=[_charts(block, metric, axes, styles) for metric in block.quality],
        stability=[_charts(block, metric, ["step"], styles) for metric in _stability_metrics(block)],
        survival=chart(
            findings.survival_curves(block), styles, (axis_label(block, "step"), "share not diverged"), stairs=True
        ),
        real=real,
        strips=own_strips,
        frames=sorted({step for strip in own_strips for step in strip.steps}),
        pictures=_pictures(block, slug, pngs),
        comparisons=findings.comparisons(block),
        reliability=reliable,
        noise=noise(block),
        sizes=_sizes(block, styles),
        marks=_marks(block),
        counts_modes=any(row.few_modes for row in reliable),
        conditional=is_conditional(block),
    )


def _marks(block: Block) -> list[str]:
    """What lines and crosses of the block's charts mean, of those that are there."""
    runs = [run for group in block.groups for run in group.measured]
    marks = ["thin: one seed, bold: median"] if len({run.seed for run in runs}) > 1 else []
    marks += [f"dotted: {floor_name(block)}"] if block.floors else []
    return marks + (["×: diverged"] if any(run.diverged_at is not None for run in runs) else [])


def _stability_metrics(block: Block) -> list[Quantity]:
    """The usual ones, then what lipbench does not know."""
    measured = {metric.key: metric for metric in block.quantities}
    usual = [measured[key] for key in _STABILITY if key in measured]
    return usual + [metric for metric in block.quantities if not metric.quality and metric.key not in KNOWN]


def _pictures(block: Block, slug: str, pngs: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(title, data URI) of the plots that the page shows as they are."""
    named = {"Cosine against dimension": pngs.get(BY_DIMENSION)} if judges_critics(block) else {}
    named |= {title: pngs.get(f"{slug}-{kind}.png") for kind, title in _EMBEDDED.items()}
    return [(title, data_uri("image/png", png)) for title, png in named.items() if png is not None]


def _sizes(block: Block, styles: Mapping[str, Style]) -> Markup:
    found = size_curves(block)
    metric = block.quality[0] if found else None
    return chart(found, styles, ("1 / samples a side", metric.axis)) if metric else Markup("")


def _charts(block: Block, metric: Quantity, axes: Sequence[str], styles: Mapping[str, Style]) -> dict[str, Any]:
    value, drawn = block.floors.get(metric.key), {}
    floor = None if value is None else (value, f"{floor_name(block)} {number(value)}", metric.better == "lower")
    for axis in axes:
        found, labels = curves(block, metric, axis, _POINTS), (axis_label(block, axis), metric.axis)
        drawn[axis] = chart(found, styles, labels, floor, block.extent(metric), log_scale(block, metric))
    return {"metric": metric, "drawn": {axis: svg for axis, svg in drawn.items() if svg}}


def _run(run: RunRecord, block: Block, style: Style) -> dict[str, Any]:
    """One run's part of the page: its courses in small, its last samples, and the records as they are."""
    sparks = [q for q in (*block.quality[:1], KNOWN["generator_grad_norm"]) if q.key in run.courses]
    drawn = [(q.name, sparkline(run.courses["step"], run.courses[q.key], style, q.name)) for q in sparks]
    return {
        "record": run,
        "sparks": [(label, svg) for label, svg in drawn if svg],
        "picture": thumbnail(run, style),
        "metrics": [(q, run.metrics[q.key]) for q in block.quantities if q.key in run.metrics],
        "specification": json.dumps(run.spec, indent=1, ensure_ascii=False),
        "traceback": run.result.outcome.traceback,
        "recovered": run.result.outcome.recovered,
        "few_modes": has_few_modes(run),
    }


def _versions(runs: Sequence[RunRecord], suite: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything that should be one and the same for all runs, with each value that occurs."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        own = {k: run.spec.get(k) for k in ("code", "device", "threads")}
        for key, value in (own | run.result.versions).items():
            if value is not None:
                found.setdefault(key, {})[str(value)] = None
    machine = suite.get("machine") or {}
    lines = [(key, ", ".join(values)) for key, values in found.items()]
    lines += [(f"machine: {key}", str(value)) for key, value in (machine.items() if isinstance(machine, dict) else ())]
    return lines + [("note", str(note)) for note in suite.get("notes") or ()]


def _protocols(blocks: Sequence[Block]) -> list[tuple[str, str, str]]:
    """(dataset, metric, protocol) of every metric; blocks on one dataset share theirs."""
    by_dataset = {block.dataset: block.protocol for block in blocks}
    return [
        (dataset, quantity(metric, p).name, _pairs(p))
        for dataset, found in by_dataset.items()
        for metric, p in found.items()
    ]


def _about(suite: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Version, date, command and machine, as far as they are recorded."""
    machine = suite.get("machine")
    parts = machine if isinstance(machine, Mapping) else {}
    named = " ".join(str(parts[key]) for key in ("processor", "device") if parts.get(key))
    found = {key: suite.get(key) for key in ("version", "date", "command")} | {"machine": named}
    return [(key, str(value)) for key, value in found.items() if value]


def _objectives(blocks: Sequence[Block]) -> dict[str, str]:
    """What each objective is, with its source, by label, as far as the records say it of those of others."""
    specs = {run.objective: run.spec for block in blocks for run in block.runs}
    found = {label: _objective(label, spec) for label, spec in specs.items()}
    return {label: text for label, text in found.items() if text}


def _objective(label: str, spec: Mapping[str, Any]) -> str:
    known = spec.get("objective_spec")
    name = str((known if isinstance(known, Mapping) else {}).get("name", label))
    if name in BUILTINS:
        return f"{BUILTINS.about(name).removesuffix('.')}. {BUILTINS.about(name, 'reference')}."
    return str((spec.get("about") or {}).get("objective", ""))


def _folded(text: str) -> Markup:
    """The text with long hashes cut; the whole one shows where the mouse rests."""
    parts = re.split(r"\b([0-9a-f]{16,})\b", text)
    cut = Markup('<abbr title="{0}">{1}…</abbr>')
    return Markup("").join(cut.format(part, part[:12]) if i % 2 else escape(part) for i, part in enumerate(parts))


def _anchor(term: str) -> str:
    """Where the page says what a term means."""
    return f"term-{re.sub('[^a-z0-9]+', '-', term.lower()).strip('-')}"


def _pairs(protocol: Any) -> str:
    if not isinstance(protocol, Mapping):
        return str(protocol)
    return ", ".join(f"{key} = {value}" for key, value in protocol.items())


def _json(value: Any) -> str:
    return json.dumps(value)


def _js(value: float) -> str:
    """A number as JavaScript reads it."""
    return repr(value) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
