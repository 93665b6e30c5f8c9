"""The plots: what is in them, that colours agree between them, and that no text covers another or is cut off."""

import io
import itertools
import multiprocessing
import os
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image
from safetensors.numpy import save_file

from lipbench.bench.records.quantities import number
from lipbench.bench.records.reader import read_runs, read_suite
from lipbench.bench.records.schema import RunOutcome
from lipbench.bench.report import report
from lipbench.bench.report.blocks import Block, make_blocks, objective_order
from lipbench.bench.report.canvas import RC, Panel, canvas, few_ticks, plain_axes, tick
from lipbench.bench.report.curves import DASHES, Style, styles
from lipbench.bench.report.plots import FIGURES, draw_plots, slugs

Make = Callable[..., Path]
LONG = ("wgan-gp(weight=0.1, target=0.0)", "my_plugin.py:MyObjective$x$", *(f"objective-{i}" for i in range(8)))


def _load(folder: Path) -> tuple[list[Block], dict[str, Style]]:
    records, suite = read_runs(folder), read_suite(folder)
    return make_blocks(records, suite), styles(objective_order(records, suite))


@pytest.fixture(scope="module")
def drawn(sweep: Path) -> dict[tuple[str, str], Figure]:
    """Every figure of the mixed sweep, drawn, by (dataset, kind)."""
    return _draw(*_load(sweep))


def _draw(blocks: list[Block], found: dict[str, Style]) -> dict[tuple[str, str], Figure]:
    figures = {}
    with matplotlib.rc_context(RC):
        for block, (kind, draw) in itertools.product(blocks, FIGURES.items()):
            figure = draw(block, found)
            if figure is None:  # marginals are of points of one, or of three to five columns
                assert kind == "marginals"
                continue
            FigureCanvasAgg(figure).draw()
            figures[block.dataset, kind] = figure
    return figures


def _colours(figure: Figure) -> dict[str, str]:
    handles = figure.legends[0].legend_handles
    return {str(h.get_label()): to_hex(h.get_color()) for h in handles if h is not None}  # pyright: ignore[reportAttributeAccessIssue]


