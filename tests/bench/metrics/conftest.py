"""An Inception with random weights that behaves: the real weights cannot be shipped with the tests."""

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from lipbench.bench.metrics import inception


@pytest.fixture(scope="session")
def inception_weights() -> dict[str, Tensor]:
    """Seeded random weights of Inception-v3 whose batch norms were calibrated on 16 images of coarse noise.

    Without that the signal dies or explodes on its way through 94 layers, and the Inception Score is 1 or NaN. The last
    layer ignores what all images have in common, and its logits vary by about 1.5 between them.
    """
    rng = torch.Generator().manual_seed(12)
    with torch.device("meta"):
        body, fc = inception.layers(), nn.Linear(2048, 1008)
    body, fc = body.to_empty(device="cpu"), fc.to_empty(device="cpu")
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.momentum = 1.0  # the running statistics are those of the one batch below
    images = torch.rand(16, 3, 4, 4, generator=rng)
    pixels = nn.functional.interpolate(images, size=(inception.SIZE, inception.SIZE), mode="bilinear") * 2 - 1
    with torch.no_grad():
        for name, value in body.named_parameters():
            if name.startswith("Mixed_7c") and "bn.weight" in name:
                value.fill_(0.3)  # features of the size that the real ones have
        features = body.train()(pixels.contiguous(memory_format=torch.channels_last)).flatten(1)
        common = nn.functional.normalize(features.mean(0), dim=0)
        nn.init.normal_(fc.weight, generator=rng)
        fc.weight -= torch.outer(fc.weight @ common, common)
        fc.weight *= 1.5 / (features @ fc.weight.T).std(0).mean()
        nn.init.zeros_(fc.bias)
    return body.state_dict() | {f"fc.{name}": value for name, value in fc.state_dict().items()}


@pytest.fixture(scope="session")
def fidelity(inception_weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    """torch-fidelity's own extractor with those weights: uint8 images -> (features, logits)."""
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(inception_weights, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Conv2d, "reset_parameters", lambda self: None)  # seconds for numbers that are replaced
        return FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(path))
