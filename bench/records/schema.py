"""What result.json holds: the one list of its fields. Reads and writes no file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

SCHEMA_VERSION = 1
Status = Literal["completed", "diverged", "failed", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        status: one of `STATUSES`.
        reason: why it did not simply complete.
        diverged_at: the generator update at which it diverged.
        recovered: whether it went on well after that.
        traceback: of the error that made it fail.
    """

    status: str
    reason: str | None = None
    diverged_at: int | None = None
    recovered: bool = False
    traceback: str | None = None


@dataclass(frozen=True)
class Measured:
    """What was measured on a run that trained: `steps` generator updates.

    `metrics` has best, final and tail of every column of the history; `data` says where the samples came from;
    `evaluation_noise` and `bias` are None where nothing was measured again; `layers` has singular values and histograms
    of the critic's weights.
    """

    steps: int
    metrics: dict[str, dict[str, float | None]]
    floors: dict[str, float]
    protocol: dict[str, Any]
    data: str = ""
    evaluation_noise: dict[str, Any] | None = None
    bias: dict[str, Any] | None = None
    layers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds, over all attempts, and memory in MiB. None where it cannot be told."""

    seconds: float = 0.0
    attempts: int = 0
    seconds_per_iteration: float | None = None
    preparation_seconds: float | None = None
    seconds_per_critic_step: float | None = None
    peak_memory_mb: float | None = None
    training_memory_mb: float | None = None


@dataclass(frozen=True)
class RunResult:
    """The content of result.json: of the run with this id, with the versions of the packages that it depends on.

    `changed` says what its code left changed in its process, which no other run saw. `notices`, a line each, are for
    whoever waits for the run; no file holds them.
    """

    run: str
    versions: dict[str, str]
    outcome: RunOutcome
    cost: Cost = Cost()
    measured: Measured | None = None
    changed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All fields but `notices`; of a run that did not train, what is measured is null, and `layers` left out."""
        changed = {"changed": list(self.changed)} if self.changed else {}
        unmeasured = {one.name: None for one in fields(Measured) if one.name != "layers"}
        measured = unmeasured if self.measured is None else asdict(self.measured)
        return {
            "run": self.run,
            "schema_version": SCHEMA_VERSION,
            "versions": self.versions,
            **asdict(self.outcome),
            **asdict(self.cost),
            **changed,
            **measured,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "RunResult":
        """The counterpart of `to_json`, of a checked record; old ones may lack what has a default."""

        def part(kind: Any) -> Any:
            return kind(**{one.name: content[one.name] for one in fields(kind) if one.name in content})

        measured = None if content["metrics"] is None else part(Measured)
        versions, changed = dict(content.get("versions") or {}), tuple(content.get("changed", ()))
        return cls(content["run"], versions, part(RunOutcome), part(Cost), measured, changed)
