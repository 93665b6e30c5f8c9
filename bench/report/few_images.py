"""What is said of metrics that were measured on too few images, or points, to mean what their names say."""

from collections.abc import Iterator, Mapping
from typing import Any

from .blocks import Block

SMALL_PART = 100  # images of a part of an Inception Score


def few_images(block: Block) -> Iterator[str]:
    """A sentence for each: fewer samples than asked for, or than features; small parts; a distance cut off at 0."""
    names = {q.key: q.name for q in block.quality}
    fd, score = block.protocol.get("fd", {}), block.protocol.get("is", {})
    fewer = {
        names[key]: key for key in names if _needs_reals(block, key) and 0 < _used(block, key) < _asked(block, key)
    }
    if fewer:
        first = next(iter(fewer.values()))
        told = _sizes(block.protocol[first], "points" if first == "w1" else "images")
        why = "no more are held out: the floor takes as many"
        yield f"{', '.join(fewer)} on {block.dataset}: {told}, where {_asked(block, first):,} were asked for; {why}."
    if "fd" in names and min(fd.get("n_fake", 0), fd.get("n_real", 0)) <= fd.get("features", -1):
        yield (
            f"{names['fd']} on {block.dataset}: {_sizes(fd)}, no more than its {fd['features']:,} features: "
            "mostly bias, to be compared with values of as many images alone."
        )
    if "is" in names and (part := score.get("n_fake", SMALL_PART) // score.get("is_splits", 1)) < SMALL_PART:
        yield f"{names['is']} on {block.dataset}: over parts of {part} images, so that it cannot be more than {part}."
    yield from _odd_distances(block, names)


def _odd_distances(block: Block, names: Mapping[str, str]) -> Iterator[str]:
    if "fd" in names and 0.0 in _values(block, "fd"):
        yield f"{names['fd']} of 0 on {block.dataset}: of equal images, or what rounding took below zero."
    if "kid" in names and any(value is not None and value < 0 for value in _values(block, "kid")):
        yield f"{names['kid']} below 0 on {block.dataset}: its estimate is unbiased, so that near 0 it falls below too."


def _needs_reals(block: Block, key: str) -> bool:
    """Whether it is measured against as many reals, of which there may be too few: what counts modes is not."""
    return key == "w1" or block.protocol.get(key, {}).get("extractor") is not None


def _used(block: Block, key: str) -> int:
    return block.protocol.get(key, {}).get("n_fake", 0)


def _asked(block: Block, key: str) -> int:
    """Generated samples that the suite asks for; KID, precision and recall take no more than are held."""
    evaluation: dict[str, Any] = block.runs[0].spec.get("evaluation", {})
    if key == "w1":
        return evaluation.get("points", 0)
    images = evaluation.get("images", 0)
    if key == "is":
        scored = evaluation.get("is_images")
        return images if scored is None else scored
    return images if key == "fd" else min(images, evaluation.get("held_images", images))


def _sizes(protocol: dict[str, Any], what: str = "images") -> str:
    real = f" against {protocol['n_real']:,} real" if "n_real" in protocol else ""
    return f"{protocol['n_fake']:,} generated{real} {what}"


def _values(block: Block, key: str) -> list[float | None]:
    """Every value of a metric in the block: the floor, and the runs'."""
    values = [block.floors.get(key)]
    for run in block.runs:
        values += [value for name, value in run.metrics.get(key, {}).items() if name != "tail_sd"]
    return values
