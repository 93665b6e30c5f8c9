"""Results: what they hold is in one flat mapping, and comes back from it."""

import json

from lipbench.bench.records.schema import Cost, Measured, RunOutcome, RunResult

METRICS: dict[str, dict[str, float | None]] = {"w1": {"final": 0.25, "tail_sd": None}}
TRAINED = RunResult(
    "a run",
    {"torch": "2"},
    RunOutcome("diverged", "nan", diverged_at=7),
    Cost(seconds=1.5, attempts=2, peak_memory_mb=300.0),
    Measured(7, METRICS, {"w1": 0.1}, {"w1": {"n_real": 50}}, "drawn", None, {}, {"clip": None}),
)
FAILED = RunResult("another", {}, RunOutcome("failed", "E: of a reason", traceback="E"), Cost(seconds=0.5, attempts=1))


def test_result_comes_back_from_json() -> None:
    for result in (TRAINED, FAILED):
        assert RunResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_result_of_an_old_record_lacks_what_has_a_default() -> None:
    old = {"run": "a run", "status": "completed", "reason": None, "diverged_at": None, "steps": 7, "seconds": 2.0}
    result = RunResult.from_json(old | {"metrics": METRICS, "floors": {}, "protocol": {}, "unknown": 1})
    assert result.measured == Measured(7, METRICS, {}, {}) and result.cost == Cost(seconds=2.0)
    assert result.outcome == RunOutcome("completed") and result.versions == {}


def test_result_in_json_is_flat_with_null_for_what_was_not_measured() -> None:
    trained, failed = TRAINED.to_json(), FAILED.to_json()
    assert (trained["status"], trained["diverged_at"], trained["steps"], trained["attempts"]) == ("diverged", 7, 7, 2)
    assert trained["metrics"] == METRICS and trained["layers"] == {"clip": None}
    assert failed["metrics"] is failed["steps"] is failed["bias"] is None
    assert trained.keys() - failed.keys() == {"layers"}
