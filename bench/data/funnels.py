"""Pairs of distributions whose optimal transport is known: `funnels:d=16&n=64`. No critic here.

The continuous W1 benchmark of Korotin, Kolesov, Burnaev 2022, arXiv:2206.07767: its "MinFunnels" in high dimension.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from ...objectives.errors import BadInput, Missing, message_of
from .dataset import Dataset, Distance, Pair
from .files import root
from .pair_names import Asked, parse

HALF_SIDE = 2.5  # of the box that the reals fill evenly
OFFSET_SD = 0.1
POWER = 8  # a real at the share t of its ray goes to t⁸
SAMPLE, CHUNK = 32_768, 4096  # points behind the true W1, and of them at a time
_SOURCE = "MinFunnels of Korotin, Kolesov, Burnaev 2022 (arXiv:2206.07767)"


class Funnels(Pair):
    """u(x) = minₙ (‖x − aₙ‖ + bₙ), and the pair of distributions whose Kantorovich potential it is.

    Reals are uniform in a box. Each lies on a ray of u, from the centre of its funnel to the box's wall or to where
    another funnel takes over; at the share t of the ray, its fake is the point at the share t⁸. As u rises with slope 1
    along rays, all mass moves along them and W1 = E u(real) − E u(fake) = E‖real − fake‖. All is computed in float64.

    Args:
        centres: aₙ, [N, d].
        offsets: bₙ, [N].
    """

    centres: Tensor
    offsets: Tensor

    def __init__(self, centres: Tensor, offsets: Tensor) -> None:
        super().__init__()
        self.register_buffer("centres", centres.double())
        self.register_buffer("offsets", offsets.double())

    def forward(self, latent: Tensor) -> Tensor:
        """Latents uniform in [−1, 1]^d, [B, d], to fakes [B, d] of the same type."""
        return self.transport(HALF_SIDE * latent)

    def potential(self, x: Tensor) -> Tensor:
        """u(x), [B], float64."""
        return self._heights(x.double()).amin(dim=1)

    def gradient(self, x: Tensor) -> Tensor:
        """∇u, [B, d], float64: away from the centre of the funnel that a point lies in, of length 1; 0 at a centre."""
        x = x.double()
        return _unit(x - self.centres[self._heights(x).argmin(dim=1)])

    def transport(self, real: Tensor) -> Tensor:
        """The fakes [B, d] that an optimal plan couples these reals [B, d] with."""
        y = real.double()
        heights = self._heights(y)
        own = heights.argmin(dim=1)
        low = self.centres[own]
        direction, length = _unit(y - low), (y - low).norm(dim=1)
        left = torch.minimum(_to_wall(y, direction), self._to_other_funnel(y, direction, heights, own))
        share = length / (length + left)
        return (low + direction * (share**POWER * (length + left))[:, None]).to(real.dtype)

    @cached_property
    def distance(self) -> Distance:  # pyright: ignore[reportIncompatibleMethodOverride]
        """W1 of the pair: the mean of ‖real − fake‖ over a large sample, the same at every call."""
        rng = torch.Generator().manual_seed(0)
        lengths: list[Tensor] = []
        for _ in range(SAMPLE // CHUNK):
            y = _uniform(CHUNK, self.centres.shape[1], rng).double().to(self.centres.device)
            lengths.append((y - self.transport(y)).norm(dim=1))
        moved = torch.cat(lengths)
        return Distance(moved.mean().item(), (moved.std() / len(moved) ** 0.5).item())

    def _heights(self, x: Tensor) -> Tensor:
        """‖x − aₙ‖ + bₙ, [B, N]."""
        # No matrix product: the expanded square loses the distances of near points.
        return torch.cdist(x, self.centres, compute_mode="donot_use_mm_for_euclid_dist") + self.offsets

    def _to_other_funnel(self, y: Tensor, direction: Tensor, heights: Tensor, own: Tensor) -> Tensor:
        """How far along the ray another funnel is as low as y's own, [B]; infinite where none ever is.

        After r the ray's own funnel is at u + r, and the n-th at ‖y − aₙ + r·v‖ + bₙ: equal where
        (u − bₙ + r)² = ‖y − aₙ + r·v‖², which is linear in r, and u − bₙ + r > 0.
        """
        gap = (heights - self.offsets).square()
        rise = heights.gather(1, own[:, None]) - self.offsets
        along = (y * direction).sum(dim=1, keepdim=True) - direction @ self.centres.T
        r = 0.5 * (gap - rise.square()) / (rise - along)
        possible = (r > 0) & (r > -rise)
        possible.scatter_(1, own[:, None], False)
        return r.masked_fill(~possible, torch.inf).amin(dim=1)


def _unit(x: Tensor) -> Tensor:
    return nn.functional.normalize(x, dim=1, eps=torch.finfo(x.dtype).tiny)


def _to_wall(y: Tensor, direction: Tensor) -> Tensor:
    """How far along the ray the box ends, [B]; its diagonal where there is no direction, at a centre."""
    ways = (direction.sign() * HALF_SIDE - y) / direction
    return ways.masked_fill(direction == 0, torch.inf).amin(dim=1).clamp(0, 2 * HALF_SIDE * y.shape[1] ** 0.5)


def _uniform(n: int, d: int, rng: torch.Generator) -> Tensor:
    return HALF_SIDE * (2 * torch.rand(n, d, generator=rng, device=rng.device) - 1)


def funnels(name: str, data_dir: Path | None = None, _: Path | None = None) -> Dataset:
    """The pair of that name, e.g. `funnels:d=16&n=64`: parameters from `seed`, or the authors' with `official`.

    Reals are the points of the box; `pair` makes the fakes. Raises BadInput for a name or a file that is not good.
    """
    asked = parse(name)
    pair = read(asked, data_dir) if asked.official else fresh(asked)

    def draw(n: int, rng: torch.Generator) -> Tensor:
        return _uniform(n, asked.d, rng)

    return Dataset(name, (asked.d,), None, None, None, None, None, _SOURCE, stream=draw, pair=pair)


def fresh(asked: Asked) -> Funnels:
    """Parameters of the benchmark's law: centres uniform in the box, offsets N(0, .1²)."""
    rng = torch.Generator().manual_seed(asked.seed)
    centres = HALF_SIDE * (2 * torch.rand(asked.n, asked.d, generator=rng, dtype=torch.float64) - 1)
    return Funnels(centres, OFFSET_SD * torch.randn(asked.n, generator=rng, dtype=torch.float64))


