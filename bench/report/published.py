"""Published values, to be printed below a table and never in it: each was measured under the protocol that it names."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Published:
    """FIDs of one source on one data set, and Inception Scores where it gives them.

    Attributes:
        dataset, source: whose values.
        protocol: networks, length of training, samples behind an FID.
        fid, score: per objective's name in lipbench.
    """

    dataset: str
    source: str
    protocol: str
    fid: Mapping[str, float]
    score: Mapping[str, float]

    def __str__(self) -> str:
        values = [
            f"{name} {fid:g}" + (f" (IS {self.score[name]:g})" if name in self.score else "")
            for name, fid in self.fid.items()
        ]
        return f"Published FID on {self.dataset}, {self.source}, {self.protocol}: {', '.join(values)}."


_LUCIC = "minimax", "non-saturating", "wgan-clip", "wgan-gp", "dragan"
_LUCIC_FID = {
    "mnist": (9.8, 6.8, 6.7, 20.3, 7.6),
    "fashion-mnist": (29.6, 26.5, 21.5, 24.5, 27.7),
    "cifar10": (72.7, 58.5, 55.2, 55.8, 69.8),
    "celeba": (65.6, 55.0, 41.3, 30.3, 42.3),
}
PUBLISHED = (
    Published(
        "cifar10",
        "Miyato et al. 2018",
        "standard CNN, 100,000 updates, 5,000 generated against 10,000 real",
        {
            "wgan-clip": 42.6,
            "wgan-gp": 40.2,
            "sn-gan": 25.5,
            "orthogonal": 29.0,
            "weight-norm": 34.7,
            "layer-norm": 33.9,
        },
        {
            "wgan-clip": 6.41,
            "wgan-gp": 6.68,
            "sn-gan": 7.58,
            "orthogonal": 7.40,
            "weight-norm": 6.84,
            "layer-norm": 7.19,
        },
    ),
    Published(
        "cifar10",
        "pytorch-gan-collections",
        "CNN (clipping at .1), 50,000 generated against the training set",
        {"non-saturating": 42.72, "wgan-clip": 40.03, "wgan-gp": 19.83, "sn-gan": 17.81},
        {"non-saturating": 6.01, "wgan-clip": 6.62, "wgan-gp": 7.66, "sn-gan": 7.84},
    ),
    *(
        Published(
            dataset,
            "Lucic et al. 2018",
            "the best of a wide search, 10,000 generated against the test set",
            dict(zip(_LUCIC, values, strict=True)),
            {},
        )
        for dataset, values in _LUCIC_FID.items()
    ),
)


def published_on(datasets: Iterable[str]) -> list[str]:
    """A sentence per source with values on one of these data sets."""
    wanted = set(datasets)
    return [str(entry) for entry in PUBLISHED if entry.dataset in wanted]


@cache
def _packed() -> dict[tuple[str, int], dict[str, str]]:
    with (resources.files("lipbench.bench.report") / "published_pacgan.csv").open(encoding="utf-8") as table:
        return {(row["dataset"], int(row["packing"])): row for row in csv.DictReader(table)}


def published_packing(dataset: str, packing: int) -> str | None:
    """A sentence with PacGAN's values on one of its data sets at this packing; None where it has none."""
    row = _packed().get((dataset, packing))
    if row is None:
        return None
    error = f" ± {row['modes_error']}" if row["modes_error"] else ""
    found = f"{row['modes']}{error} modes, {row['high_quality']} % of high quality, KL {row['mode_kl']}"
    how = "400,000 updates, mean of 10 trials, modes and KL as `modes, any sample` and `mode KL within 3σ`"
    return f"Published on {dataset} at packing {packing}, Lin et al. 2018, table 1 ({how}): {found}."
