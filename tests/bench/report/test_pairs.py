"""Pictures and notes of critics on pairs: published values stand beside ours, and the truth beside the surfaces."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lipbench.bench.records.reader import RunRecord, read_samples
from lipbench.bench.report import report
from lipbench.bench.report.blocks import make_blocks
from lipbench.bench.report.curves import styles
from lipbench.bench.report.figures import quality_figure
from lipbench.bench.report.notes import notes
from lipbench.bench.report.pairs import dimension_figure, fields_figure, published, published_of, size_of
from lipbench.bench.report.pictures import samples_figure
from lipbench.bench.report.thumbnails import strips

FAST = {"name": "fast", "lr": 0.01, "batch": 32}
OBJECTIVES = ("wgan-clip", "wgan-gp")


@pytest.fixture
def records(make_run: Callable[..., RunRecord]) -> list[RunRecord]:
    common = {"recipe": FAST, "architectures": [{"name": "korotin-mlp", "width": 8}], "steps": 3}
    evaluation = {"count": 1, "points": 100, "repeats": 1}
    return [
        make_run(**common, evaluation=evaluation, datasets=[f"funnels:d={d}&n=4"], objectives=[objective])
        for d in (2, 4)
        for objective in OBJECTIVES
    ]


def test_published_values_are_the_benchmarks() -> None:
    assert published_of("funnels:d=16&n=4&official", "wgan-gp") == published()[16, 4, "wgan-gp"]
    assert published_of("funnels:d=2&n=4", "wgan-clip(clip=0.1)") == {
        "cos": 0.0722167,
        "l2": 0.848513,
        "cost": 0.0306861,
    }
    assert published()[2, 4, "true"]["cos"] == 1 and published()[2, 4, "true"]["cost"] == pytest.approx(0.817381)
    assert published_of("funnels:d=3&n=4", "wgan-gp") is None and published_of("funnels:d=2&n=4", "mine") is None
    assert published_of("funnels:d=2&n=4", "wgan-clip(biases=false)") is not None
    assert published_of("funnels:d=2&n=4", "wgan-clip(biases=true)") is None  # the authors clip weights alone
    assert published_of("funnels:d=2&n=4", "sn-gan(constant_sigma=true)") == published_of("funnels:d=2&n=4", "sn-gan")
    assert published_of("funnels:d=2&n=4", "sn-gan(constant_sigma=false)") is None  # they send no gradient through it


def test_size_is_read_from_a_name() -> None:
    assert size_of("funnels:n=64&d=16&seed=3") == (16, 64)


def test_dimension_figure_draws_ours_and_the_published_values(records: list[RunRecord]) -> None:
    blocks = make_blocks(records)
    figure = dimension_figure(blocks, styles(OBJECTIVES))
    assert figure is not None
    (ax,) = figure.axes
    heights = [y for line in ax.lines for y in np.ravel(line.get_ydata())]
    for record in records:
        assert any(y == pytest.approx(record.metrics["cosine"]["tail_mean"]) for y in heights)
        known = published_of(record.spec["dataset"], record.objective)
        assert known is not None and any(y == pytest.approx(known["cos"]) for y in heights)


def test_dimension_figure_names_the_floor_and_has_lines_in_its_legend_where_it_draws_some(
    records: list[RunRecord],
) -> None:
    for blocks, line in ((make_blocks(records), "-"), (make_blocks(records)[:1], "None")):
        figure = dimension_figure(blocks, styles(OBJECTIVES))
        assert figure is not None
        assert [text.get_text() for text in figure.axes[0].texts] == ["optimal critic 1"]
        own = [entry for entry in figure.legends[0].get_lines() if entry.get_label() in OBJECTIVES]
        assert [entry.get_linestyle() for entry in own] == [line] * 2


def test_pairs_have_no_samples_and_no_generator_updates(records: list[RunRecord]) -> None:
    (plane, _), found = make_blocks(records), styles(OBJECTIVES)
    assert samples_figure(plane, found) is None and strips(plane, found) == (None, [])
    figure = quality_figure(plane, found)
    assert figure is not None
    assert {ax.get_xlabel() for ax in figure.axes} == {"iteration", "seconds"}


def test_fields_figure_shows_the_plane_alone_with_the_truth_first(records: list[RunRecord]) -> None:
    plane, other = make_blocks(records)
    assert fields_figure(other, styles(OBJECTIVES)) is None
    figure = fields_figure(plane, styles(OBJECTIVES))
    assert figure is not None
    assert [ax.get_title().partition(",")[0] for ax in figure.axes] == ["optimal critic", *OBJECTIVES]


def test_fields_of_a_record_are_those_of_the_pair(records: list[RunRecord]) -> None:
    assert records[0].samples is not None
    fields = read_samples(records[0].samples, "field_axis", "true_surface", "true_gradient", "critic_surface")
    slope = np.diff(fields["true_surface"], axis=1) / np.diff(fields["field_axis"])
    between = (fields["true_gradient"][:, 1:, 0] + fields["true_gradient"][:, :-1, 0]) / 2
    assert np.median(np.abs(slope - between)) < 0.01  # columns go along the first coordinate
    assert fields["critic_surface"].mean() == pytest.approx(0, abs=1e-5)


def test_notes_of_pairs_tell_the_published_values_and_what_the_floor_is(records: list[RunRecord]) -> None:
    told = " ".join(notes(make_blocks(records)))
    assert "an optimal critic's value" in told and "wgan-clip 0.0722 (0.849, 0.0307)" in told


def test_report_of_pairs_writes_pictures_and_a_page_that_shows_them(records: list[RunRecord]) -> None:
    folder = records[0].folder.parents[1]
    report(folder)
    assert (folder / "plots" / "cosine-by-dimension.png").is_file()
    assert list(Path(folder / "plots").glob("*fields.png"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Cosine against dimension" in page and "Surfaces and gradients" in page
    assert '<th scope="row">optimal critic</th>' in page and '<th scope="row">real data</th>' not in page