def official_file(asked: Asked, data_dir: Path | None = None) -> Path:
    """Where the authors' parameters lie."""
    return root(data_dir) / "w1_benchmark" / "pairs" / f"dim_{asked.d}_funnels_{asked.n}.pt"


def read(asked: Asked, data_dir: Path | None = None) -> Funnels:
    """The authors' parameters. Raises BadInput for a file that is missing or no such file."""
    path = official_file(asked, data_dir)
    _check_there(path)
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        centres, offsets = content["net.centers"], content["net.bias"]
        good = centres.shape == (asked.n, asked.d) and offsets.numel() == asked.n
    except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: damaged, or no parameters of funnels ({message_of(error, 100)})") from error
    if not good:
        raise BadInput(f"{path}: must hold {asked.n} centres in {asked.d} dimensions, and as many offsets")
    return Funnels(centres, offsets.flatten())


def content_of(name: str, data_dir: Path | None = None, _: Path | None = None) -> str | None:
    """A hash of the authors' file, where a name asks for it; a seed says all else. Raises BadInput if it is missing."""
    asked = parse(name)
    if not asked.official:
        return None
    path = official_file(asked, data_dir)
    _check_there(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise Missing(
            f"{path}: not found; official pairs are read from w1_benchmark/pairs in the data folder, "
            "and leaving out 'official' makes fresh ones",
            "data",
        )
