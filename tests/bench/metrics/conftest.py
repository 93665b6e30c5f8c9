"""An Inception with random weights that behaves: the real weights cannot be shipped with the tests."""


import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from lipbench.bench.metrics import inception


@pytest.fixture(scope="session")
def inception_weights() -> dict[str, Tensor]:
    """Seeded random weights of Inception-v3 whose batch norms were calibrated on 64 images of coarse noise.

    Without that the signal dies or explodes on its way through 94 layers, and the Inception Score is 1 or NaN. The last
    layer is scaled so that classes are certain enough for a score well above 1.
    """
    rng = torch.Generator().manual_seed(12)
    with torch.device("meta"):
        body, fc = inception._layers(), nn.Linear(2048, 1008)
    body, fc = body.to_empty(device="cpu"), fc.to_empty(device="cpu")
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.momentum = 1.0  # the running statistics are those of the one batch below
    nn.init.normal_(fc.weight, std=0.2, generator=rng)
    nn.init.zeros_(fc.bias)
    images = torch.rand(64, 3, 4, 4, generator=rng)
    pixels = nn.functional.interpolate(images, size=(107, 107), mode="bilinear") * 2 - 1
    with torch.no_grad():
        body.train()(pixels)
    return body.state_dict() | {f"fc.{name}": value for name, value in fc.state_dict().items()}


@pytest.fixture(scope="session")
def fidelity(inception_weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    """torch-fidelity's own extractor with those weights: uint8 images -> (features, logits)."""
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(inception_weights, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Conv2d, "reset_parameters", lambda self: None)  # seconds for numbers that are replaced
        return FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(path))
