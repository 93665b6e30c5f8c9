"""All image metrics from pixels on: torch-fidelity's and torchmetrics' programs against ours, on the same weights."""

from pathlib import Path

import pytest
import torch
import torch_fidelity
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchmetrics.image.fid import FrechetInceptionDistance

from lipbench.bench.metrics import inception
from lipbench.bench.metrics.extractors import Extractor
from lipbench.bench.metrics.images import ImageMetrics, Sizes
from lipbench.bench.metrics.inception import Inception

N_REAL, N_FAKE = 45, 35


class Images(Dataset[Tensor]):
    """What torch-fidelity takes for a set of images."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]

    def __len__(self) -> int:
        return len(self.images)


def blobs(n: int, seed: int, coarse: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    noise = torch.rand(n, 3, coarse, coarse, generator=rng) * 255
    return nn.functional.interpolate(noise, size=(32, 32), mode="bicubic").round().clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def reals() -> Tensor:
    return blobs(N_REAL, 1, 4)


@pytest.fixture(scope="module")
def fakes() -> Tensor:
    return torch.cat([blobs(N_FAKE - 10, 2, 5), blobs(10, 3, 4)])


@pytest.fixture(scope="module")
def ours(inception_weights: dict[str, Tensor], reals: Tensor, fakes: Tensor) -> dict[str, float]:
    network = Inception(inception_weights).requires_grad_(False).to(memory_format=torch.channels_last)
    extractor = Extractor("inception", "random", inception.RESIZE, 2048, network)
    sizes = Sizes(n_fake=N_FAKE, subsets=5, subset_size=20)
    return ImageMetrics(reals, extractor, sizes)(fakes)


@pytest.fixture(scope="module")
def weights_file(inception_weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(inception_weights, path)
    return path


@pytest.mark.slow
def test_image_metrics_are_torch_fidelitys(ours: dict[str, float], reals: Tensor, fakes: Tensor, weights_file: Path):
    # the reference is held in a fixed random order, which decides which reals a KID subset has
    order = torch.randperm(N_REAL, generator=torch.Generator().manual_seed(0))
    theirs = torch_fidelity.calculate_metrics(
        input1=Images(fakes),
        input2=Images(reals[order]),
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights_file),
        fid=True,
        isc=True,
        isc_splits=1,
        kid=True,
        kid_subsets=5,
        kid_subset_size=20,
        prc=True,
        cuda=False,
        cache=False,
        verbose=False,
        batch_size=16,
        save_cpu_ram=True,  # no worker processes
    )
    assert ours["fd"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours["is"] == pytest.approx(theirs["inception_score_mean"], rel=1e-3)
    assert ours["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-5)
    assert ours["precision"] == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours["recall"] == pytest.approx(theirs["recall"], abs=1e-6)
    assert ours["is"] > 1.2 and ours["fd"] > 1 and 0 < ours["precision"] < 1


@pytest.mark.slow
def test_image_metrics_fid_is_torchmetrics_without_antialias(
    ours: dict[str, float], reals: Tensor, fakes: Tensor, weights_file: Path
):
    theirs = FrechetInceptionDistance(2048, feature_extractor_weights_path=str(weights_file), antialias=False)
    for images, real in ((reals, True), (fakes, False)):
        for batch in images.split(16):
            theirs.update(batch, real=real)
    assert ours["fd"] == pytest.approx(theirs.compute().item(), rel=1e-3)
