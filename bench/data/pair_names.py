"""How a pair of distributions is called, `funnels:d=16&n=64&seed=1`, and what that asks for. Imports no torch."""

from typing import NamedTuple

from ...objectives.errors import BadInput, unknown
from .catalog import PAIRS

KEYS = ("d", "n", "seed", "official")
LARGEST = {"d": 4096, "n": 4096, "seed": 2**63 - 1}
EXAMPLE = f"{PAIRS}d=16&n=64, with &seed=1 or &official"


class Asked(NamedTuple):
    """What a name asks for: dimension, number of funnels, seed of their parameters, whether they are the authors'."""

    d: int
    n: int
    seed: int
    official: bool


def parse(name: str) -> Asked:
    """What a name asks for. Raises BadInput."""
    found: dict[str, int] = {}
    for part in name.removeprefix(PAIRS).split("&"):
        key, sign, text = part.partition("=")
        if key not in KEYS:
            raise BadInput(f"{name}: {unknown('key', key, list(KEYS))}; e.g. {EXAMPLE}")
        if key in found:
            raise BadInput(f"{name}: {key} stands there more than once")
        found[key] = _whole(name, key, text) if key != "official" else _flag(name, sign)
    for key in ("d", "n"):
        if key not in found:
            raise BadInput(f"{name}: {key} is missing; e.g. {EXAMPLE}")
    if "official" in found and "seed" in found:
        raise BadInput(f"{name}: official parameters have no seed; e.g. {EXAMPLE}")
    return Asked(found["d"], found["n"], found.get("seed", 0), "official" in found)


def _whole(name: str, key: str, text: str) -> int:
    least = 0 if key == "seed" else 1
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= LARGEST[key]):
        raise BadInput(f"{name}: {key}={text}: must be a whole number from {least} to {LARGEST[key]}")
    return int(text)


def _flag(name: str, sign: str) -> int:
    if sign:
        raise BadInput(f"{name}: official stands alone, without a value")
    return 1
