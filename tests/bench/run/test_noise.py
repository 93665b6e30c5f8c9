"""What follows a run: repeated evaluations that change nothing, and the metrics at several sample sizes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.data import load
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.evaluation import Quality
from lipbench.bench.run.noise import measure_again
from lipbench.bench.run.train import build

Make = Callable[..., RunRecord]
EVALUATION = {"count": 2, "points": 50, "mode_points": 100, "images": 100}


def test_repeats_change_neither_history_nor_samples(make_run: Make, tmp_path: Path) -> None:
    without, with_them = (
        make_run(RunContext(tmp_path / str(n), checkpoint_seconds=1e9), evaluation=EVALUATION | {"repeats": n})
        for n in (0, 4)
    )
    assert without.id != with_them.id
    pd.testing.assert_frame_equal(
        without.history.drop(columns="seconds"), with_them.history.drop(columns="seconds"), check_exact=True
    )
    assert without.metrics == with_them.metrics and without.floors == with_them.floors
    arrays = [np.load(record.folder / "samples.npz") for record in (without, with_them)]
    assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0].files)
    assert without.measurements.evaluation_noise is None and without.measurements.bias is None


def test_noise_is_recorded_with_its_sample_standard_deviation(make_run: Make) -> None:
    record = make_run(evaluation=EVALUATION | {"repeats": 4})
    noise = record.evaluation_noise
    assert set(noise) == set(record.protocol) >= {"w1", "modes", "modes_any", "mode_kl"}
    values = noise["w1"]["values"]
    assert len(set(values)) == 4
    mean = sum(values) / 4
    assert np.isclose(noise["w1"]["sd"], (sum((v - mean) ** 2 for v in values) / 3) ** 0.5, rtol=1e-12)
    bias = record.bias["w1"]
    assert bias["sizes"] == [12, 16, 25, 50] and np.isclose(bias["values"][-1], values[0], rtol=1e-12)


def test_noise_of_one_repeat_has_no_standard_deviation(make_run: Make) -> None:
    noise = make_run(evaluation=EVALUATION | {"repeats": 1}).evaluation_noise
    assert len(noise["w1"]["values"]) == 1 and noise["w1"]["sd"] is None


def _untrained(suite: Suite, folder: Path) -> tuple[Any, Quality]:
    (spec,) = expand(suite, RunContext(folder, suite_folder=folder))
    data = load(spec.dataset)
    iteration = build(spec, data, folder).iteration
    return iteration, Quality(data, spec.evaluation, iteration.stream("evaluation"))


def test_measuring_again_repeats_itself_and_leaves_the_streams_alone(
    make_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    iteration, quality = _untrained(make_suite(), tmp_path)
    iteration.generator.train()
    before = iteration.state()["streams"]
    first, second = (measure_again(iteration, quality, 2) for _ in range(2))
    assert first == second
    after = iteration.state()["streams"]
    assert after.keys() == before.keys() == {"evaluation"}
    assert bool((after["evaluation"] == before["evaluation"]).all())
    assert iteration.generator.training


def test_images_get_an_extrapolated_distance_from_the_features_of_the_first_repeat(
    make_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    suite = make_suite(datasets=["digits"], architectures=None, evaluation=EVALUATION | {"images": 400})
    iteration, quality = _untrained(suite, tmp_path)
    found = measure_again(iteration, quality, 2)
    n, bias = quality.n_fake, found["bias"]["fd"]
    assert bias["sizes"] == [n // 4, n // 3, n // 2, n]
    assert np.isclose(bias["values"][-1], found["evaluation_noise"]["fd"]["values"][0], rtol=1e-9)
    assert bias["values"][0] > bias["values"][-1] > bias["limit"] and bias["error"] >= 0


def test_images_get_no_extrapolation_with_fewer_samples_than_features(
    make_suite: Callable[..., Suite], tmp_path: Path
) -> None:
    suite = make_suite(datasets=["digits"], architectures=None, evaluation=EVALUATION)
    iteration, quality = _untrained(suite, tmp_path)
    found = measure_again(iteration, quality, 2)
    assert found["bias"] == {} and found["evaluation_noise"]["fd"]["sd"] > 0
