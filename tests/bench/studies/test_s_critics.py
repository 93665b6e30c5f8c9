"""Fixed generators, and critics trained against them: streams, measurements on the way, what is kept on disk."""

from dataclasses import replace
from pathlib import Path

import ot
import pytest
import torch

from lipbench.bench.studies import Resources, Setting
from lipbench.bench.studies.training.critics import CriticRun, generator_gradient, trained
from lipbench.bench.studies.training.fixed_generator import NoisyData, Sheets, ShiftedGaussians
from lipbench.bench.studies.training.sheet import sheet
from lipbench.models import Recipe
from lipbench.objectives import GradientPenalty, Minimax, NonSaturating

RECIPE = Recipe("adam", 1e-3, (0.5, 0.9), batch=16)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting("smoke", (0,), {}, tmp_path / "study", tmp_path / "runs")


def toy_run(**changes: object) -> CriticRun:
    return replace(CriticRun(NoisyData("8gaussians"), "wgan-gp", RECIPE, 2, 0), **changes)  # pyright: ignore[reportArgumentType]


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


@pytest.mark.parametrize("fixed", [Sheets(), NoisyData("swissroll"), ShiftedGaussians(3, 2.0)])
def test_fixed_game_evaluates_on_points_that_training_never_sees_and_does_not_disturb_it(fixed: Sheets):
    game, undisturbed = fixed.game(1), fixed.game(1)
    first = game.evaluation(8)
    batch = game.batch(8)
    assert all(torch.equal(a, b) for a, b in zip(first, game.evaluation(8), strict=True))
    assert torch.equal(batch.real, undisturbed.batch(8).real)
    assert not torch.equal(batch.real.double(), first[0])
    assert not torch.equal(batch.real, game.batch(8).real)


@pytest.mark.parametrize("fixed", [Sheets(), NoisyData("8gaussians"), ShiftedGaussians(3, 2.0)])
def test_fixed_game_depends_on_the_seed_alone(fixed: Sheets):
    one, same, other = fixed.game(1), fixed.game(1), fixed.game(2)
    assert torch.equal(weights(one.critic), weights(same.critic))
    assert not torch.equal(weights(one.critic), weights(other.critic))
    assert torch.equal(one.batch(4).fake, same.batch(4).fake)
    assert not torch.equal(one.batch(4).fake, other.batch(4).fake)


def test_sheets_lie_on_the_sheet_of_that_seed():
    real, fake = Sheets().game(3).evaluation(64)
    base = sheet(3)
    coefficients = real @ torch.linalg.pinv(base.matrix)
    assert torch.allclose(coefficients @ base.matrix, real, atol=1e-12)
    assert coefficients.abs().max() < 1
    assert fake.shape == (64, 16)
    assert fake.dtype == torch.float64


def test_noisy_data_adds_a_standard_normal_to_other_data():
    real, fake = NoisyData("8gaussians").game(0).evaluation(20_000)
    assert fake.var(dim=0).tolist() == pytest.approx((real.var(dim=0) + 1).tolist(), rel=0.05)
    assert torch.corrcoef(torch.stack([real[:, 0], fake[:, 0]]))[0, 1].abs() < 0.03


def test_shifted_gaussians_are_coupled_in_evaluation_only():
    fixed = ShiftedGaussians(5, 2.0)
    real, fake = (x.numpy() for x in fixed.coupled(0, 50))
    assert ot.emd2([], [], ot.dist(real, fake, "euclidean")) == pytest.approx(2.0, abs=1e-9)
    batch = fixed.game(0).batch(4000)
    assert (batch.fake - batch.real).mean(dim=0).tolist() == pytest.approx([2.0, 0, 0, 0, 0], abs=0.1)
    assert (batch.fake - batch.real).std(dim=0).tolist() == pytest.approx([2**0.5] * 5, abs=0.1)