def _overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of visible texts whose boxes share more than a pixel, and texts that leave the figure."""
    renderer = figure.canvas.get_renderer()  # pyright: ignore[reportAttributeAccessIssue]
    hidden = {t for ax in figure.axes if not ax.axison for t in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in hidden]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in _shown(figure, texts)]
    outside = [
        (text, "edge") for text, b in boxes if b.x0 < 0 or b.y0 < 0 or b.x1 > figure.bbox.x1 or b.y1 > figure.bbox.y1
    ]
    pairs = itertools.combinations([(text, b.padded(-1)) for text, b in boxes], 2)
    return outside + [(s, t) for (s, a), (t, b) in pairs if a.overlaps(b)]


def _shown(figure: Figure, texts: list[Any]) -> list[Any]:
    """Without the labels of ticks beyond the limits of their axes, which are not drawn."""
    gone = set()
    for ax in figure.axes:
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)
            gone |= {label for place, label in ticks if not min(limits) <= place <= max(limits)}
    return [t for t in texts if t not in gone]


def test_figures_have_readable_texts_that_do_not_overlap(drawn: dict[tuple[str, str], Figure]) -> None:
    assert {key: found for key, figure in drawn.items() if (found := _overlaps(figure))} == {}


def test_figures_with_ten_long_names_do_not_overlap_either(make_sweep: Make, tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=LONG, datasets=("8gaussians",), seeds=1)
    figures = _draw(*_load(tmp_path))
    assert {kind: found for (_, kind), figure in figures.items() if (found := _overlaps(figure))} == {}


def test_samples_have_titles_that_do_not_overlap_however_long_names_are(make_sweep: Make, tmp_path: Path) -> None:
    objectives = ("minimax", "wgan-gp(weight=0.1, target=0.0, places=interpolate)", "W" * 20, "x" * 100, "a")
    make_sweep(tmp_path, objectives=objectives, datasets=("8gaussians",), seeds=1)
    (block,), found = _load(tmp_path)
    figure = _draw([block], found)["8gaussians", "samples"]
    assert _overlaps(figure) == []
    titles = ["".join(text.get_text().split()) for text in figure.axes[0].texts]
    assert all(any(title.startswith(f"{o.replace(' ', '')}seed0,") for title in titles) for o in objectives)


def test_colours_of_objectives_agree_between_all_figures(drawn: dict[tuple[str, str], Figure]) -> None:
    legends = [_colours(f) for (_, kind), f in drawn.items() if kind in ("quality", "stability", "singular-values")]
    objectives = ("minimax", "wgan-clip", "wgan-gp", "sn-gan")
    assert len({tuple(legend[o] for o in objectives) for legend in legends}) == 1
    assert len({legends[0][o] for o in objectives}) == 4


def test_quality_figure_shows_every_metric_and_the_first_against_seconds(drawn: dict[tuple[str, str], Figure]) -> None:
    axes = drawn["8gaussians", "quality"].axes
    assert [(ax.get_title().split(" (")[0], ax.get_xlabel().split(" (")[0]) for ax in axes] == [
        ("W1", "iteration"),
        ("W1", "seconds"),
        ("modes", "iteration"),
        ("high quality", "iteration"),
        ("mode KL", "iteration"),
    ]
    assert axes[0].get_ylabel() == "W1 [data units]" and axes[0].get_yscale() == "log"
    assert [ax.get_title() for ax in drawn["mnist5k", "quality"].axes][2] == "IS(mnist-cnn) (higher is better)"


def test_quality_figure_draws_seeds_medians_floor_and_the_cross(drawn: dict[tuple[str, str], Figure]) -> None:
    figure = drawn["8gaussians", "quality"]
    ax = figure.axes[0]
    seeds = [len(c.get_segments()) for c in ax.collections if isinstance(c, LineCollection)]
    assert seeds == [3, 2, 3, 3]  # one run of wgan-clip failed
    bold = [line for line in ax.lines if line.get_linewidth() == 2]
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    crosses = [line for line in ax.lines if line.get_marker() == "X"]
    assert len(bold) == 4 and len(dotted) == 1 and len(crosses) == 1
    assert np.asarray(dotted[0].get_ydata()) == pytest.approx(0.051, abs=0.0011)
    assert np.asarray(crosses[0].get_xdata()).tolist() == [1160]
    labels = set(_colours(figure))
    assert {"diverged here", "one seed (bold: median)"} <= labels
    assert [text.get_text() for text in ax.texts] == [
        f"real data {number(float(np.asarray(dotted[0].get_ydata())[0]))}"
    ]
    assert "diverged here" not in _colours(drawn["mnist5k", "quality"])


def test_quality_figure_tells_crosses_of_runs_that_recovered_apart(
    make_sweep: Callable[..., Path], tmp_path: Path
) -> None:
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=2)
    records = read_runs(tmp_path)
    for i, recovered in enumerate((True, False)):
        outcome = RunOutcome("completed" if recovered else "diverged", diverged_at=300, recovered=recovered)
        records[i] = replace(records[i], result=replace(records[i].result, outcome=outcome))
    (block,) = make_blocks(records)
    figure = FIGURES["quality"](block, styles(["a", "b"]))
    assert figure is not None
    markers = [line.get_marker() for line in figure.axes[0].lines]
    assert (markers.count("X"), markers.count("x")) == (1, 1)
    assert {"diverged here", "diverged here, recovered later"} <= set(_colours(figure))


def test_stability_figure_has_a_log_axis_for_gradients_and_the_unit_slope(drawn: dict[tuple[str, str], Figure]) -> None:
    gradient, *slopes = drawn["8gaussians", "stability"].axes
    assert gradient.get_title() == "generator gradient norm" and gradient.get_yscale() == "log"
    assert [ax.get_title() for ax in slopes] == [
        f"critic slope on {where}, mean" for where in ("real points", "fake points", "lines between them")
    ]
    assert all(any(np.all(np.asarray(line.get_ydata()) == 1) for line in ax.lines) for ax in slopes)


def test_samples_figure_begins_with_real_data_and_shows_one_seed(drawn: dict[tuple[str, str], Figure]) -> None:
    texts = [t.get_text() for t in drawn["mnist5k", "samples"].axes[0].texts]
    names = ("minimax", "wgan-clip", "wgan-gp", "sn-gan")
    assert texts == ["real data", *(f"{name}\nseed 1, completed" for name in names)]
    assert len(drawn["mnist5k", "samples"].axes[0].images) == 5
    points = drawn["8gaussians", "samples"].axes[0]
    assert len(points.images) == len(points.collections) == 5 and points.get_aspect() == "auto"
    box, (x, y) = points.get_window_extent(), (np.ptp(points.get_xlim()), np.ptp(points.get_ylim()))
    assert box.width / x == pytest.approx(box.height / y, rel=0.01)  # squares are square


def test_samples_figure_says_where_an_objective_has_none(make_sweep: Make, tmp_path: Path) -> None:
    statuses = {("b", "8gaussians", s): "failed" for s in range(2)}
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=2, statuses=statuses)
    (block,), found = _load(tmp_path)
    figure = FIGURES["samples"](block, found)
    assert figure is not None
    assert [t.get_text() for t in figure.axes[0].texts][-2:] == ["b\nno samples", "no samples"]


def test_samples_figure_counts_the_points_outside_and_names_lost_modes_in_the_title(
    make_sweep: Make, tmp_path: Path
) -> None:
    def lose(spec: dict[str, Any], result: dict[str, Any]) -> None:
        result["metrics"]["modes"]["tail_mean"] = 3.0 if spec["objective"] == "b" else 8.0

    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=1, change=lose)
    (block,), found = _load(tmp_path)
    path = next(run.samples for run in block.runs if run.objective == "a")
    assert path is not None
    arrays = dict(np.load(path))
    arrays["fake"][:7] = 1e3
    arrays["fake"][7:] = 0.0
    np.savez(path, **arrays)
    figure = FIGURES["samples"](block, found)
    assert figure is not None
    outside = f"7 of {len(arrays['fake'])} outside"
    assert [text.get_text().splitlines()[:3] for text in figure.axes[0].texts] == [
        ["real data"],
        ["a", "seed 0, completed", outside],
        ["b", "seed 0, few modes", *figure.axes[0].texts[2].get_text().splitlines()[2:3]],
    ]


def test_panels_of_one_figure_begin_at_iteration_0_and_end_together(drawn: dict[tuple[str, str], Figure]) -> None:
    limits = [ax.get_xlim() for ax in drawn["8gaussians", "stability"].axes]
    assert len(limits) == 4 and limits == [pytest.approx((-150, 3150))] * 4  # the gradient's first value is later


def test_legend_has_as_few_columns_as_its_rows_allow() -> None:
    entries = [Line2D([], [], label="a" * 12) for _ in range(6)]
    figure, _ = canvas(1, 1, Panel(width=8), "five would fit beside one another", entries[:6])
    (legend,) = figure.legends
    figure.draw_without_rendering()
    assert len({round(text.get_window_extent().x0) for text in legend.get_texts()}) == 3


def test_singular_values_figure_explains_small_dots_where_there_are_some(make_sweep: Make, tmp_path: Path) -> None:
    entries = []
    for seeds in (1, 2):
        make_sweep(tmp_path / str(seeds), objectives=("a",), datasets=("8gaussians",), seeds=seeds)
        entries.append(
            "one seed (large: median)"
            in _colours(_draw(*_load(tmp_path / str(seeds)))["8gaussians", "singular-values"])
        )
    assert entries == [False, True]


def test_samples_of_conditional_runs_say_that_rows_are_classes(make_sweep: Make, tmp_path: Path) -> None:
    def classes(spec: dict[str, Any], result: dict[str, Any]) -> None:
        spec["architecture_spec"] = {"name": "dcgan", "classes": 10}

    titles = []
    for name, change in (("without", None), ("with", classes)):
        make_sweep(tmp_path / name, objectives=("a",), datasets=("mnist5k",), seeds=1, change=change)
        titles.append(_draw(*_load(tmp_path / name))["mnist5k", "samples"].get_suptitle())
    assert ["each row a class" in title for title in titles] == [False, True]


def test_weights_figure_marks_the_clip_where_there_is_one(drawn: dict[tuple[str, str], Figure]) -> None:
    axes = {ax.get_title(): ax for ax in drawn["8gaussians", "weights"].axes}
    dashed = {
        t: [np.asarray(x.get_xdata())[0] for x in ax.lines if x.get_linestyle() == "--"] for t, ax in axes.items()
    }
    assert dashed == {
        "minimax, seed 0": [],
        "wgan-clip, seed 0": [-0.01, 0.01],
        "wgan-gp, seed 0": [],
        "sn-gan, seed 0": [],
    }
    heights = [patch.get_data().values for patch in axes["wgan-gp, seed 0"].patches]  # pyright: ignore[reportAttributeAccessIssue]
    assert len(heights) == 4 and [h.sum() for h in heights] == pytest.approx([1, 1, 1, 1])


def test_singular_values_figure_shows_layers_seeds_and_medians(
    sweep: Path, drawn: dict[tuple[str, str], Figure]
) -> None:
    ax = drawn["8gaussians", "singular-values"].axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2", "3", "4"]  # no weights tell the kind
    runs = [r for r in read_runs(sweep) if r.objective == "wgan-gp" and r.block[0] == "8gaussians"]
    values = [r.measurements.layers["singular_values"]["layers.0"] for r in runs]
    large = [line for line in ax.lines if line.get_marker() == "^"]
    assert np.asarray(large[0].get_ydata()).item() == pytest.approx(np.median(values))
    assert ax.get_ylabel() == "largest singular value\n(convolutions: of the kernel as a matrix)"
    assert ax.get_yscale() == "log"


def test_singular_values_figure_puts_a_layer_at_its_rank_and_each_objective_beside_the_others(
    make_sweep: Make, tmp_path: Path
) -> None:
    def wrap(spec: dict[str, Any], result: dict[str, Any]) -> None:
        values = dict.fromkeys(result["layers"]["singular_values"], 2.0)
        wrapped = {f"critic.{name}": value for name, value in values.items()}
        result["layers"]["singular_values"] = wrapped | {"extra": 2.0} if spec["objective"] == "b" else values

    objectives = ("a", "b", *(f"objective-{i}" for i in range(20)))
    make_sweep(tmp_path, objectives=objectives, datasets=("8gaussians",), seeds=1, change=wrap)
    ax = _draw(*_load(tmp_path))["8gaussians", "singular-values"].axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2", "3", "4", "5"]
    medians = [line for line in ax.lines if line.get_marker() not in (".", "None")]
    places = np.array([np.asarray(line.get_xdata()).item() for line in medians])
    assert np.bincount(places.round().astype(int)).tolist() == [22] * 4 + [1]
    pixels = np.sort(ax.transData.transform(np.column_stack((places, np.ones_like(places))))[:, 0])
    assert np.diff(pixels).min() > 0.95 * medians[0].get_markersize() * ax.figure.dpi / 72


def test_draw_plots_yields_named_pngs_of_everything_there_is(sweep: Path, make_sweep: Make, tmp_path: Path) -> None:
    blocks, found_styles = _load(sweep)
    found = dict(draw_plots(blocks[1:], found_styles))
    assert set(found) == {f"mnist5k-{kind}.png" for kind in FIGURES if kind != "marginals"}
    assert all(Image.open(io.BytesIO(png)).size[0] > 400 for png in found.values())
    make_sweep(
        tmp_path, objectives=("a",), datasets=("8gaussians",), seeds=1, statuses={("a", "8gaussians", 0): "failed"}
    )
    assert dict(draw_plots(*_load(tmp_path))) == {}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="plots are drawn in forks on Linux only")
def test_draw_plots_gives_the_same_in_several_processes(
    make_sweep: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In as many as there are processors, once there are several blocks."""
    inputs = _load(make_sweep(tmp_path, objectives=("a",), datasets=tuple("pqrs"), seeds=1))
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    alone = list(draw_plots(*inputs))
    assert not multiprocessing.active_children()
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    drawing = draw_plots(*inputs)
    first = next(drawing)
    assert len(multiprocessing.active_children()) == 2
    assert [first, *drawing] == alone


