"""Numbers of too few images are told with how many they are of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.records.reader import read_runs
from lipbench.bench.report.blocks import make_blocks
from lipbench.bench.report.few_images import few_images

Told = Callable[..., list[str]]


@pytest.fixture
def told(make_sweep: Callable[..., Path], tmp_path: Path) -> Told:
    """What is said of a sweep with this protocol, evaluation and floor."""

    def tell(protocol: dict[str, Any], evaluation: dict[str, Any], **floors: float) -> list[str]:
        def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
            spec["evaluation"] = evaluation
            image = ("fd", "is", "kid")
            result["protocol"] = {k: ({"extractor": "e"} if k in image else {}) | own for k, own in protocol.items()}
            result["floors"] = {"fd": 1.0} | floors
            result["metrics"] |= {key: result["metrics"]["fd"] for key in floors}

        folder = make_sweep(tmp_path, objectives=("a",), datasets=("pictures",), seeds=1, change=change)
        (block,) = make_blocks(read_runs(folder))
        return list(few_images(block))

    return tell


def fd(n_fake: int, n_real: int, features: int = 64) -> dict[str, Any]:
    return {"fd": {"n_fake": n_fake, "n_real": n_real, "features": features}}


def test_enough_images_need_no_word(told: Told) -> None:
    protocol = fd(100, 100) | {"is": {"n_fake": 1000, "is_splits": 10}}
    assert told(protocol, {"images": 100, "is_images": 1000}) == []


def test_fewer_images_than_asked_for_and_than_features_are_told(told: Told) -> None:
    fewer, bias = told(fd(6, 7), {"images": 100})
    assert fewer.startswith("FD(e) on pictures: 6 generated against 7 real images, where 100 were asked for")
    assert "6 generated against 7 real images, no more than its 64 features" in bias


def test_fewer_points_than_asked_for_are_told_and_modes_need_none(told: Told) -> None:
    modes = {"modes": {"n_fake": 100, "radius_sigmas": 3.0}}
    (line,) = told({"w1": {"n_fake": 200, "n_real": 200}} | modes, {"points": 500, "images": 1000}, w1=1.0, modes=8.0)
    assert line.startswith("W1") and "200 generated against 200 real points, where 500 were asked for" in line


def test_as_many_points_as_asked_for_need_no_word(told: Told) -> None:
    assert told({"w1": {"n_fake": 500, "n_real": 500}}, {"points": 500, "images": 1000}, w1=1.0) == []


def test_points_are_held_against_no_number_of_images(told: Told) -> None:
    assert told({"fd": {"n_fake": 6, "n_real": 7, "extractor": None}}, {"images": 100}) == []


def test_as_many_as_asked_for_may_still_be_fewer_than_features(told: Told) -> None:
    (line,) = told(fd(100, 300, 2048), {"images": 100})
    assert "no more than its 2,048 features" in line


def test_every_metric_of_fewer_images_is_named(told: Told) -> None:
    protocol = fd(80, 80) | {"is": {"n_fake": 80, "is_splits": 1}}
    fewer, parts = told(protocol, {"images": 100})
    assert fewer.startswith("FD(e), IS(e) on pictures: 80 generated")
    assert "parts of 80 images" in parts


def test_records_that_do_not_say_how_many_features_there_are_pass(told: Told) -> None:
    assert told({"fd": {"n_fake": 10, "n_real": 10}}, {}) == []


def test_a_distance_of_zero_is_told(told: Told) -> None:
    (line,) = told(fd(100, 100), {"images": 100}, fd=0.0)
    assert line.startswith("FD(e) of 0 on pictures")


@pytest.mark.parametrize(("floor", "lines"), [(-0.001, 1), (0.001, 0)])
def test_a_kernel_distance_below_zero_is_told(told: Told, floor: float, lines: int) -> None:
    said = told(fd(100, 100) | {"kid": {"n_fake": 100, "n_real": 100}}, {"images": 100}, kid=floor)
    assert [line.startswith("KID(e) below 0 on pictures") for line in said] == [True] * lines
