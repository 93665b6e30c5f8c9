"""Runs of several sweeps in one results folder: what must agree for one table, and one suite.json for all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...objectives.errors import BadInput
from ..records.reader import RunRecord, read_run
from ..records.store import Store
from ..report.blocks import SAME_IN_A_GROUP, difference

GROUP = ("objective", "dataset", "architecture", "recipe")
FREE = ("count", "repeats")  # of an evaluation: how often, which no value depends on

Placed = tuple[str, Mapping[str, Any]]  # where a run is or comes from, and the content of its spec.json


def others(asked: Iterable[Mapping[str, Any]], store: Store) -> list[RunRecord]:
    """The finished runs in a folder that are not asked for, and that no run which is asked for takes the place of."""
    cells = {_cell(spec) for spec in asked}
    folders = [path for path in sorted(store.runs.iterdir()) if not path.name.startswith(".")]
    records = [read_run(path) for path in folders if (path / "spec.json").is_file()]
    return [record for record in records if _cell(record.spec) not in cells]


def _cell(spec: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(spec[key] for key in (*GROUP, "seed"))


def check_joined(runs: Sequence[Placed]) -> None:
    """Raises BadInput where runs were not made and measured alike, so that one table must not hold them."""
    first: dict[tuple[Any, ...], Placed] = {}
    for place, spec in runs:
        for kind, settings in _compared(spec):
            known_place, known = first.setdefault(kind, (place, settings))
            for name, value in settings.items():
                if value != known[name]:
                    raise BadInput(
                        f"{known_place} and {place}: runs ({' · '.join(kind)}) differ in "
                        f"{difference(name, known, settings)}: one table must not hold both"
                    )


def _compared(spec: Mapping[str, Any]) -> Iterable[tuple[tuple[str, ...], dict[str, Any]]]:
    """What all runs must agree in, those on one data set, and those that differ in their seeds alone."""
    if "core" in spec:  # records of before do not tell it
        yield ("all",), {"fingerprint of the core": spec["core"]}
    measured = {key: value for key, value in spec["evaluation"].items() if key not in FREE}
    yield (spec["dataset"],), {"evaluation": measured, "content": spec.get("content")}
    group = tuple(str(spec[key]) for key in GROUP)
    yield group, {key: spec.get(key) for key in SAME_IN_A_GROUP} | {"fingerprint": spec.get("code")}


def joined_suite(suites: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`objectives` and `suite` of one suite.json for several: what the first lists, then what the others do."""
    labels, settings = list[str](), dict[str, Any]()
    for about in suites:
        labels = _union(labels, about.get("objectives") or [])
        for key, value in (about.get("suite") or {}).items():
            known = settings.setdefault(key, value)
            if isinstance(known, list) and isinstance(value, list):
                settings[key] = _union(known, value)
    return {"objectives": labels, "suite": settings}


def _union(first: list[Any], second: Sequence[Any]) -> list[Any]:
    return first + [item for item in second if item not in first]