def test_slugs_are_distinct_and_safe_as_file_names(make_sweep: Make, tmp_path: Path) -> None:
    datasets, recipes = ("folder:../my pics", "folder:../my?pics"), ("matched", "a/b")
    make_sweep(tmp_path / "x", objectives=("a",), datasets=datasets, recipes=recipes, seeds=1)
    names = slugs(_load(tmp_path / "x")[0])
    assert len(set(names)) == 4 and all("/" not in n and " " not in n and not n.startswith(".") for n in names)


@pytest.mark.parametrize("letter", ["x", "鳥"])
def test_slugs_are_cut_and_stay_distinct(letter: str) -> None:
    datasets = [f"folder:/{letter * 280}/{end}" for end in "ab"] + ["a b", "a?b", "a_b-3", "a_b"]
    names = slugs([Block((dataset, "mlp", "matched"), (), {}) for dataset in datasets])
    assert len(set(names)) == 6 and names[2:4] == ["a_b", "a_b-3"]
    assert [len(name.encode()) in range(118, 128) for name in names] == [True] * 2 + [False] * 4


def test_report_of_a_dataset_with_a_long_name_has_its_plots(make_sweep: Make, tmp_path: Path) -> None:
    def shorten(spec: dict[str, Any], result: dict[str, Any]) -> None:
        spec["run"] = result["run"] = "r"

    dataset = f"folder:/{'pictures/' * 31}"
    report(make_sweep(tmp_path / "s", objectives=("a",), datasets=(dataset,), seeds=1, change=shorten))
    assert len(list((tmp_path / "s" / "plots").iterdir())) == len(FIGURES) - 1  # no marginals of pictures


