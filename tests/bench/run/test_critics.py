"""Runs in which the generator is fixed: the critic alone learns, by the same engine."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import Named, Suite, load_suite
from lipbench.bench.data.catalog import load
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.sampling import sample_run
from lipbench.bench.run.train import build
from lipbench.objectives import BadInput

PAIR = "funnels:d=2&n=3&seed=1"
ON_PAIR: dict[str, Any] = {
    "datasets": [PAIR],
    "architectures": [{"name": "korotin-mlp", "width": 16}],
    "recipe": {"name": "fast", "lr": 0.01, "batch": 64},
    "steps": 40,
    "evaluation": {"count": 4, "points": 500, "repeats": 2},
}
MakeRun = Callable[..., RunRecord]


def test_critic_runs_train_the_critic_and_leave_the_fakes_alone(make_run: MakeRun) -> None:
    record = make_run(**ON_PAIR)
    assert record.status == "completed"
    history = record.history
    assert history["step"].tolist() == [0, 10, 20, 30, 40] and history["critic_steps"].tolist() == [0, 10, 20, 30, 40]
    assert not {"generator_loss", "generator_grad_norm", "sample_spread", "w1"} & set(history.columns)
    assert history["cosine"].iloc[-1] > history["cosine"].iloc[0] + 0.1
    assert history["cost"].iloc[-1] > 0.1
    assert record.floors["cost"] == pytest.approx(load(PAIR).pair.distance.value)  # pyright: ignore[reportOptionalMemberAccess]
    assert record.metrics["steps_to_90"]["final"] in (10, 20, 30, 40)
    assert len(record.evaluation_noise["cosine"]["values"]) == 2


@pytest.mark.parametrize("objective", ["minimax", "wgan-clip", "sn-gan", "orthogonal", "r1"])
def test_critic_runs_take_any_objective(make_run: MakeRun, objective: str) -> None:
    record = make_run(**ON_PAIR | {"objectives": [objective], "steps": 5})
    assert record.status == "completed" and pd.notna(record.metrics["cosine"]["final"])


def test_critic_runs_of_one_seed_see_the_same_samples_and_are_repeatable(
    make_suite: Callable[..., Suite], context: RunContext
) -> None:
    specs = expand(make_suite(**ON_PAIR | {"objectives": ["wgan-gp", "wgan-lp"]}), context)
    drawn = [build(spec, load(PAIR), Path()).iteration for spec in specs]
    (real, latent), (other, same) = (iteration.draw(8) for iteration in drawn)
    assert torch.equal(real, other) and torch.equal(latent, same)
    assert not torch.equal(real, drawn[0].generator(latent))


def test_critic_runs_go_on_where_they_were_interrupted(
    make_run: MakeRun,
    careful: RunContext,
    context: RunContext,
    interrupt_at: Callable[[int], AbstractContextManager[None]],
) -> None:
    whole = make_run(context, **ON_PAIR)
    kept = load_file(whole.folder / "checkpoint" / "critic.safetensors")
    columns = whole.history.columns.drop("seconds")
    history = whole.history[columns]
    (whole.folder / "result.json").unlink()
    with interrupt_at(23), pytest.raises(KeyboardInterrupt):
        make_run(careful, **ON_PAIR)
    resumed = make_run(careful, **ON_PAIR)
    pd.testing.assert_frame_equal(resumed.history[columns], history, check_exact=True)
    again = load_file(resumed.folder / "checkpoint" / "critic.safetensors")
    assert all(torch.equal(value, again[name]) for name, value in kept.items())


def test_critic_runs_that_blow_up_have_diverged(make_run: MakeRun) -> None:
    record = make_run(**ON_PAIR | {"objectives": ["minimax"], "losses": ["wasserstein"], "recipe": {"lr": 1e8}})
    assert record.status == "diverged" and record.result.outcome.reason in ("nan", "exploded")


def test_critic_runs_leave_no_generator_to_sample(make_run: MakeRun, tmp_path: Path) -> None:
    record = make_run(**ON_PAIR | {"steps": 2})
    with pytest.raises(BadInput, match="trained a critic alone"):
        sample_run(record.folder, 4, tmp_path / "x.png", 0)


def test_korotin_recipe_trains_each_method_as_long_as_published(context: RunContext) -> None:
    objectives: list[Named] = ["wgan-clip", "wgan-gp", "sn-gan", "minimax"]
    suite = Suite(name="s", objectives=objectives, datasets=[PAIR], recipe=["korotin-2022"], steps="recipe", seeds=[0])
    clip, gp, sn, none = expand(suite, context)
    assert (clip.steps, gp.steps, sn.steps) == (5000, 60_000, 10_000)
    assert clip.arguments == {"loss": "wasserstein", "clip": 0.04, "biases": False, "start_clipped": True}
    assert sn.arguments == {"loss": "wasserstein", "power_iterations": 5, "constant_sigma": True}
    assert none.skip is not None and "korotin-2022" in none.skip
    assert {(s.recipe_spec.lr, s.recipe_spec.betas, s.recipe_spec.batch) for s in (clip, gp, sn)} == {
        (2e-4, (0.0, 0.9), 1024)
    }


def test_constant_sigma_stays_in_the_authors_protocol(context: RunContext) -> None:
    suite = Suite(name="s", objectives=["sn-gan"], datasets=[PAIR], recipe=["matched"], steps=5, seeds=[0])
    (sn,) = expand(suite, context)
    assert not sn.arguments.get("constant_sigma")


def test_steps_of_a_recipe_that_has_none_are_refused(context: RunContext) -> None:
    suite = Suite(name="s", objectives=["wgan-gp"], datasets=[PAIR], recipe=["matched"], steps="recipe", seeds=[0])
    with pytest.raises(BadInput, match=r"matched.*does not say how long it trains wgan-gp"):
        expand(suite, context)


@pytest.mark.parametrize(("d", "width"), [(2, 128), (64, 128), (100, 200)])
def test_korotin_networks_are_those_of_the_benchmark(context: RunContext, d: int, width: int) -> None:
    name = f"funnels:d={d}&n=2"
    suite = Suite(name="s", objectives=["wgan-gp"], datasets=[name], recipe=["korotin-2022"], steps=1, seeds=[0])
    (spec,) = expand(suite, context)
    critic = build(spec, load(name), Path()).iteration.critic
    shapes = [tuple(p.shape) for p in critic.parameters()]
    assert shapes == [(width, d), (width,), (width, width), (width,), (1, width), (1,)]
    for layer in (m for m in critic.modules() if isinstance(m, torch.nn.Linear)):
        bound = layer.in_features**-0.5
        assert 0.8 * bound < layer.weight.abs().max() <= bound and layer.bias.abs().max() <= bound


def test_critics_suite_runs_the_four_and_lp_on_two_pairs(context: RunContext) -> None:
    suite, _ = load_suite("critics")
    specs = expand(suite, context)
    assert {s.objective for s in specs} == {"minimax", "wgan-clip", "wgan-gp", "wgan-lp", "sn-gan"}
    assert {s.dataset for s in specs} == {"funnels:d=2&n=4", "funnels:d=16&n=4"} and len(specs) == 30
    assert len({(s.recipe_spec, s.architecture, s.steps) for s in specs}) == 1
