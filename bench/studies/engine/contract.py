"""The contract of a study: a claim, an experiment that can refute it, and criteria that are data.

`judge` turns records into a verdict and looks at nothing else. No training, no files, no plotting style here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import pandas as pd
from matplotlib.figure import Figure

Scale = Literal["smoke", "quick", "full"]
SCALES: tuple[Scale, ...] = ("smoke", "quick", "full")
Row = dict[str, Any]
Reduce = Literal["max", "min", "median", "mean"]
Op = Literal["<", "<=", ">", ">="]


class Outcome(StrEnum):
    """What a study may conclude about a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    FALSE = "false as stated"
    INCONCLUSIVE = "inconclusive"
    DISPUTED = "criterion disputed"


class NotAtThisScale(Exception):
    """Raised by a study's `run` where it cannot be done at this scale or on this machine; the message is the reason."""


@dataclass(frozen=True)
class Resources:
    """Where studies run and what they may use of the machine; handed down whole.

    Attributes:
        jobs: processes that a study may use.
        gpu_jobs: runs that may be made at once on a GPU.
        device: where image studies train: "auto" (a GPU where there is one), "cpu", or "cuda:N". Toys stay on the CPU.
        data: folder of the data sets that are kept in files.
        weights: file with Inception's weights, where they are not in torch hub's cache.
    """

    jobs: int = 1
    gpu_jobs: int = 1
    device: str = "auto"
    data: Path | None = None
    weights: Path | None = None

    def jobs_on(self, device: str) -> int:
        """How many runs are made at once on this device."""
        return self.jobs if device == "cpu" else self.gpu_jobs


@dataclass(frozen=True)
class Setting:
    """What `run` may use. Change it by `dataclasses.replace`, which keeps all else.

    Attributes:
        scale: "smoke" runs the code, "quick" ends in minutes, "full" is what the document's claim deserves.
        seeds: one measurement each.
        options: the study's own numbers at this scale (`Size.options`).
        folder: an empty folder of this study; files left there (an animation) are kept beside the records.
        runs: a folder that survives an interruption and that all studies share, for records of trained runs.
        resources: see there.
    """

    scale: Scale
    seeds: tuple[int, ...]
    options: Mapping[str, Any]
    folder: Path
    runs: Path
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class Size:
    """How much is done at one scale.

    Attributes:
        seeds: how many; the seeds are 0, 1, …
        options: numbers the study reads from `Setting.options` (steps, cells).
        note: what is smaller than the claim's experiment asks for, in words; the table prints it.
    """

    seeds: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


class Role(TypedDict, total=False):
    """What a criterion is besides a measure and a threshold; see `Criterion`."""

    control: bool
    by_interval: bool
    disputed: str


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number read from the records: rows are selected, reduced within a seed, then over seeds.

    Attributes:
        measurement: the column.
        text: what the number is, in a few words and with its unit.
        where: column → the value it must have, or a tuple of allowed values. Rows without the measurement are left out.
        within: how the rows of one seed become one number; as `reduce` by default.
        reduce: over seeds; over all rows where they hold no seed (an exact measurement).
    """

    measurement: str
    text: str
    where: Mapping[str, Any] = field(default_factory=dict)
    within: Reduce | None = None
    reduce: Reduce = "max"

    @staticmethod
    def median(measurement: str, text: str, within: Reduce | None = None, **where: Any) -> "Measure":
        """The median over seeds."""
        return Measure(measurement=measurement, text=text, where=where, within=within, reduce="median")

    @staticmethod
    def share(measurement: str, text: str, **where: Any) -> "Measure":
        """The share of seeds of which a flag, 0 or 1, is 1."""
        return Measure(measurement=measurement, text=text, where=where, reduce="mean")

    @staticmethod
    def largest(measurement: str, text: str, within: Reduce | None = None, **where: Any) -> "Measure":
        """The largest of all seeds'."""
        return Measure(measurement=measurement, text=text, where=where, within=within)

    @staticmethod
    def smallest(measurement: str, text: str, within: Reduce | None = None, **where: Any) -> "Measure":
        """The smallest of all seeds'."""
        return Measure(measurement=measurement, text=text, where=where, within=within, reduce="min")

    def at_least(self, threshold: float, **role: Unpack[Role]) -> "Criterion":
        """The criterion that this number is the threshold or more."""
        return Criterion(**vars(self), op=">=", threshold=threshold, **role)

    def at_most(self, threshold: float, **role: Unpack[Role]) -> "Criterion":
        """The criterion that this number is the threshold or less."""
        return Criterion(**vars(self), op="<=", threshold=threshold, **role)

    def above(self, threshold: float, **role: Unpack[Role]) -> "Criterion":
        """The criterion that this number is more than the threshold."""
        return Criterion(**vars(self), op=">", threshold=threshold, **role)

    def below(self, threshold: float, **role: Unpack[Role]) -> "Criterion":
        """The criterion that this number is less than the threshold."""
        return Criterion(**vars(self), op="<", threshold=threshold, **role)