def test_canvas_puts_panels_in_rows_inside_the_figure() -> None:
    figure, axes = canvas(5, 3, Panel(), "title")
    boxes = [ax.get_position() for ax in axes]
    assert [round(b.y0, 6) for b in boxes[:3]] == [round(boxes[0].y0, 6)] * 3 and boxes[3].y1 < boxes[0].y0
    assert boxes[3].x0 == pytest.approx(boxes[0].x0) and all(0 < b.x0 < b.x1 < 1 and 0 < b.y0 < b.y1 < 1 for b in boxes)
    width, height = figure.get_size_inches()
    assert boxes[0].width * width == pytest.approx(3.7) and boxes[0].height * height == pytest.approx(2.3)


@pytest.mark.parametrize(("low", "high"), [(-7e-4, -2e-4), (0.0, 0.01), (-8e9, -1e9), (0.1, 1.0)])
def test_canvas_has_room_for_the_longest_labels_of_ticks(low: float, high: float) -> None:
    with matplotlib.rc_context(RC):
        figure, (ax,) = canvas(1, 1, Panel(), "")
        ax.plot([0, 1], [low, high])
        plain_axes(ax)
        ax.set_ylabel("critic output")
        FigureCanvasAgg(figure).draw()
        assert _overlaps(figure) == []


