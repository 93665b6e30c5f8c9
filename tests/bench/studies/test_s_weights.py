import numpy as np
import pytest
import torch
from torch import nn

from lipbench.bench.data import load
from lipbench.bench.data.dataset import as_float
from lipbench.bench.studies import Resources, Setting
from lipbench.bench.studies.claims.training_advice.batch_norm import PenaltyWithNorms
from lipbench.bench.studies.measures.weights import PLACES, finite, histogram, near, share_of_extremes, spectra, weights
from lipbench.bench.studies.training import saved_critics
from lipbench.bench.studies.training.image_games import CLIP, SN, game, image_runs
from lipbench.models import ARCHITECTURES
from lipbench.objectives import BadInput

OPTIONS = {"dataset": "mnist5k", "architecture": {"name": "dcgan", "channels": 2}, "steps": 2}
OPTIONS |= {"evaluation": {"count": 1, "images": 100}, "accelerate": "none"}


def test_weights_are_those_of_linear_layers_and_convolutions_without_biases() -> None:
    convolution, linear = nn.Conv2d(1, 2, 3), nn.Linear(8, 1)
    found = weights(nn.Sequential(convolution, nn.GroupNorm(1, 2), nn.Flatten(), linear))
    assert torch.equal(found[:18], convolution.weight.flatten()) and torch.equal(found[18:], linear.weight.flatten())
    assert len(found) == 26


def test_share_of_extremes_is_within_two_percent_of_c_or_of_the_maximum() -> None:
    trained = torch.tensor([0.1, -0.0981, 0.0979, 0.0])
    assert near(trained, 0.1) == 0.5
    found = share_of_extremes(trained, torch.tensor([0.4, -0.2, 0.05, 0.0]), 0.1)
    assert found == {"extreme": 0.5, "clipped_start": 0.5}
    assert share_of_extremes(5 * trained, trained, None) == {"extreme": 0.5}


def test_share_of_extremes_is_the_worst_where_training_left_no_numbers() -> None:
    lost, untrained = torch.tensor([0.1, 0.1, torch.nan]), torch.tensor([0.1, 0.0, 0.0])
    assert share_of_extremes(lost, untrained, 0.1) == {"extreme": 0.0, "clipped_start": pytest.approx(1 / 3)}
    assert share_of_extremes(lost, untrained, None) == {"extreme": torch.inf}


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_finite_looks_at_every_parameter(value: float) -> None:
    critic = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    assert finite(critic)
    nn.init.constant_(list(critic.parameters())[-1], value)
    assert not finite(critic)


def test_histogram_is_symmetric_and_sums_to_one() -> None:
    rows = histogram(torch.tensor([-0.5, 0.1, 1.0, 0.99]))
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert rows[0]["left"] == pytest.approx(-1) and rows[-1]["left"] + rows[-1]["width"] == pytest.approx(1)
    assert rows[-1]["share"] == 0.5


def test_spectra_are_singular_values_of_reshaped_kernels_from_the_largest_to_the_smallest() -> None:
    convolution, linear = nn.Conv2d(3, 70, 4), nn.Linear(70, 1)
    rows = spectra(nn.Sequential(convolution, nn.Flatten(), linear))
    first = [row for row in rows if row["layer"] == 0]
    expected = np.linalg.svd(convolution.weight.detach().numpy().reshape(70, 48).astype(float), compute_uv=False)
    assert len(first) == PLACES
    assert [row["value"] for row in first] == pytest.approx(
        [expected[round(47 * row["place"])] for row in first], rel=1e-5
    )
    assert (first[0]["place"], first[-1]["place"]) == (0, 1)
    (alone,) = [row for row in rows if row["layer"] == 1]
    assert alone["value"] == pytest.approx(linear.weight.norm().item(), rel=1e-5)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("runs")
    setting = Setting("smoke", (5,), OPTIONS, folder, folder / "runs", Resources(device="cpu"))
    return {one.cell.labels["objective"]: one for one in image_runs([game(CLIP, OPTIONS), game(SN, OPTIONS)], setting)}


def test_trained_critic_of_a_record_has_the_weights_that_its_result_tells_of(runs) -> None:
    for name in (CLIP, SN):
        record = runs[name].record
        real, fake = saved_critics.kept_samples(record)
        critic = saved_critics.trained_critic(record, tuple(real.shape[1:]))
        sigmas = [row["value"] for row in spectra(critic) if row["place"] == 0]
        assert sigmas == pytest.approx(list(record.measurements.layers["singular_values"].values()), rel=1e-4)
        assert real.shape == fake.shape == (64, 1, 28, 28)
        assert fake.min() >= -1 and fake.max() <= 1 and real.min() == -1
    assert weights(saved_critics.trained_critic(runs[CLIP].record, (1, 28, 28))).abs().max() <= 0.01


def test_untrained_critic_of_a_record_is_the_one_it_began_with(runs) -> None:
    first, other = (saved_critics.untrained_networks(runs[name].record, (1, 28, 28)).critic for name in (CLIP, SN))
    assert torch.equal(weights(first), weights(other))
    before, after = weights(first), weights(saved_critics.trained_critic(runs[CLIP].record, (1, 28, 28)))
    assert before.abs().max() > 0.03
    # ten steps of RMSprop at 5e-5, whose first is ten times as long as the rate
    assert (before.clamp(-0.01, 0.01) - after).abs().max() < 0.006


def test_fresh_samples_are_held_out_reals_and_the_trained_generators(runs) -> None:
    data = load("mnist5k")
    real, fake = saved_critics.fresh_samples(runs[SN].record, data, 20, batch=7)
    again = saved_critics.fresh_samples(runs[SN].record, data, 20, batch=7)
    assert torch.equal(real, again[0]) and torch.equal(fake, again[1])
    assert real.shape == fake.shape == (20, 1, 28, 28)
    held_out = as_float(data.test if data.test is not None else data.train).flatten(1)  # pyright: ignore[reportArgumentType]
    assert torch.cdist(real.flatten(1), held_out).min(dim=1).values.max() < 0.1  # of distances above 10
    other = saved_critics.fresh_samples(runs[CLIP].record, data, 20, batch=7)[1]
    assert not torch.equal(fake, other)


def test_penalty_with_norms_puts_them_after_every_hidden_layer() -> None:
    for norm, kind in (("batch", nn.BatchNorm2d), ("layer", nn.GroupNorm)):
        critic = PenaltyWithNorms(norm=norm).prepare_critic(ARCHITECTURES["sngan-cnn"]((3, 32, 32), channels=2).critic)
        kinds = [type(layer) for layer in critic.modules() if not list(layer.children())]
        assert kinds.count(kind) == 7
        assert kinds[:3] == [nn.Conv2d, kind, nn.LeakyReLU]
        assert critic(torch.randn(4, 3, 32, 32)).shape == (4,)
    with pytest.raises(BadInput, match="unknown norm 'group'"):
        PenaltyWithNorms(norm="group")
