"""A suite file: what to compare. Read, checked, and expanded into the cells of a sweep. Nothing runs here."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
)

from ...models.options import ACCELERATIONS, PRECISIONS
from ...objectives.errors import BadInput, did_you_mean, naming, unknown
from ...objectives.loss_catalog import LOSSES
from ..metrics.settings import Count, Evaluation, Named, known_name
from .entry_points import EXTRACTOR, METRIC, check_dataset, check_known
from .yaml_reader import parse_yaml

MANY_SEEDS = 10_000  # more are no number of seeds but a slip, or one seed
FROM_RECIPE = "recipe"
AUTO = "auto"
MAX_NAME = 200  # bytes, of the 255 that file systems take
SUITES = resources.files("lipbench.bench") / "suites"


def _folder_name(value: str) -> str:
    if value in ("", ".", "..") or any(mark in value for mark in "/\\\0\n\t") or len(value.encode()) > MAX_NAME:
        raise ValueError(f"must be good for a folder: 1 to {MAX_NAME} bytes, a line, no slash, and neither . nor ..")
    return value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _seeds(value: Any) -> Any:
    if isinstance(value, dict):
        return {dataset: _seeds(own) for dataset, own in value.items()}
    if isinstance(value, list):
        twice = sorted(seed for seed, count in Counter(map(str, value)).items() if count > 1)
        if twice:
            raise ValueError(f"seed {', '.join(twice)} stands there more than once")
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MANY_SEEDS:
        return list(range(value))
    raise ValueError(f"must be how many seeds (1 to {MANY_SEEDS}), or a list of seeds")


def _architectures(value: Any) -> Any:
    if isinstance(value, dict) and "name" not in value:
        return {dataset: _as_list(own) for dataset, own in value.items()}
    return value if value is None else _as_list(value)


def _shape(value: Any) -> str:
    """Which branch of a key is meant that is given for all data sets or, as a mapping, for each."""
    return "each" if isinstance(value, dict) else "all"


All, Each, ByShape = Tag("all"), Tag("each"), Discriminator(_shape)
Seed = Annotated[int, Field(ge=0, le=10**18, strict=True)]  # tables hold integers of 64 bits
Seeds = Annotated[list[Seed], Field(min_length=1)]
SeedsByShape = Annotated[Annotated[Seeds, All] | Annotated[dict[str, Seeds], Each], ByShape, BeforeValidator(_seeds)]


class Combination(NamedTuple):
    """One combination of a suite's factors, as the suite writes them; None: what the recipe or the objective has."""

    dataset: str
    objective: Named
    loss: str | None
    architecture: Named | None
    recipe: Named
    seed: int