def test_legend_of_a_canvas_tells_every_dash_pattern_apart() -> None:
    entries = [Line2D([], [], color="black", linewidth=2, label=str(dashes)) for dashes in DASHES]
    for entry, dashes in zip(entries, DASHES, strict=True):
        entry.set_dashes(dashes)
    with matplotlib.rc_context(RC):
        figure, _ = canvas(1, 1, Panel(width=1.2), "", entries)
        drawing = FigureCanvasAgg(figure)
        drawing.draw()
    dark = np.asarray(drawing.buffer_rgba())[::-1, :, 0] < 128
    boxes = [handle.get_window_extent() for handle in figure.legends[0].legend_handles if handle is not None]
    assert len({box.x0 for box in boxes}) == 1
    inked = [dark[round(b.y0) - 1 : round(b.y1) + 2, int(b.x0) : int(b.x1)].any(axis=0) for b in boxes]
    assert len({np.asarray(columns).tobytes() for columns in inked}) == len(DASHES)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (0.05, "0.05"), (-2000, "−2000"), (25e4, "250k"), (3e6, "3M"), (1e-7, "1e−7"), (1e12, "1e12")),
        *((1.5e-4, "1.5e−4"), (-2.5e-12, "−2.5e−12"), (1.25e9, "1.25e9")),
    ],
)
def test_tick_is_short(value: float, text: str) -> None:
    assert tick(value) == text


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e-3, 1.0, 1e4, 1e9, 1e10])
@pytest.mark.parametrize("span", [2.2, 3.3, 4.4, 6.0, 9.0])
def test_ticks_of_an_axis_are_labelled_apart(scale: float, span: float) -> None:
    ticks = few_ticks().tick_values(0.1 * scale, span * scale)
    assert len({tick(value) for value in ticks}) == len(ticks) > 2