@pytest.mark.parametrize("objective", [Minimax(), NonSaturating(), GradientPenalty()])
def test_generator_gradient_is_that_of_the_written_out_loss_and_moves_nothing(objective: Minimax):
    game = Sheets().game(0)
    assert game.generator is not None
    before = weights(game.generator)
    found = generator_gradient(objective, game, game.critic, step=0)
    logits = game.critic(game.generator(game.latents(1024)))
    loss = {
        "minimax": (1 - torch.sigmoid(logits)).log().mean(),
        "non-saturating": -torch.sigmoid(logits).log().mean(),
        "wgan-gp": -logits.mean(),
    }[objective.name]
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(game.generator.parameters()))]).norm()
    assert found == pytest.approx(expected.item(), rel=1e-9)
    assert torch.equal(weights(game.generator), before)


def test_critic_run_is_not_changed_by_measuring_on_the_way():
    run = CriticRun(Sheets(), "instance-noise", RECIPE, 3, 0, (("loss", "minimax"), ("sigma", 0.1)))
    plain, none = run.train()
    measured, curve = replace(run, marks=(0, 2, 3), losses=("minimax", "non_saturating")).train()
    assert torch.equal(weights(plain), weights(measured))
    assert none == []
    assert [(row["step"], row["loss"]) for row in curve] == [
        (step, loss) for step in (0, 2, 3) for loss in ("minimax", "non_saturating")
    ]


def test_critic_run_hands_its_step_to_the_objectives_schedule():
    annealed = CriticRun(Sheets(), "instance-noise", RECIPE, 4, 0, (("sigma", 0.5), ("until", 1)))
    constant = replace(annealed, arguments=(("sigma", 0.5),))
    assert not torch.equal(weights(annealed.train()[0]), weights(constant.train()[0]))
    assert torch.equal(weights(replace(annealed, steps=1).train()[0]), weights(replace(constant, steps=1).train()[0]))


def test_trained_comes_from_disk_the_second_time(setting: Setting):
    run = CriticRun(Sheets(), "sn-gan", RECIPE, 2, 0, marks=(0, 2))
    first = trained({"first": run}, setting)["first"]
    made = {path: path.stat().st_mtime_ns for path in (setting.runs / "critics").iterdir()}
    second = trained({"second": run}, setting)["second"]
    assert {path: path.stat().st_mtime_ns for path in (setting.runs / "critics").iterdir()} == made
    assert len(made) == 1
    real, _ = run.samples(second.module, 8)
    assert first.curve == second.curve
    assert len(first.curve) == 2
    assert torch.equal(first.module(real), second.module(real))
    assert not second.module.training


def test_trained_keeps_what_training_left(setting: Setting):
    run = toy_run(objective="wgan-clip", arguments=(("clip", 0.05),))
    kept = trained({0: run}, setting)[0]
    assert torch.equal(weights(kept.module), weights(run.train()[0]))
    assert weights(kept.module).abs().max() <= 0.05


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"steps": 3},
        {"arguments": (("weight", 0.1),)},
        {"objective": "wgan-lp"},
        {"recipe": replace(RECIPE, lr=1e-4)},
        {"fixed": NoisyData("swissroll")},
        {"fixed": ShiftedGaussians(2, 1.0)},
        {"marks": (1,)},
    ],
)
def test_critic_run_has_another_id_where_anything_differs(change: dict[str, object]):
    assert toy_run(**change).id != toy_run().id
    assert toy_run().id == toy_run().id


@pytest.mark.slow
def test_trained_in_two_processes_gives_the_same_critics(setting: Setting, tmp_path: Path):
    runs = {seed: toy_run(seed=seed) for seed in range(2)}
    alone = trained(runs, setting)
    together = trained(runs, replace(setting, runs=tmp_path / "other", resources=Resources(jobs=2)))
    assert all(torch.equal(weights(alone[seed].module), weights(together[seed].module)) for seed in runs)
