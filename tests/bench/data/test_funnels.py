"""The mathematics of the funnels in double precision, their names, and the authors' pairs where they are at hand."""

import csv
from importlib import resources
from itertools import pairwise
from pathlib import Path

import ot
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from lipbench.bench.data.catalog import check_name, kind_of, load, user_content
from lipbench.bench.data.funnels import HALF_SIDE, Funnels
from lipbench.bench.metrics.points import wasserstein1
from lipbench.objectives import BadInput

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(
    not (SHARED / "w1_benchmark").is_dir(), reason="the authors' parameters are not beside the checkout"
)
CASES = ((1, 1), (2, 4), (2, 64), (5, 3), (16, 64))


def pair(d: int, n: int, seed: int = 1) -> Funnels:
    made = load(f"funnels:d={d}&n={n}&seed={seed}").pair
    assert isinstance(made, Funnels)
    return made


def reals(d: int, n: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return HALF_SIDE * (2 * torch.rand(n, d, generator=rng, dtype=torch.float64) - 1)


@pytest.mark.parametrize(("d", "n"), CASES)
def test_potential_is_the_lowest_funnel_and_never_steeper_than_1(d: int, n: int) -> None:
    x, funnels = reals(d, 300), pair(d, n)
    u = funnels.potential(x)
    by_hand = torch.stack([(x - a).norm(dim=1) + b for a, b in zip(funnels.centres, funnels.offsets, strict=True)])
    torch.testing.assert_close(u, by_hand.amin(dim=0), rtol=0, atol=1e-12)
    gaps = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    assert ((u[:, None] - u).abs() <= gaps + 1e-12).all()


@pytest.mark.parametrize(("d", "n"), CASES)
def test_gradient_is_that_of_the_potential_and_of_length_1(d: int, n: int) -> None:
    funnels = pair(d, n)
    x = reals(d, 300).requires_grad_(True)
    (gradient,) = torch.autograd.grad(funnels.potential(x).sum(), x)
    torch.testing.assert_close(funnels.gradient(x.detach()), gradient, rtol=0, atol=1e-9)
    torch.testing.assert_close(gradient.norm(dim=1), torch.ones(300, dtype=torch.float64))


@pytest.mark.parametrize(("d", "n"), CASES)
def test_potential_rises_from_each_fake_to_its_real_by_their_distance(d: int, n: int) -> None:
    funnels, y = pair(d, n), reals(d, 2000)
    x = funnels.transport(y)
    torch.testing.assert_close(funnels.potential(y) - funnels.potential(x), (y - x).norm(dim=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("d", "n"), CASES)
def test_plan_is_cyclically_monotone_and_optimal(d: int, n: int) -> None:
    funnels, y = pair(d, n), reals(d, 400)
    x = funnels.transport(y)
    cost = cdist(x.numpy(), y.numpy())
    held = float(cost.diagonal().sum())
    order = torch.randperm(400, generator=torch.Generator().manual_seed(2)).tolist()
    for size in (2, 3, 7):  # no cycle of fakes gains by exchanging its reals
        for cycle in (order[i : i + size] for i in range(0, 400 - size, size)):
            ends = [*pairwise(cycle), (cycle[-1], cycle[0])]
            assert sum(cost[i, i] for i in cycle) <= sum(cost[i, j] for i, j in ends) + 1e-9
    assert ot.emd2([], [], cost) == pytest.approx(held / 400, rel=1e-9)


@pytest.mark.parametrize(("d", "n"), [(1, 1), (2, 4)])
def test_distance_is_that_of_independent_samples_within_their_error(d: int, n: int) -> None:
    funnels = pair(d, n)
    x, y = funnels.transport(reals(d, 2000, seed=1)), reals(d, 2000, seed=2)
    u = funnels.potential(y), funnels.potential(x)
    error = sum(part.var() / 2000 for part in u) ** 0.5
    exact = wasserstein1(x, y)
    value, own_error = funnels.distance
    # The dual of the true potential is unbiased; exact transport between samples lies above the truth.
    assert float(u[0].mean() - u[1].mean()) == pytest.approx(value, abs=4 * float(error))
    assert value - 4 * float(error) < exact < 1.25 * value
    assert 0 < own_error < 0.01 * value


def test_distance_of_one_funnel_in_one_dimension_is_a_closed_integral() -> None:
    funnels = Funnels(torch.zeros(1, 1), torch.zeros(1))
    value, error = funnels.distance  # E(ℓt − ℓt⁸) for t uniform in [0, 1]
    assert value == pytest.approx(HALF_SIDE * (1 / 2 - 1 / 9), abs=4 * error)


def test_a_real_at_the_centre_of_a_funnel_stays_there() -> None:
    funnels = pair(2, 1)
    assert torch.equal(funnels.transport(funnels.centres), funnels.centres)


@pytest.mark.parametrize(("d", "n"), CASES)
def test_rays_end_at_the_wall_or_where_another_funnel_takes_over(d: int, n: int) -> None:
    funnels, y = pair(d, n), reals(d, 500)
    x, v, low = funnels.transport(y), funnels.gradient(y), funnels.centres[_own(funnels, y)]
    start, place = (y - low).norm(dim=1), (x - low).norm(dim=1)
    known = place > 1e-3 * start  # of the others, near a centre, the digits do not tell the ray's length
    length = (start**8 / place) ** (1 / 7)  # place = length · (start / length)⁸
    inside, outside = (low + v * (length * k)[:, None] for k in (1 - 1e-6, 1 + 1e-6))
    assert known.any() and (start < length).all()
    assert (_own(funnels, inside) == _own(funnels, y))[known].all()
    leaves_box = outside.abs().amax(dim=1) > HALF_SIDE * (1 - 1e-9)
    assert (leaves_box | (_own(funnels, outside) != _own(funnels, y)))[known].all()
    assert inside[known].abs().max() <= HALF_SIDE


def _own(funnels: Funnels, x: Tensor) -> Tensor:
    return (torch.cdist(x, funnels.centres) + funnels.offsets).argmin(dim=1)


def test_latents_in_single_precision_make_fakes_of_the_same_and_the_data_set_draws_the_box() -> None:
    data = load("funnels:d=3&n=4")
    rng = torch.Generator().manual_seed(0)
    real = data.sample(4000, rng)
    assert data.pair is not None and data.pair(real / HALF_SIDE).dtype == torch.float32
    assert real.shape == (4000, 3) and real.abs().max() <= HALF_SIDE
    torch.testing.assert_close(real.square().mean(dim=0), torch.full((3,), HALF_SIDE**2 / 3), rtol=0.05, atol=0)
    assert not list(data.pair.parameters())


def test_seeds_make_different_pairs_of_one_law() -> None:
    assert torch.equal(pair(2, 4, seed=0).centres, pair(2, 4, seed=0).centres)
    assert not torch.equal(pair(2, 4, seed=0).centres, pair(2, 4, seed=1).centres)
    many = pair(16, 4000)
    assert many.centres.abs().max() < HALF_SIDE and float(many.offsets.std()) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("funnels:d=16", "n is missing"),
        ("funnels:d=16&n=4&sed=1", "did you mean 'seed'"),
        ("funnels:d=16&n=0", "n=0: must be a whole number from 1"),
        ("funnels:d=two&n=4", "d=two: must be"),
        ("funnels:d=2&n=4&official&seed=1", "official parameters have no seed"),
        ("funnels:d=2&n=4&official=1", "official stands alone"),
        ("funnels:d=2&d=2&n=4", "more than once"),
        ("funels:d=2&n=4", "unknown dataset"),
    ],
)
def test_names_that_mean_nothing_are_told_in_a_line(name: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as raised:
        check_name(name)
    assert "\n" not in str(raised.value)


def test_pairs_are_a_kind_of_their_own() -> None:
    assert kind_of("funnels:d=2&n=4") == "pairs" and user_content("funnels:d=2&n=4") is None


def test_official_pairs_are_read_from_the_data_folder(tmp_path: Path) -> None:
    folder = tmp_path / "w1_benchmark" / "pairs"
    folder.mkdir(parents=True)
    name, file = "funnels:d=2&n=3&official", folder / "dim_2_funnels_3.pt"
    with pytest.raises(BadInput, match=r"dim_2_funnels_3\.pt: not found"):
        load(name, tmp_path)
    centres = torch.tensor([[0.0, 1.0], [2.0, -1.0], [-1.0, -1.0]])
    torch.save({"net.centers": centres, "net.bias": torch.zeros(1, 3)}, file)
    read = load(name, tmp_path).pair
    assert isinstance(read, Funnels) and torch.equal(read.centres, centres.double())
    before = user_content(name, tmp_path)
    torch.save({"net.centers": centres + 1, "net.bias": torch.zeros(3)}, file)
    assert before is not None and user_content(name, tmp_path) != before
    torch.save({"net.centers": centres.T, "net.bias": torch.zeros(3)}, file)
    with pytest.raises(BadInput, match="must hold 3 centres in 2 dimensions"):
        load(name, tmp_path)
    file.write_bytes(b"no such thing")
    with pytest.raises(BadInput, match="damaged, or no parameters"):
        load(name, tmp_path)


@needs_shared
@pytest.mark.parametrize(("d", "n"), [(2, 4), (2, 64), (16, 4), (64, 16)])
def test_distance_of_official_pairs_is_the_published_one(d: int, n: int) -> None:
    official = load(f"funnels:d={d}&n={n}&official", SHARED).pair
    assert official is not None
    value, error = official.distance
    batch = error * (32_768 / 4096) ** 0.5  # the published mean is over fewer points
    with (resources.files("lipbench.bench.report") / "published_w1.csv").open(encoding="utf-8") as table:
        (truth,) = (
            float(row["cost"])
            for row in csv.DictReader(table)
            if (row["dim"], row["funnels"], row["method"]) == (str(d), str(n), "true")
        )
    assert value == pytest.approx(truth, abs=4 * batch)