def test_figures_name_layers_by_kind_and_number_where_the_weights_are_there(make_sweep: Make, tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=1)
    shapes = {"0.weight": (4, 1, 3, 3), "2.parametrizations.weight.original": (4, 4, 3, 3), "2.bias": (4,)}
    shapes |= {"4.weight": (4, 4), "6.weight": (1, 4)}
    for run in (tmp_path / "runs").iterdir():
        (run / "checkpoint").mkdir()
        arrays = {f"layers.{name}": np.zeros(shape, np.float32) for name, shape in shapes.items()}
        save_file(arrays, run / "checkpoint" / "critic.safetensors")
    figures = _draw(*_load(tmp_path))
    names = ["conv 1", "conv 2", "linear 3", "linear 4"]
    ticks = figures["8gaussians", "singular-values"].axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == list(_colours(figures["8gaussians", "weights"])) == names


def test_figures_of_one_seed_have_no_entry_for_seeds(make_sweep: Make, tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=("a",), datasets=("8gaussians",), seeds=1)
    assert set(_colours(_draw(*_load(tmp_path))["8gaussians", "quality"])) == {"a"}


def test_a_metric_has_the_same_axis_on_every_data_set(make_sweep: Make, tmp_path: Path) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        if spec["dataset"] == "own-gaussians":
            result["floors"] = {"w1": 0.001}

    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians", "own-gaussians"), change=change)
    figures = _draw(*_load(tmp_path))
    for kind in ("quality", "stability"):
        one, other = (
            [(ax.get_ylim(), ax.get_yscale()) for ax in figures[name, kind].axes]
            for name in ("8gaussians", "own-gaussians")
        )
        assert [a for a, b in zip(one, other, strict=True) if a != b] == []
    assert figures["8gaussians", "quality"].axes[0].get_ylim()[0] < 0.001
    _, *slopes = figures["8gaussians", "stability"].axes
    assert len({ax.get_ylim() for ax in slopes}) == 1


def explode(folder: Path) -> None:
    """Of a finished run: all that it measured grows by a factor of a million on its last steps."""
    history = pd.read_csv(folder / "history.csv")
    measured = history.columns.difference(["step", "critic_steps", "images", "seconds"])
    history[measured] = history[measured].mul(np.geomspace(1, 1e6, len(history)), axis=0)
    history.to_csv(folder / "history.csv", index=False)


def test_an_exploded_run_leaves_the_axes_of_the_others_as_they_are(make_sweep: Make, tmp_path: Path) -> None:
    what: dict[str, Any] = {"objectives": ("a", "b"), "datasets": ("8gaussians", "25gaussians")}
    exploded = ("a", "8gaussians", 1)
    without, beside = make_sweep(tmp_path / "without", **what), tmp_path / "beside"
    make_sweep(beside, **what, statuses={exploded: "diverged"})
    shutil.rmtree(without / "runs" / "a-8gaussians-matched-1")
    explode(beside / "runs" / "a-8gaussians-matched-1")
    before, now = (_draw(*_load(folder)) for folder in (without, beside))
    for name, kind in itertools.product(what["datasets"], ("quality", "stability")):
        for ax, old in zip(now[name, kind].axes, before[name, kind].axes, strict=True):
            assert (ax.get_ylim(), ax.get_yscale()) == (old.get_ylim(), old.get_yscale())
            shown = [line.get_ydata() for line in ax.get_lines() if len(np.atleast_1d(line.get_xdata())) != 2]
            values = np.concatenate([np.ravel(np.asarray(y, float)) for y in shown])
            assert ((values >= ax.get_ylim()[0]) & (values <= ax.get_ylim()[1])).all()
    told = {name: [t.get_text() for t in now[name, "quality"].axes[0].texts] for name in what["datasets"]}
    assert "1 run beyond the axis" in told["8gaussians"] and "1 run beyond the axis" not in told["25gaussians"]


def test_axes_of_runs_of_which_none_completed_span_them_all(make_sweep: Make, tmp_path: Path) -> None:
    make_sweep(tmp_path, ("a",), ("8gaussians",), seeds=1, statuses={("a", "8gaussians", 0): "diverged"})
    explode(tmp_path / "runs" / "a-8gaussians-matched-0")
    figure = _draw(*_load(tmp_path))["8gaussians", "quality"]
    assert figure.axes[0].get_ylim()[1] > 100
    assert not [t.get_text() for ax in figure.axes for t in ax.texts if "beyond" in t.get_text()]
