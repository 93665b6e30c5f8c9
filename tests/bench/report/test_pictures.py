"""Samples as arrays: grids in order, points where they belong, strips of frames."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lipbench.bench.records.reader import read_runs
from lipbench.bench.report.blocks import make_blocks
from lipbench.bench.report.curves import styles
from lipbench.bench.report.marginals import marginals_figure
from lipbench.bench.report.pictures import encode, grid, raster, samples_figure, view
from lipbench.bench.report.thumbnails import FRAME, MOST_FRAMES, THUMBNAIL, strips, thumbnail


def _decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_grid_lays_images_out_row_by_row() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((1, 1, 2, 3), np.uint8)
    picture = grid(images, 3)
    assert picture.shape == (6, 9)
    assert picture[::2, ::3].tolist() == [[0, 1, 2], [3, 4, 5], [0, 0, 0]]
    colour = grid(np.arange(3, dtype=np.uint8).reshape(1, 3, 1, 1), 1)
    assert colour.tolist() == [[[0, 1, 2]]]


def test_view_covers_the_real_points_with_a_margin() -> None:
    real = np.array([[0.0, 1.0], [4.0, 2.0], [1.0, 1.5]])
    window = view(real)
    assert window.low.tolist() == [-0.5, -1.0] and window.high.tolist() == [4.5, 4.0]
    assert window.density.shape == (200, 200) and window.density.max() == 1.0
    row, column = np.unravel_index(window.density.argmax(), window.density.shape)
    assert real.tolist().count([column / 40 - 0.5, row / 40 - 1]) or 0.2 < row / 200 < 0.7
    inside = window.inside(np.array([[0.0, 0.0], [5.0, 0.0], [np.nan, 1.0], [0.0, 4.1]]))
    assert inside.tolist() == [True, False, False, False]


def test_view_density_stands_where_the_points_are() -> None:
    corner = np.concatenate([np.tile([[2.0, 0.0]], (500, 1)), [[0.0, 0.0], [0.0, 2.0]]])
    density = view(corner).density
    row, column = np.unravel_index(density.argmax(), density.shape)
    assert row < 60 and column > 140  # rows from the bottom


def test_view_density_is_as_wide_as_the_data() -> None:
    rng = np.random.default_rng(0)
    real = np.concatenate([centre + 0.03 * rng.normal(size=(500, 2)) for centre in ((-1.0, 0.0), (1.0, 0.0))])
    window = view(real)
    places = np.linspace(window.low[0], window.high[0], 200, endpoint=False) + (window.high - window.low)[0] / 400
    left = window.density.sum(axis=0) * (places < 0)
    spread = np.sqrt(np.average((places + 1) ** 2, weights=left))
    assert 0.02 < spread < 0.045


def test_points_of_other_dimensions_are_shown_in_a_plane() -> None:
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(200, 2)) * [5.0, 2.0]
    turned = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    real = np.column_stack([spread, 0.01 * rng.normal(size=(200, 4))]) @ turned
    window = view(real)
    shown = window.plane(real)
    for axis in range(2):  # the two directions of large variance, each up to its sign
        assert abs(np.corrcoef(shown[:, axis], spread[:, axis])[0, 1]) > 0.99
    assert "principal components" in window.caption
    assert np.allclose(window.plane(real[:3]), shown[:3])
    line = view(np.linspace(2, 3, 30)[:, None])
    assert np.allclose(line.plane(np.array([[2.5], [7.0]]))[:, 0], [2.5, 7.0])
    assert line.inside(line.plane(np.array([[2.5], [7.0]]))).tolist() == [True, False]


@pytest.mark.parametrize(("columns", "panels"), [(1, 1), (2, 0), (3, 9), (5, 25), (6, 0)])
def test_marginals_are_drawn_of_few_columns(
    make_sweep: Callable[..., Path], tmp_path: Path, columns: int, panels: int
) -> None:
    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=1)
    records = read_runs(tmp_path)
    fake, real = np.random.default_rng(0).normal(size=(2, 30, columns))
    for record in records:
        assert record.samples is not None
        np.savez(record.samples, fake=fake, real=real)
    figure = marginals_figure(make_blocks(records)[0], styles(["a", "b"]))
    assert (0 if figure is None else len(figure.axes)) == panels
    if figure is not None and columns > 1:
        across, down = np.asarray(figure.axes[1].collections[1].get_offsets()).T
        assert np.allclose(across, fake[:, 1]) and np.allclose(down, fake[:, 0])


def test_samples_figure_marks_samples_that_are_no_numbers(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    statuses = {("a", "8gaussians", 0): "diverged"}
    folder = make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=1, statuses=statuses)
    (block,) = make_blocks(read_runs(folder))
    figure = samples_figure(block, styles(["a", "b"]))
    assert figure is not None
    titles = [" ".join(text.get_text().split()) for text in figure.axes[0].texts]
    assert [title[0] for title in titles if "the samples are no numbers" in title] == ["a"]


def test_view_of_one_repeated_point_is_finite() -> None:
    assert np.isfinite(view(np.ones((5, 2))).density).all()


def test_raster_puts_points_up_where_y_is_large() -> None:
    window = view(np.array([[-1.0, -1.0], [1.0, 1.0]]))
    picture = raster(np.array([[1.0, -1.0], [9.0, 9.0], [np.inf, 0.0]]), window, "#ff0000", 100)
    rows, columns = np.nonzero((picture == [255, 0, 0]).all(axis=2))
    assert len(rows) == 4 and rows.min() > 85 and columns.min() > 85  # right, and down
    assert picture.shape == (100, 100, 3) and picture.dtype == np.uint8


@pytest.mark.parametrize(
    ("shape", "photo", "kind"), [((8, 8), False, "png"), ((8, 8, 3), False, "png"), ((8, 8, 3), True, "jpeg")]
)
def test_encode_chooses_the_format(shape: tuple[int, ...], photo: bool, kind: str) -> None:
    picture = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    media_type, content = encode(picture, photo)
    assert media_type == f"image/{kind}"
    decoded = Image.open(io.BytesIO(content))
    assert decoded.size == (8, 8) and (decoded.format or "").lower() == kind


def test_strips_hold_a_frame_per_snapshot_and_the_real_data(sweep: Path) -> None:
    blocks = make_blocks(read_runs(sweep))
    found_styles = styles([c.objective for c in blocks[0].groups])
    for block, size in zip(blocks, (FRAME, 8 * 12), strict=True):
        real, found = strips(block, found_styles)
        assert real is not None and _decode(real.uri).size == (size, size)
        assert [s.objective for s in found] == ["minimax", "sn-gan", "wgan-clip", "wgan-gp"]
        assert all(s.steps == [0, 600, 1200, 1800, 2400, 3000] for s in found)
        assert {_decode(s.uri).size for s in found} == {(6 * size, size)}


def test_strip_shows_the_frames_in_the_order_of_their_steps(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=("a",), datasets=("mnist5k",), seeds=1)
    (record,) = read_runs(tmp_path)
    assert record.samples is not None
    snapshots = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1, 1) * np.ones((1, 16, 1, 28, 28), np.uint8)
    np.savez(record.samples, fake=snapshots[-1], real=snapshots[0], steps=np.arange(30) * 10, snapshots=snapshots)
    (strip,) = strips(make_blocks([record])[0], styles(["a"]))[1]
    assert len(strip.steps) == MOST_FRAMES and strip.steps[0] == 0 and strip.steps[-1] == 290
    picture = np.asarray(_decode(strip.uri))
    first_pixels = picture[0, :: picture.shape[0]]
    assert first_pixels.tolist() == [step // 10 for step in strip.steps]


def test_strips_and_thumbnail_scale_large_images_down(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=("a",), datasets=("celeba",), seeds=1)
    (record,) = read_runs(tmp_path)
    assert record.samples is not None
    large = np.random.default_rng(0).integers(0, 255, (16, 3, 128, 128), dtype=np.uint8)
    np.savez(record.samples, fake=large, real=large)  # a record without snapshots
    real, (strip,) = strips(make_blocks([record])[0], styles(["a"]))
    picture = thumbnail(record, styles(["a"])["a"])
    assert real is not None and picture is not None
    assert _decode(strip.uri).size == (FRAME, FRAME) and strip.steps == [3000]
    assert _decode(picture).size == (THUMBNAIL, THUMBNAIL) and _decode(picture).format == "JPEG"


def test_strips_of_a_block_without_samples_are_empty(make_sweep: Callable[..., Path], tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=("a",), datasets=("mnist5k",), seeds=1, statuses={("a", "mnist5k", 0): "failed"})
    (record,) = read_runs(tmp_path)
    assert strips(make_blocks([record])[0], styles(["a"])) == (None, [])
    assert thumbnail(record, styles(["a"])["a"]) is None
