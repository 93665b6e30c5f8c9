"""What the tests of objectives share: a batch of asymmetric points, small networks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lipbench.objectives import Batch


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """Real and fake points of different law and mean; keyword arguments replace any of them."""

    def make(
        n: int = 64,
        shape: tuple[int, ...] = (3,),
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        real: Tensor | None = None,
        fake: Tensor | None = None,
    ) -> Batch:
        rng = torch.Generator().manual_seed(seed)
        made_real = 0.7 * torch.randn(n, *shape, generator=rng, dtype=dtype) + 0.4
        made_fake = 1.3 * torch.randn(n, *shape, generator=rng, dtype=dtype) - 0.9
        return Batch(made_real if real is None else real, made_fake if fake is None else fake, None, 0, rng)

    return make


@pytest.fixture
def make_critic() -> Callable[..., nn.Module]:
    """A critic of two hidden layers with logits [B]; the seed decides its weights."""

    def make(d: int = 3, *, seed: int = 0, dtype: torch.dtype = torch.float64, width: int = 16) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            layers = [nn.Linear(d, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)]
            return nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0)).to(dtype)

    return make
