"""Drawing from a trained generator: what is drawn, as what, and the one line that tells what is wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.modules.module import register_module_forward_hook

from lipbench.bench.records.checksums import SUMS, write_sums
from lipbench.bench.records.reader import FILES, WEIGHTS, RunRecord
from lipbench.bench.run.context import RunContext
from lipbench.bench.run.sampling import sample_run
from lipbench.models.mlp import mlp
from lipbench.objectives import BadInput

MakeRun = Callable[..., RunRecord]


@pytest.fixture
def points(make_run: MakeRun) -> Path:
    """A run on points, with batch norm in the generator and a moving average of it."""
    network = {"name": "mlp", "width": 8, "depth": 2, "norm": "batch", "latent": "uniform"}
    recipe = {"name": "r", "lr": 0.01, "batch": 16, "ema": 0.5}
    return make_run(architectures=[network], recipe=recipe).folder


def told(*arguments: Any) -> str:
    with pytest.raises(BadInput) as caught:
        sample_run(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_sample_draws_points_from_the_generator_that_was_evaluated_a_thousand_at_a_time(
    points: Path, tmp_path: Path
) -> None:
    networks = mlp((2,), width=8, depth=2, norm="batch", latent="uniform")
    networks.generator.load_state_dict(load_file(points / "checkpoint" / "generator.safetensors"))
    latent = 2 * torch.rand(2500, 2, generator=torch.Generator().manual_seed(5)) - 1
    with torch.no_grad():
        expected = networks.generator.eval()(latent)
    sizes: list[int] = []
    with register_module_forward_hook(lambda module, inputs, output: sizes.append(len(output))):
        path = sample_run(points, 2500, tmp_path / "x.pt", 5)
    torch.testing.assert_close(torch.load(path, weights_only=True), expected)
    assert set(sizes) == {1000, 500}


def test_sample_is_decided_by_its_seed(points: Path, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    drawn = [
        torch.load(sample_run(points, 9, tmp_path / f"{i}.pt", seed), weights_only=True)
        for i, seed in enumerate((1, 1, 2))
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(before, torch.get_rng_state())


def test_sample_of_points_is_a_picture(points: Path, tmp_path: Path) -> None:
    with Image.open(sample_run(points, 300, tmp_path / "x.png", 0)) as picture:
        pixels = np.asarray(picture)
    assert picture.size == (512, 512)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 2


def test_sample_of_images_is_a_grid_or_a_tensor_between_minus_one_and_one(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run(datasets=["digits"], steps=1, evaluation={"count": 1, "images": 100}).folder
    drawn = torch.load(sample_run(folder, 9, tmp_path / "x.pt", 0), weights_only=True)
    assert drawn.shape == (9, 1, 8, 8)
    assert -1 <= drawn.min() < drawn.max() <= 1
    with Image.open(sample_run(folder, 9, tmp_path / "x.png", 0)) as picture:
        assert picture.width == picture.height


@pytest.fixture
def blocked(tmp_path: Path) -> Iterator[Path]:
    """A path that nothing can be written to."""
    (tmp_path / "file").touch()
    yield tmp_path / "file" / "x.png"


def test_sample_tells_what_is_wrong(points: Path, tmp_path: Path, blocked: Path) -> None:
    assert told(points, 4, tmp_path / "x.jpg", 0).endswith("x.jpg: must end in .png or .pt")
    assert told(points, 0, tmp_path / "x.png", 0) == "0 samples: must be 1 to 1,000,000"
    assert told(points, 10**12, tmp_path / "x.png", 0).startswith("1000000000000 samples: must be 1 to")
    assert told(points, 4, tmp_path / "x.png", 10**23).startswith(f"seed {10**23}: must be 0 or more, and below")
    assert "no trained generator here; give the folder of a run" in told(tmp_path, 4, tmp_path / "x.png", 0)
    assert "no trained generator here" in told(tmp_path / "absent", 4, tmp_path / "x.png", 0)
    for ending in (".png", ".pt"):
        for path in (blocked.with_suffix(ending), tmp_path / "absent" / f"x{ending}"):
            assert told(points, 4, path, 0).startswith(f"{path}: cannot be written")


def test_sample_tells_that_the_weights_are_damaged(points: Path, tmp_path: Path) -> None:
    path = points / "checkpoint" / "generator.safetensors"
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"nonsense" * 20):
        path.write_bytes(content)
        assert told(points, 4, tmp_path / "x.png", 0).startswith(f"{path}: damaged")
    (points / SUMS).unlink()  # as in records of before
    assert told(points, 4, tmp_path / "x.png", 0).startswith(f"{path}: damaged or of another architecture")


def test_sample_draws_nothing_from_weights_that_are_no_numbers(points: Path, tmp_path: Path) -> None:
    path = points / "checkpoint" / "generator.safetensors"
    state = load_file(path)
    next(tensor for tensor in state.values() if tensor.is_floating_point())[0] = float("nan")
    save_file(state, path)
    write_sums(points, [*FILES, *WEIGHTS])
    assert "weights are numbers" in told(points, 4, tmp_path / "x.png", 0)
    assert not (tmp_path / "x.png").exists()


def test_sample_tells_that_the_record_is_damaged(points: Path, tmp_path: Path) -> None:
    samples = points / "samples.npz"
    samples.write_bytes(samples.read_bytes()[:100])
    assert told(points, 4, tmp_path / "x.png", 0).startswith(f"damaged record {samples}")


def test_sample_of_a_run_that_never_trained_is_told(make_run: MakeRun, tmp_path: Path, context: RunContext) -> None:
    record = make_run(architectures=["dcgan"])
    assert record.status == "skipped"
    assert "this run skipped and left no trained generator" in told(record.folder, 4, tmp_path / "x.png", 0)


def test_sample_says_that_a_run_has_lost_its_generator(points: Path, tmp_path: Path) -> None:
    (points / "checkpoint" / "generator.safetensors").unlink()
    assert told(points, 4, tmp_path / "x.png", 0).endswith("is gone; delete the folder and run the suite again")


def test_sample_of_a_class_is_what_the_generator_makes_of_it(make_run: MakeRun, tmp_path: Path) -> None:
    network = {"name": "mlp", "width": 8, "depth": 2, "classes": "auto"}
    folder = make_run(datasets=["ring5"], architectures=[network]).folder
    networks = mlp((2,), width=8, depth=2, classes=5)
    networks.generator.load_state_dict(load_file(folder / "checkpoint" / "generator.safetensors"))
    latent = torch.randn(30, 2, generator=torch.Generator().manual_seed(7))
    for asked, labels in ((3, torch.full((30,), 3)), (None, torch.arange(30) // 5 % 5)):
        drawn = torch.load(sample_run(folder, 30, tmp_path / "x.pt", 7, asked), weights_only=True)
        with torch.no_grad():
            torch.testing.assert_close(drawn, networks.generator(latent, labels))
    assert told(folder, 4, tmp_path / "x.png", 0, 5) == "class 5: must be 0 to 4, this generator knows 5 classes"
    assert told(folder, 4, tmp_path / "x.png", 0, -1).startswith("class -1: must be 0 to 4")


def test_sample_of_a_class_wants_a_conditional_generator(points: Path, tmp_path: Path) -> None:
    assert told(points, 4, tmp_path / "x.png", 0, 3) == "class 3: this generator knows no classes"


def test_conditional_run_on_images_keeps_rows_of_a_class_and_measures_them(make_run: MakeRun) -> None:
    networks = {"name": "dcgan", "channels": 4, "classes": "auto"}
    evaluation = {"count": 1, "images": 100, "metrics": ["fd", "class_accuracy", "intra_fd", "class_kl"]}
    record = make_run(datasets=["digits"], architectures=[networks], steps=2, evaluation=evaluation)
    assert record.measured and record.spec["architecture"] == "dcgan(channels=4, classes=10)"
    assert 0 <= record.metrics["class_accuracy"]["final"] <= 1 < record.metrics["intra_fd"]["final"]
    assert record.floors.keys() == {"fd", "class_accuracy", "intra_fd", "class_kl"}
    with np.load(record.folder / "samples.npz") as arrays:
        assert arrays["fake"].shape == (100, 1, 8, 8)
    with Image.open(record.folder / "samples.png") as picture:
        assert picture.size == (480, 480)  # ten rows of ten, six times as large
