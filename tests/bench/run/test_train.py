"""One run: what it leaves, that a seed decides it, how it is judged, and that no error of an objective escapes."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import Suite
from lipbench.bench.data import load
from lipbench.bench.metrics.settings import Evaluation
from lipbench.bench.records import store
from lipbench.bench.records.reader import RunRecord, read_samples
from lipbench.bench.records.store import Store
from lipbench.bench.records.summary import summarise
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.evaluation import Evaluator, Quality
from lipbench.bench.run.execution import run
from lipbench.bench.run.train import build
from lipbench.objectives import BadInput

MakeRun = Callable[..., RunRecord]
MakeSuite = Callable[..., Suite]
WritePlugin = Callable[..., Path]
BATCH_NORM = {"name": "mlp", "width": 8, "depth": 2, "norm": "batch", "critic_norm": "batch"}


def weights(record: RunRecord) -> dict[str, torch.Tensor]:
    files = [(record.folder / "checkpoint" / f"{name}.safetensors", name) for name in ("generator", "critic")]
    return {f"{name}.{k}": v for path, name in files for k, v in load_file(path).items()}


def same_weights(a: RunRecord, b: RunRecord) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_run_leaves_a_whole_record(make_run: MakeRun, context: RunContext) -> None:
    record = make_run()
    names = {p.name for p in record.folder.iterdir()}
    files = {"spec.json", "result.json", "history.csv", "samples.npz", "samples.png", "checksums.sha256"}
    assert names == files | {"checkpoint"}
    assert [p.name for p in (context.folder / "runs").iterdir()] == [record.id]
    assert (record.status, record.result.outcome.reason, record.measurements.steps) == ("completed", None, 6)
    assert record.spec["device"].startswith("cpu")
    assert record.spec["threads"] == 1
    assert record.result.versions["torch"] == torch.__version__.split("+")[0]
    assert {n.partition(".")[0] for n in weights(record)} == {"generator", "critic"}
    with Image.open(record.folder / "samples.png") as picture:
        assert picture.size == (512, 512)


def test_run_history_has_a_row_per_evaluation_and_counts_steps_and_images(make_run: MakeRun) -> None:
    history = make_run(steps=7, evaluation={"count": 3, "points": 50, "mode_points": 100}).history
    assert history["step"].tolist() == [0, 2, 5, 7]
    assert history["critic_steps"].tolist() == [0, 4, 10, 14]
    assert history["images"].tolist() == [0, 64, 160, 224]
    measured = {"w1", "modes", "high_quality", "mode_kl", "modes_any", "mode_kl_high_quality"}
    measured |= {"critic_estimate", "sample_spread", "sigma_max"}
    measured |= {f"slope_{place}_{what}" for place in ("real", "fake", "line") for what in ("mean", "sd", "max")}
    trained = {"critic_loss", "penalty", "generator_loss", "generator_grad_norm"}
    assert set(history.columns) == measured | trained | {"step", "critic_steps", "images", "seconds"}
    assert history[list(measured)].notna().all(axis=None)
    assert history[list(trained)].isna().any(axis=1).tolist() == [True, False, False, False]
    assert (history["w1"] > 0).all()


def test_run_metrics_floors_and_protocol_go_together(make_run: MakeRun) -> None:
    result = make_run().measurements
    assert result.floors.keys() == {"w1"}
    coverage = {"modes", "high_quality", "mode_kl", "modes_any", "mode_kl_high_quality"}
    assert result.protocol.keys() == {"w1"} | coverage
    assert result.protocol["w1"]["n_real"] == 50
    assert result.metrics.keys() >= result.protocol.keys()
    assert result.layers["clip"] is None
    assert result.layers["singular_values"].keys() == result.layers["weight_histogram"].keys()


def test_run_on_few_pictures_probes_with_all_that_are_held_out(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    rng = np.random.default_rng(0)
    for split, n in (("train", 20), ("test", 9)):
        (tmp_path / "few" / split).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "few" / split / f"{i}.png")
    name = f"folder:{tmp_path / 'few'}?channels=1"
    record = make_run(datasets=[name], steps=1, evaluation={"count": 1, "images": 100})
    assert (record.status, record.result.outcome.traceback) == ("completed", None)
    assert record.samples is not None
    assert read_samples(record.samples, "real")["real"].shape == (9, 1, 8, 8)
    columns = ["sample_spread", "critic_estimate", "slope_real_mean", "slope_line_sd", "fd", "recall"]
    assert record.history[columns].notna().all(axis=None)


def test_run_on_images_leaves_images(make_run: MakeRun) -> None:
    record = make_run(datasets=["digits"], steps=2, evaluation={"count": 1, "images": 100})
    assert record.samples is not None
    arrays = read_samples(record.samples, "fake", "real", "steps", "snapshots")
    assert arrays["fake"].shape == arrays["real"].shape == (64, 1, 8, 8)
    assert arrays["fake"].dtype == np.uint8
    assert arrays["steps"].tolist() == [0, 2]
    assert np.array_equal(arrays["snapshots"][-1], arrays["fake"])
    assert record.measurements.protocol["fd"]["extractor"] == "mnist-cnn"
    assert record.metrics.keys() >= {"fd", "is"}


@pytest.mark.parametrize("dataset", ["swissroll", "ring5"])
def test_run_on_other_points_with_few_of_them(make_run: MakeRun, dataset: str) -> None:
    """Fewer samples in the metrics than slopes and spread are measured on."""
    record = make_run(datasets=[dataset], steps=2, evaluation={"count": 1, "points": 20, "mode_points": 100})
    assert record.status == "completed", record.result.outcome.traceback
    assert ("modes" in record.metrics) is (dataset == "ring5")


def test_run_under_clipping_reports_the_share_of_clipped_weights(make_run: MakeRun) -> None:
    record = make_run(objectives=[{"name": "wgan-clip", "clip": 0.001}])
    share = record.history["clipped_share"]
    assert share.iloc[0] < 0.1
    assert share.iloc[-1] > 0.5
    assert record.measurements.layers["clip"] == 0.001
    critic = [v for k, v in weights(record).items() if k.startswith("critic")]
    assert max(v.abs().max() for v in critic) <= 0.001


def test_run_snapshots_follow_the_same_latents(make_run: MakeRun) -> None:
    record = make_run(steps=4, evaluation={"count": 4, "points": 50, "mode_points": 100})
    assert record.samples is not None
    arrays = read_samples(record.samples, "steps", "snapshots", "fake")
    assert arrays["steps"].tolist() == [0, 1, 2, 3, 4]
    moved = np.linalg.norm(np.diff(arrays["snapshots"], axis=0), axis=2).mean(axis=1)
    apart = np.linalg.norm(arrays["fake"] - np.roll(arrays["fake"], 1, axis=0), axis=1).mean()
    assert (moved < 0.5 * apart).all()


def test_run_is_decided_by_its_seed_alone(make_run: MakeRun, context: RunContext) -> None:
    torch.manual_seed(1)
    first = make_run(context)
    torch.manual_seed(2)
    np.random.seed(3)
    second = make_run(replace(context, folder=context.folder / "again", checkpoint_seconds=0))
    other = make_run(replace(context, folder=context.folder / "other"), seeds=[1])
    for a, b, equal in ((first, second, True), (first, other, False)):
        assert a.history.drop(columns="seconds").equals(b.history.drop(columns="seconds")) is equal
        assert same_weights(a, b) is equal
        arrays = [read_samples(x.folder / "samples.npz", "fake", "snapshots") for x in (a, b)]
        assert all(np.array_equal(arrays[0][k], arrays[1][k]) for k in arrays[0]) is equal
        assert (a.metrics == b.metrics) is equal
    assert first.floors == second.floors == other.floors


@pytest.mark.parametrize(
    ("objective", "network", "recipe"),
    [
        ("minimax", BATCH_NORM, {}),
        ("minimax", BATCH_NORM, {"ema": 0.5}),
        ("sn-gan", {"name": "mlp", "width": 8}, {}),
        ("wgan-gp", {"name": "mlp", "width": 8, "norm": "batch"}, {"decay": "linear"}),
    ],
    ids=["batch norm", "moving average", "power iteration", "penalty"],
)
def test_run_is_not_changed_by_evaluating_it_more_often(
    make_run: MakeRun, objective: str, network: dict[str, Any], recipe: dict[str, Any]
) -> None:
    settings = {"name": "r", "lr": 0.01, "batch": 16, "n_critic": 2} | recipe
    content = {"objectives": [objective], "architectures": [network], "recipe": settings, "steps": 8}
    seldom, often = (
        make_run(**content, evaluation={"count": count, "points": 50, "mode_points": 100}) for count in (1, 8)
    )
    assert len(often.history) > len(seldom.history)
    assert same_weights(seldom, often)
    for column in ("critic_loss", "generator_loss", "generator_grad_norm"):
        assert seldom.history[column].iloc[-1] == often.history[column].iloc[-1]


def test_run_weights_start_the_same_for_every_objective_and_whatever_was_drawn_before(make_suite: MakeSuite) -> None:
    data, states = load("8gaussians"), []
    for seed, objective in enumerate(("minimax", "wgan-gp", "wgan-clip")):
        torch.manual_seed(seed)
        (spec,) = expand(make_suite(objectives=[objective]), RunContext(Path()))
        before = torch.get_rng_state()
        states.append(build(spec, data, Path()).state_dict())
        assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(v, other[k]) for other in states[1:] for k, v in states[0].items())


def judged(record: RunRecord) -> tuple[str, str | None, int | None, bool]:
    result = record.result
    assert result.outcome.traceback is None, result.outcome.traceback
    return result.outcome.status, result.outcome.reason, result.outcome.diverged_at, result.outcome.recovered


EVALUATED = {"count": 5, "points": 50, "mode_points": 100}


@pytest.mark.parametrize("where", ["critic_loss", "penalty", "generator_loss"])
def test_run_with_nan_has_diverged_at_that_very_step_and_stops_soon(
    make_run: MakeRun, write_plugin: WritePlugin, where: str
) -> None:
    """In the iteration after 61 updates, i.e. the 62nd; noticed at the next look, after 100."""
    write_plugin(
        f"def {where}(self, critic, batch):\n"
        "    loss = critic(batch.fake).mean()\n"
        "    return loss * float('nan') if batch.step == 61 else 0 * loss"
    )
    steps = {"steps": 250, "evaluation": EVALUATED | {"count": 2}}
    record = make_run(objectives=["my.py:Mine"], **steps)
    assert judged(record) == ("diverged", "nan", 62, False)
    assert record.history["step"].tolist() == [0, 100]
    assert record.measurements.steps == 100
    assert record.metrics["w1"]["tail_mean"] is None
    assert record.metrics["w1"]["best"] == record.history["w1"].iloc[0]


@pytest.mark.parametrize(("factor", "reason"), [(1.0, None), (1e7, "exploded")])
def test_run_that_explodes_before_the_first_look_has_diverged(
    make_run: MakeRun, write_plugin: WritePlugin, factor: float, reason: str | None
) -> None:
    """Weights are held against those at the start, not against those at the first look."""
    write_plugin(
        "def constrain_(self, critic):\n"
        "    for parameter in critic.parameters():\n"
        f"        parameter.fill_({factor} / parameter.numel() ** 0.5 / 1000)"
    )
    record = make_run(objectives=["my.py:Mine"], steps=5, evaluation=EVALUATED | {"count": 1})
    assert record.result.outcome.reason == reason
    assert record.result.outcome.diverged_at == (5 if reason else None)


COLLAPSE = """def generator_loss(self, critic, batch):
    sign = 1 if batch.step < {turn} else -1
    return sign * batch.fake.square().mean()"""


@pytest.mark.parametrize(("turn", "status"), [(1000, "diverged"), (45, "completed")])
def test_run_that_collapses_has_diverged_unless_it_recovers(
    make_run: MakeRun, write_plugin: WritePlugin, turn: int, status: str
) -> None:
    write_plugin(COLLAPSE.format(turn=turn))
    recipe = {"name": "r", "lr": 0.03, "betas": [0.0, 0.9], "batch": 64}
    record = make_run(objectives=["my.py:Mine"], recipe=recipe, steps=100, evaluation=EVALUATED | {"count": 20})
    spread = record.history.set_index("step")["sample_spread"]
    first = int(spread.index[(spread < 0.05) & (spread.index > 0)][0])
    assert judged(record) == (status, "collapsed", first, status == "completed")
    assert (spread.iloc[-1] < 0.05) is np.bool_(status == "diverged")
    assert record.measurements.steps == 100


@pytest.mark.parametrize(("scale", "reason"), [(1e-6, None), (1e-9, "frozen")])
def test_run_whose_generator_gradient_fades_is_frozen(
    make_run: MakeRun, write_plugin: WritePlugin, scale: float, reason: str | None
) -> None:
    write_plugin(
        "def generator_loss(self, critic, batch):\n"
        f"    return (1.0 if batch.step < 1 else {scale}) * (batch.fake - 5).square().mean()"
    )
    record = make_run(objectives=["my.py:Mine"], steps=20, evaluation=EVALUATED | {"count": 10})
    gradient = record.history["generator_grad_norm"]
    assert gradient.iloc[-1] < 1e-4
    assert record.result.outcome.reason == reason
    assert record.result.outcome.diverged_at == (18 if reason else None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"architectures": ["dcgan"]}, r"dcgan: samples of shape \(2,\): must be .*"),
        ({"architectures": [BATCH_NORM]}, "batch norm in the critic .*"),
        ({"objectives": ["my.py:Mine"]}, "too late"),
        (
            {"recipe": "stability", "datasets": ["digits"]},
            "recipe 'stability' says nothing about wgan-gp on .*",
        ),
    ],
)
def test_run_that_makes_no_sense_is_skipped_with_its_reason(
    make_run: MakeRun, write_plugin: WritePlugin, content: dict[str, Any], reason: str
) -> None:
    write_plugin("def skip_reason(self, critic, shape):\n    return 'too late'")
    record = make_run(**content)
    assert record.status == "skipped"
    assert pd.Series([record.result.outcome.reason]).str.fullmatch(reason).all()
    assert record.result.measured is None
    assert {p.name for p in record.folder.iterdir()} == {"spec.json", "result.json", "checksums.sha256"}


def test_run_that_comes_no_further_from_its_checkpoint_begins_anew_another_time(
    make_run: MakeRun, write_plugin: WritePlugin, careful: RunContext
) -> None:
    write_plugin("def penalty(self, critic, batch):\n    if batch.step == 3:\n        raise ValueError('always')")
    kept: list[bool] = []
    for _ in range(2):
        record = make_run(careful, objectives=["my.py:Mine"])
        assert record.status == "failed"
        kept.append((record.folder / "resume").exists())
        Store(careful.folder).reopen(record.id)
    assert kept == [True, False]


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("ZeroDivisionError('two\\n lines')", "ZeroDivisionError: two lines"),
        ("SystemExit(0)", "SystemExit: 0"),
    ],
)
def test_run_whose_objective_raises_has_failed_with_the_traceback(
    make_run: MakeRun, write_plugin: WritePlugin, raised: str, reason: str
) -> None:
    write_plugin(f"def penalty(self, critic, batch):\n    if batch.step == 3:\n        raise {raised}")
    record = make_run(objectives=["my.py:Mine"])
    assert (record.status, record.result.outcome.reason) == ("failed", f"{reason} at my.py:10")
    assert "my.py" in str(record.result.outcome.traceback)
    assert "in penalty" in str(record.result.outcome.traceback)
    assert {p.name for p in record.folder.iterdir()} == {"spec.json", "result.json", "checksums.sha256"}


@pytest.mark.parametrize(
    "raised",
    [
        "MemoryError('no room')",
        "torch.OutOfMemoryError('no room')",
        "RuntimeError('[x] DefaultCPUAllocator: no room')",
        "RuntimeError('CUDA error: out of memory, no room')",
        "RuntimeError('CUBLAS_STATUS_ALLOC_FAILED: no room')",
        "RuntimeError('GET was unable to find an engine to execute this computation, no room')",
    ],
)
def test_run_without_memory_keeps_its_checkpoints_and_leaves_it_to_others_to_try_again(
    make_run: MakeRun, write_plugin: WritePlugin, careful: RunContext, raised: str
) -> None:
    write_plugin(f"def penalty(self, critic, batch):\n    if batch.step == 3:\n        raise {raised}")
    with pytest.raises(MemoryError, match=r"^out of memory: .*no room$"):
        make_run(careful, objectives=["my.py:Mine"])
    assert [p.stem for p in sorted(careful.folder.glob("runs/.*/resume/*.ckpt"))] == ["000000002", "000000003"]


def test_run_of_a_plugin_that_has_changed_since_it_was_planned_has_failed(
    make_suite: MakeSuite, write_plugin: WritePlugin, context: RunContext
) -> None:
    folder = write_plugin("x = 1").parent
    (spec,) = expand(make_suite(objectives=["my.py:Mine"]), RunContext(folder, suite_folder=folder))
    write_plugin("x = 2")
    outcome = run(spec, context).outcome
    assert outcome.status == "failed"
    assert "my.py:Mine: the file has changed since the sweep began" in str(outcome.reason)


def test_run_on_pictures_that_have_changed_since_it_was_planned_has_failed(
    make_suite: MakeSuite, context: RunContext, tmp_path: Path
) -> None:
    suite = make_suite(datasets=[f"folder:{tmp_path}"], architectures=["dcgan"])
    for i in range(40):
        Image.new("L", (8, 8), 5 * i).save(tmp_path / f"{i}.png")
    (spec,) = expand(suite, RunContext(Path()))
    Image.new("L", (8, 8), 200).save(tmp_path / "40.png")
    outcome = run(spec, context).outcome
    assert outcome.status == "failed"
    assert "have changed since the sweep began" in str(outcome.reason)


def test_run_on_pictures_beside_the_suite_file_records_what_was_done_to_them_and_is_the_same_elsewhere(
    make_suite: MakeSuite, context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    suite = make_suite(datasets=["folder:photos?size=8&channels=1"], architectures=["dcgan"], steps=1)
    ids = []
    for place in ("here", "there"):
        (tmp_path / place / "photos").mkdir(parents=True)
        for i in range(30):
            Image.new("RGBA", (4, 4), (0, 0, 0, 8 * i)).save(tmp_path / place / "photos" / f"{i}.png")
        moved = replace(context, suite_folder=tmp_path / place)
        (spec,) = expand(suite, moved)
        ids.append(spec.id)
    assert ids[0] == ids[1]
    result = run(spec, moved)
    assert "29 drawn on white where transparent, " in result.to_json()["data"]


def test_run_that_was_begun_on_another_kind_of_device_keeps_its_checkpoints(
    make_suite: MakeSuite, context: RunContext
) -> None:
    (spec,) = expand(make_suite(), RunContext(Path()))
    partial = store.Store(context.folder).partial(spec.id)
    (partial / "resume").mkdir()
    checkpoint = partial / "resume" / "000000003.ckpt"
    checkpoint.touch()
    (partial / "spec.json").write_text('{"device": "NVIDIA H100 80GB HBM3"}')
    with pytest.raises(BadInput, match=r"this run was begun on NVIDIA H100 80GB HBM3 and cannot go on on cpu \("):
        run(spec, context)
    assert checkpoint.exists()
    checkpoint.unlink()  # then there is nothing to lose
    assert run(spec, context).outcome.status == "completed"


def test_run_on_a_full_disk_is_not_recorded_and_goes_on_another_time(
    make_suite: MakeSuite, context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spec,) = expand(make_suite(), RunContext(Path()))
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if target.name == "result.json":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(BadInput, match=f"results folder {context.folder}: No space left on device; "):
        run(spec, context)
    assert not (context.folder / "runs" / spec.id).exists()
    monkeypatch.undo()
    assert run(spec, context).outcome.status == "completed"


@pytest.mark.parametrize("interrupted", [False, True])
def test_run_keeps_the_loggers_that_were_asked_for(
    make_run: MakeRun, careful: RunContext, interrupt_at: Callable[..., Any], interrupted: bool
) -> None:
    context = replace(careful, loggers=("csv", "tensorboard"))
    content = {"steps": 4, "evaluation": EVALUATED | {"count": 4}}
    if interrupted:
        with interrupt_at(3), pytest.raises(KeyboardInterrupt):
            make_run(context, **content)
    record = make_run(context, **content)
    assert record.status == "completed", record.result.outcome.traceback
    logged = pd.read_csv(record.folder / "csv" / "metrics.csv")
    assert logged["step"].tolist() == [0, 1, 2, 3, 4]
    assert logged["w1"].tolist() == pytest.approx(record.history["w1"].tolist())
    assert list((record.folder / "tensorboard").glob("events.*"))


def test_run_without_loggers_leaves_none(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_run()
    assert {p.name for p in tmp_path.iterdir()} == {"out"}


def test_run_result_is_strict_json(make_run: MakeRun) -> None:
    record = make_run()
    text = (record.folder / "result.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_summarise_takes_best_by_direction_final_and_the_last_fifth() -> None:
    history = pd.DataFrame(
        {
            "step": [0, 80, 81, 90, 100],
            "critic_steps": 0, "images": 0, "seconds": 0,
            "w1": [0.1, 5.0, 4.0, 2.0, 3.0],
            "modes": [1, 8, 7, 6, 5],
            "critic_loss": [np.nan, -3.0, -2.0, -4.0, -9.0],
        }
    )  # fmt: skip
    found = summarise(history, 100)
    assert found.keys() == {"w1", "modes", "critic_loss"}
    assert found["w1"] == {
        "best": 0.1, "final": 3.0, "tail_mean": pytest.approx(3.0), "tail_sd": pytest.approx(np.std([4, 2, 3])),
    }  # fmt: skip
    assert (found["modes"]["best"], found["modes"]["final"], found["modes"]["tail_mean"]) == (8, 5, 6)
    assert found["critic_loss"]["best"] is None
    assert found["critic_loss"]["tail_mean"] == pytest.approx(-5)


def test_summarise_keeps_nan_where_a_run_has_diverged() -> None:
    history = pd.DataFrame(
        {"step": [0, 90, 95], "critic_steps": 0, "images": 0, "seconds": 0, "w1": [2.0, 1.0, np.nan]}
    )
    found = summarise(history, 100)["w1"]
    assert found["best"] == 1.0
    assert all(np.isnan(found[k]) for k in ("final", "tail_mean", "tail_sd"))  # pyright: ignore[reportArgumentType, reportCallIssue]
    single = summarise(history[:2], 100)["w1"]
    assert (single["tail_mean"], single["tail_sd"]) == (1.0, None)
    early = summarise(history[:1], 100)["w1"]
    assert (early["best"], early["final"]) == (2.0, 2.0)
    assert np.isnan(early["tail_mean"])  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_evaluator_schedule_is_even_and_ends_with_the_run() -> None:
    data = load("8gaussians")
    assert sorted(Evaluator(data, Evaluation(count=4), 10).schedule) == [0, 2, 5, 8, 10]
    assert sorted(Evaluator(data, Evaluation(count=20), 3).schedule) == [0, 1, 2, 3]
    assert sorted(Evaluator(data, Evaluation(count=1), 7).schedule) == [0, 7]


def test_quality_on_images_holds_disjoint_held_out_sets_against_each_other() -> None:
    """As many as there are: two halves of a held-out set that is smaller than twice what was asked for."""
    data = load("digits")
    assert data.test is not None
    evaluation = Evaluation(images=10_000)
    quality = Quality(data, evaluation, torch.Generator())
    assert quality.n_fake == len(data.test) // 2
    assert quality.protocol["fd"]["n_real"] == quality.n_fake
    again = Quality(data, evaluation, torch.Generator().manual_seed(5))
    assert quality.floors == again.floors
    assert quality.floors["fd"] > 0