@dataclass(frozen=True, kw_only=True)
class Criterion(Measure):
    """A measure and the threshold it is held against.

    Attributes:
        op, threshold: the criterion holds when `value op threshold`.
        control: it tests the experiment, not the claim: where it fails the part is inconclusive.
        by_interval: the 95 % interval must lie wholly on one side of the threshold, or nothing is concluded; nor is it
            with so few seeds that there is none but their range.
        disputed: why a correct implementation must fail this criterion, if so: a failure is then put down to it.
    """

    op: Op
    threshold: float
    control: bool = False
    by_interval: bool = False
    disputed: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a claim with a verdict of its own: `holds` if all its criteria hold, `fails` if one does not.

    Where the criteria hold because the claim is wrong (a counterexample), say `holds=Outcome.FALSE`; one experiment
    that finds no counterexample proves nothing, so `fails` is then usually `Outcome.INCONCLUSIVE`.

    Attributes:
        criteria: all must hold.
        holds, fails: the verdicts.
        name: which part of the claim; empty where a study has one part only.
        reading: what a reader may take away when the criteria hold: the claim as it should have been made.
        caveat: what a reader must know of the measurement, whatever came out.
        cause: what the failure of a criterion is put down to, as looked into in the kept record, whose its numbers are.
        replicates: what stands for seeds where the records hold none, and are not exact.
        reported: measures that are printed and decide nothing.
    """

    criteria: tuple[Criterion, ...]
    holds: Outcome = Outcome.REPRODUCED
    fails: Outcome = Outcome.NOT_REPRODUCED
    name: str = ""
    reading: str = ""
    cause: str = ""
    caveat: str = ""
    replicates: str = ""
    reported: tuple[Measure, ...] = ()


class PartText(TypedDict, total=False):
    """What a part is besides its criteria; see `Part`."""

    name: str
    reading: str
    cause: str
    caveat: str
    replicates: str
    reported: tuple[Measure, ...]


def reproduces(*criteria: Criterion, **about: Unpack[PartText]) -> Part:
    """A part whose criteria, where they hold, show that the claim is right."""
    return Part(criteria=criteria, **about)


def refutes(*criteria: Criterion, **about: Unpack[PartText]) -> Part:
    """A part whose criteria, where they hold, show that the claim is false as stated."""
    return Part(criteria=criteria, holds=Outcome.FALSE, fails=Outcome.INCONCLUSIVE, **about)


def median_of(measurement: str, objective: str, text: str) -> Measure:
    """The median over seeds of an objective's measurement; the text ends in the objective's name."""
    return Measure(
        measurement=measurement, where={"objective": objective}, reduce="median", text=f"{text}, {objective}"
    )


def unchanged(measurements: pd.DataFrame) -> pd.DataFrame:
    """The default of `Study.derive`: criteria read the records as they are."""
    return measurements


def nothing(setting: Setting) -> dict[str, Any]:
    """The default of `Study.resolve`: the options say all."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Study:
    """One claim and the experiment that can refute it.

    Attributes:
        id: as in the verdict table ("T1").
        claim: the text as the document makes it.
        document: where ("Report 1.1.2").
        experiment: a sentence.
        run: Setting → rows: flat dicts of numbers and strings (a truth value as 0 or 1; an infinite value as `inf`),
            with `seed` where the measurement depends on one. Randomness comes from the seed alone.
        parts: see `Part`; the study's verdict is the gravest of theirs.
        plot: measurements → figure that shows the point; a pure function of the records.
        sizes: per scale how much is done, or (a string) the reason why it is not done at that scale.
        settings: fixed numbers of the experiment, for the record.
        derive: a pure function from the records to the rows that the criteria read (ratios paired by seed, …).
        min_seeds: with fewer seeds a seeded measure concludes nothing.
        pictures: further figures, file stem → function of the measurements.
        resolve: Setting → what the options leave to the machine and the command line, and the measurements depend on;
            a record made where it was otherwise is made again. May raise `NotAtThisScale`.
    """

    id: str
    claim: str
    document: str
    experiment: str
    run: Callable[[Setting], Sequence[Row]]
    parts: tuple[Part, ...]
    plot: Callable[[pd.DataFrame], Figure]
    sizes: Mapping[Scale, Size | str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    derive: Callable[[pd.DataFrame], pd.DataFrame] = unchanged
    min_seeds: int = 3
    pictures: Mapping[str, Callable[[pd.DataFrame], Figure]] = field(default_factory=dict)
    resolve: Callable[[Setting], Mapping[str, Any]] = nothing

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """Those of all parts."""
        return tuple(criterion for part in self.parts for criterion in part.criteria)

    def datasets(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """The data set among its options, which may have to be downloaded."""
        return (str(options["dataset"]),) if "dataset" in options else ()


def every_scale(seeds: int = 1) -> dict[Scale, Size | str]:
    """The sizes of an exact study, which is the same at every scale."""
    return {scale: Size(seeds=seeds) for scale in SCALES}