class Suite(BaseModel):
    """The factors of a sweep: objective × loss × dataset × architecture × recipe × seed.

    `steps`, `seeds` and `architectures` may be given per dataset, as a mapping; with `steps: recipe` each objective is
    trained as long as in the recipe's source. `tune` has the ranges of `lipbench tune` (tuning/ranges.py); a sweep does
    not look at it. `accelerate` and `precision` say how the runs compute, which changes their last digits or more; with
    `accelerate: auto` those are compiled that are so long that it pays (acceleration.py). A sweep of more than
    `max_runs` runs is refused: most often it is a slip.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, AfterValidator(_folder_name)] = ""
    description: str = ""
    objectives: Annotated[list[Named], BeforeValidator(_as_list), Field(min_length=1)]
    datasets: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
    losses: Annotated[list[str], BeforeValidator(_as_list)] | None = None
    architectures: Annotated[
        Annotated[list[Named] | None, All] | Annotated[dict[str, list[Named]], Each],
        ByShape,
        BeforeValidator(_architectures),
    ] = None
    recipe: Annotated[list[Named], BeforeValidator(_as_list), Field(min_length=1)] = ["published"]
    steps: Annotated[Annotated[Count | Literal["recipe"], All] | Annotated[dict[str, Count], Each], ByShape] = 3000
    seeds: SeedsByShape = [0, 1, 2]
    evaluation: Evaluation = Evaluation()
    tune: dict[str, Any] = {}
    max_runs: Count = 5000
    accelerate: Annotated[str, known_name("accelerate", (AUTO, *ACCELERATIONS))] = "none"
    precision: Annotated[str, BeforeValidator(str), known_name("precision", PRECISIONS)] = "32"
    _where: str | None = PrivateAttr(None)

    @property
    def where(self) -> str:
        """What opens a message about this suite: its file, or its name if it has none."""
        return self._where or f"suite '{self.name}'"

    def steps_on(self, dataset: str) -> int | None:
        """Generator updates on a dataset, critic steps on a pair; None where the recipe says how many."""
        if isinstance(self.steps, dict):
            return self.steps[dataset]
        return None if self.steps == FROM_RECIPE else self.steps

    def seeds_on(self, dataset: str) -> list[int]:
        """The seeds of the runs on a dataset."""
        return self.seeds[dataset] if isinstance(self.seeds, dict) else self.seeds

    def architectures_on(self, dataset: str) -> list[Named] | list[None]:
        """The architectures on a dataset; None stands for the recipe's own."""
        chosen = self.architectures
        return (chosen.get(dataset) if isinstance(chosen, dict) else chosen) or [None]

    def size(self) -> int:
        """How many runs the suite stands for; counted, not listed."""
        per_architecture = len(self.recipe) * len(self.objectives) * len(self.losses or [None])
        return per_architecture * sum(len(self.seeds_on(d)) * len(self.architectures_on(d)) for d in self.datasets)

    def cells(self) -> Iterator[Combination]:
        """What every run has of the factors, block after block; in a block seeds vary slowest, so that it has whole
        replicates early.
        """
        for dataset in self.datasets:
            for recipe, architecture, seed, objective, loss in itertools.product(
                self.recipe,
                self.architectures_on(dataset),
                sorted(self.seeds_on(dataset)),
                self.objectives,
                self.losses or [None],
            ):
                yield Combination(dataset, objective, loss, architecture, recipe, seed)


def split(entry: Named, where: str) -> tuple[str, dict[str, Any]]:
    """A name and its settings, from `name` or `{name: …, setting: value}`."""
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry.get("name"), str):
        raise BadInput(f"{where}: an entry with settings needs a 'name': {entry}")
    return entry["name"], {k: v for k, v in entry.items() if k != "name"}


def label(name: str, settings: Mapping[str, Any]) -> str:
    """`name(key=value, …)`, as tables call something with settings: as in YAML, whole numbers without a point."""
    shown = ", ".join(
        f"{key}={str(value).lower() if isinstance(value, bool) else str(value).removesuffix('.0')}"
        for key, value in settings.items()
    )
    return f"{name}({shown})" if settings else name


def suite_names() -> list[str]:
    """The suites that come with lipbench."""
    return sorted(p.name.removesuffix(".yaml") for p in SUITES.iterdir() if p.name.endswith(".yaml"))


def load_suite(target: str, overrides: list[str] | None = None) -> tuple[Suite, Path]:
    """The suite of that name or file, with `KEY=VALUE` overrides (dots reach inside), and the folder it lies in.

    Raises BadInput, which names the file, the key and what is allowed.
    """
    path = _find(target)
    content = _read(path)
    for override in overrides or []:
        _override(content, override)
    content.setdefault("name", path.name.removesuffix(".yaml").removesuffix(".yml"))
    return make_suite(content, str(path)), Path(str(path)).parent


def make_suite(content: dict[str, Any], where: str) -> Suite:
    """The suite of this content. Raises BadInput, which opens with `where` and names the key and what is allowed."""
    try:
        suite = Suite.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{where}: {_explain(error, content)}") from error
    suite._where = where
    _check_names(suite, where)
    if suite.size() > suite.max_runs:
        raise BadInput(f"{where}: {suite.size():,} runs; at most {suite.max_runs:,} unless max_runs says more")
    return suite


def _find(target: str) -> Any:
    if target.endswith((".yaml", ".yml")):
        if not Path(target).is_file():
            raise BadInput(f"suite file not found: {target}" + (" is a folder" if Path(target).is_dir() else ""))
        return Path(target)
    if target not in suite_names():
        if Path(target).is_file():
            raise BadInput(f"suite file {target}: its name must end in .yaml")
        error = unknown("suite", target, suite_names())
        raise BadInput(f"{error}; or give the path of a .yaml file")
    return SUITES / f"{target}.yaml"


