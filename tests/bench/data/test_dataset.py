"""The contract of a dataset: what sample and held_out promise for streams, resident points and images."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from lipbench.bench.data import DATASETS, Dataset, Mixture, load
from lipbench.bench.data.dataset import as_float
from lipbench.objectives import BadInput

POINTS = ["8gaussians", "25gaussians", "swissroll", "ring5", "ring5-random-labels"]
EMBEDDED = [*POINTS, "digits", "mnist5k", "parity"]
Draw = Callable[[Dataset, int, torch.Generator], Tensor]


@pytest.fixture(scope="module")
def datasets() -> dict[str, Dataset]:
    return {name: load(name) for name in EMBEDDED}


def images(train: int = 60, test: int = 20) -> Dataset:
    """Images whose pixels are all alike and tell the index: train 0, 1, 2 …, test 255, 254 …"""
    first = torch.arange(train, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 3).clone()
    held = (255 - torch.arange(test)).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 3).clone()
    return Dataset("ramp", (1, 2, 3), first, held, torch.arange(train), None, "mnist-cnn", "made up")


def indices(x: Tensor) -> list[int]:
    return ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


@pytest.mark.parametrize("draw", [Dataset.sample, Dataset.held_out])
@pytest.mark.parametrize("name", EMBEDDED)
def test_draw_depends_on_its_generator_alone(datasets: dict[str, Dataset], name: str, draw: Draw) -> None:
    dataset = datasets[name]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = draw(dataset, 64, torch.Generator().manual_seed(7))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    rng = torch.Generator().manual_seed(7)
    assert torch.equal(draw(dataset, 64, rng), first)
    assert not torch.equal(draw(dataset, 64, rng), first)


@pytest.mark.parametrize("draw", [Dataset.sample, Dataset.held_out])
@pytest.mark.parametrize("name", EMBEDDED)
def test_draw_has_the_declared_shape_type_and_range(datasets: dict[str, Dataset], name: str, draw: Draw) -> None:
    dataset = datasets[name]
    x = draw(dataset, 50, torch.Generator().manual_seed(2))
    assert (x.shape, x.dtype) == ((50, *dataset.shape), torch.float32)
    assert (dataset.is_points, dataset.is_images) == (x.dim() == 2, x.dim() == 4)
    if dataset.is_images:
        ends = (x.min().item(), x.max().item())
        assert -1 <= ends[0] < ends[1] <= 1
        assert ends == (-1, 1) or dataset.train is None  # files hold black and white, a stream need not


LABELLED = ["8gaussians", "ring5", "ring5-random-labels", "digits", "mnist5k"]


@pytest.mark.parametrize("name", LABELLED)
def test_labelled_samples_are_those_of_a_plain_draw_with_their_own_labels(
    datasets: dict[str, Dataset], name: str
) -> None:
    data = datasets[name]
    for plain, labelled in ((Dataset.sample, Dataset.labelled), (Dataset.held_out, Dataset.held_out_labelled)):
        first, second = (torch.Generator().manual_seed(3) for _ in range(2))
        x, labels = labelled(data, 40, first)
        assert torch.equal(x, plain(data, 40, second)) and torch.equal(first.get_state(), second.get_state())
        assert labels.shape == (40,) and labels.min() >= 0 and labels.max() < data.classes
        pool, known = (
            (data.train, data.labels) if plain is Dataset.sample else (data.finite_held_out, data.held_out_labels)
        )
        if pool is not None and known is not None and name != "ring5-random-labels":
            of = {tuple(row): k for row, k in zip(as_float(pool).flatten(1).tolist(), known.tolist(), strict=True)}
            assert labels.tolist() == [of[tuple(row)] for row in x.flatten(1).tolist()]


def test_labels_are_drawn_as_often_as_they_are_there() -> None:
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    data = replace(images(100), labels=labels)
    drawn = torch.bincount(data.draw_labels(10_000, torch.Generator().manual_seed(0)))
    assert (data.classes, drawn.tolist()) == (3, pytest.approx([6000, 3000, 1000], abs=4 * 50))


@pytest.mark.parametrize("labels", [None, torch.arange(60) - 1])
def test_data_of_which_a_sample_has_no_label_have_no_classes(labels: Tensor | None) -> None:
    assert replace(images(), labels=labels).classes == 0


class NoHostSync(TorchDispatchMode):
    """Fails on what makes a CPU wait for an accelerator: reading a value, or a size that depends on one."""

    BANNED = frozenset({"_local_scalar_dense", "item", "is_nonzero", "nonzero", "equal", "masked_select", "_unique2"})

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in self.BANNED, f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


class NoHostRead(TorchFunctionMode):
    """The same for methods that reach into a CPU tensor's memory without any operation."""

    BANNED = frozenset({"item", "tolist", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__", "__array__"})

    def __torch_function__(self, func, types, args=(), kwargs=None):
        assert getattr(func, "__name__", "") not in self.BANNED, f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", EMBEDDED)
def test_sample_never_waits_for_the_device(datasets: dict[str, Dataset], name: str) -> None:
    with NoHostSync(), NoHostRead():
        datasets[name].sample(32, torch.Generator().manual_seed(0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", EMBEDDED)
def test_sample_on_a_gpu_never_waits_for_it(datasets: dict[str, Dataset], name: str) -> None:
    dataset, rng = datasets[name].to("cuda"), torch.Generator("cuda").manual_seed(0)
    dataset.sample(32, rng)  # the first kernels may load modules
    torch.cuda.set_sync_debug_mode("error")
    try:
        assert dataset.sample(32, rng).is_cuda
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_as_float_spreads_bytes_evenly_over_minus_one_to_one() -> None:
    x = as_float(torch.arange(256, dtype=torch.uint8))
    assert (x[0].item(), x[255].item()) == (-1.0, 1.0)
    assert x.diff().tolist() == pytest.approx([2 / 255] * 255, rel=1e-4)


def test_images_sample_draws_every_training_image_and_no_other() -> None:
    drawn = indices(images().sample(2000, torch.Generator().manual_seed(0)))
    assert set(drawn) == set(range(60))


def test_images_sample_leaves_the_resident_data_unchanged() -> None:
    dataset = images()
    dataset.sample(500, torch.Generator().manual_seed(0)).add_(1)
    assert dataset.train is not None
    assert dataset.train[:, 0, 0, 0].tolist() == list(range(60))


def test_images_held_out_comes_from_test_without_repetition() -> None:
    dataset, rng = images(), torch.Generator().manual_seed(0)
    assert dataset.held_out_from == "test"
    assert sorted(indices(dataset.held_out(20, rng))) == list(range(236, 256))
    some = indices(dataset.held_out(10, rng))
    assert len(set(some)) == 10 and min(some) >= 236


def test_images_held_out_refuses_more_than_there_are() -> None:
    with pytest.raises(BadInput, match="ramp: 21 held-out samples asked for, its test set holds 20"):
        images().held_out(21, torch.Generator())


def test_images_held_out_at_most_takes_all_where_there_are_fewer() -> None:
    rng = torch.Generator()
    assert sorted(indices(images().held_out_at_most(21, rng))) == list(range(236, 256))
    same = [draw(7, rng.manual_seed(3)) for draw in (images().held_out, images().held_out_at_most)]
    assert torch.equal(*same)
    assert load("8gaussians").held_out_at_most(21, rng).shape == (21, 2)


def test_images_without_a_test_set_hold_out_from_train() -> None:
    dataset = Dataset("only", (1, 2, 3), images().train, None, None, None, None, "made up")
    assert dataset.held_out_from == "train"
    assert sorted(indices(dataset.held_out(60, torch.Generator()))) == list(range(60))


def test_dataset_without_any_data_says_so() -> None:
    with pytest.raises(ValueError, match="dataset void: needs train data, a mixture or a stream"):
        Dataset("void", (2,), None, None, None, None, None, "nowhere").sample(1, torch.Generator())


def test_to_moves_every_tensor() -> None:
    moved = load("ring5").to("meta")
    assert moved.train is not None and moved.labels is not None and moved.mixture is not None
    assert {moved.train.device.type, moved.labels.device.type, moved.mixture.centres.device.type} == {"meta"}
    test = images().to("meta").test
    assert test is not None and test.is_meta


def test_to_keeps_a_stream_a_stream() -> None:
    rng = torch.Generator().manual_seed(1)
    moved = load("swissroll").to("cpu")
    assert moved.held_out_from == "stream"
    assert moved.sample(5, rng).shape == (5, 2)


def test_mixture_sample_uses_every_mode_of_any_dimension() -> None:
    mixture = Mixture(torch.tensor([[0.0, 0, 0], [5, 0, 0], [0, 5, 9]]), 0.1)
    points = mixture.sample(300, torch.Generator().manual_seed(0))
    assert points.shape == (300, 3)
    assert set(torch.cdist(points, mixture.centres).argmin(dim=1).tolist()) == {0, 1, 2}


def test_load_unknown_name_lists_the_known() -> None:
    with pytest.raises(BadInput, match=r"unknown dataset '8gaussian' .*'8gaussians'.*known: .*digits.*mnist5k"):
        load("8gaussian")


@pytest.mark.parametrize("name", EMBEDDED)
def test_load_names_the_dataset_as_its_key(datasets: dict[str, Dataset], name: str) -> None:
    dataset = datasets[name]
    assert name in DATASETS and dataset.name == name
    assert dataset.extractor == ("mnist-cnn" if dataset.is_images else None)
    assert dataset.source and "\n" not in dataset.source