def _read(path: Any) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not valid YAML: not UTF-8 ({error.reason} at byte {error.start})") from error
    content = parse_yaml(text, str(path))
    if not isinstance(content, dict):
        raise BadInput(f"{path}: a suite is a mapping of {', '.join(Suite.model_fields)}")
    return content


def key_value(text: str, example: str = "steps=60") -> tuple[str, Any]:
    """Key and value of `KEY=VALUE`; the value is YAML. Raises BadInput."""
    key, sign, value = text.partition("=")
    if not sign:
        raise BadInput(f"'{text}': must be KEY=VALUE, e.g. {example}")
    shown = text.encode(errors="backslashreplace").decode()
    return key, parse_yaml(value, shown if len(shown) <= 80 else f"{shown[:79]}…")


def _override(content: dict[str, Any], override: str) -> None:
    key, value = key_value(override)
    *outer, last = key.split(".")
    place = content
    for part in outer:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise BadInput(f"{override}: '{part}' is not a mapping")
    place[last] = value


def _explain(error: ValidationError, content: dict[str, Any]) -> str:
    """One problem as one line: the key, what is wrong, what is allowed."""
    problem = error.errors()[0]
    keys = _keys(problem["loc"], content)
    if problem["type"] == "extra_forbidden":
        fields = Evaluation.model_fields if keys[0] == "evaluation" else Suite.model_fields
        return f"unknown key '{'.'.join(keys)}'{did_you_mean(keys[-1], fields)}; allowed: {', '.join(fields)}"
    if problem["type"] == "missing":
        return f"key '{'.'.join(map(str, problem['loc']))}' is missing"
    if problem["type"] == "model_type":
        return f"'{'.'.join(keys)}' is {problem['input']!r}: must be a mapping of {', '.join(Evaluation.model_fields)}"
    told = problem["msg"].removeprefix("Value error, ")
    return f"'{'.'.join(keys)}' is {problem['input']!r}: {told[0].lower()}{told[1:]}"


def _keys(location: tuple[int | str, ...], content: Any) -> list[str]:
    """The part of a location that is in the file; the rest are branches of types."""
    found: list[str] = []
    for part in location:
        inside: Any = dict(enumerate(content)) if isinstance(content, list) else content
        if isinstance(inside, dict) and part in inside:
            content = inside[part]
            found.append(str(part))
    return found


def _check_names(suite: Suite, where: str) -> None:
    for dataset in suite.datasets:
        _check(f"{where}: datasets", check_dataset, dataset)
        for key in ("steps", "seeds"):
            given = getattr(suite, key)
            if isinstance(given, Mapping) and dataset not in given:
                raise BadInput(f"{where}: {key}: nothing for dataset '{dataset}'")
    for key in ("steps", "seeds", "architectures"):
        given = getattr(suite, key)
        for dataset in given if isinstance(given, Mapping) else ():
            _check(f"{where}: {key}", check_dataset, dataset)
    for loss in suite.losses or []:
        if loss not in LOSSES:
            raise BadInput(f"{where}: losses: {unknown('loss', loss, list(LOSSES))}")
    _check_measures(suite.evaluation, where)


def _check_measures(evaluation: Evaluation, where: str) -> None:
    """Their names; what is behind that of a plug-in is seen when it is imported."""
    extractors = [] if evaluation.extractor is None else [evaluation.extractor]
    for key, kind, entries in (("metrics", METRIC, evaluation.metrics), ("extractor", EXTRACTOR, extractors)):
        for entry in entries:
            name, given = split(entry, f"{where}: evaluation.{key}")
            _check(f"{where}: evaluation.{key}", check_known, kind, name)
            if given and name in kind.builtins:
                raise BadInput(f"{where}: evaluation.{key}: {name}: is built in and takes no settings")


def _check(where: str, check: Callable[..., None], *arguments: Any) -> None:
    with naming(where):
        check(*arguments)
