import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lipbench.bench.studies import STUDIES
from lipbench.bench.studies.engine import store
from lipbench.objectives import BadInput

ROWS = [
    {"seed": 0, "kind": "a", "error": 0.1 + 0.2, "count": 3},
    {"seed": 1, "kind": "b", "error": math.inf},
    {"seed": 2, "kind": "NA, or “nan”", "error": 5e-324, "count": 7},
    {"error": -1 / 3},
]


def leave(folder: Path, rows: list[store.Row]) -> store.Record:
    folder.mkdir(exist_ok=True)
    measurements = store.frame(rows)
    record = store.Record(
        "T1",
        "quick",
        "completed",
        seeds=(0, 1, 2),
        rows=len(measurements),
        specification={"options": {"steps": np.int64(3)}},
        machine={"processor": "abacus", "cores": 2},
        seconds=1.5,
    )
    store.write(folder, record, measurements)
    return record


def test_store_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    record = leave(tmp_path / "T1", ROWS)
    found, measurements = store.read(tmp_path / "T1")
    assert (found.id, found.seeds, found.seconds, found.machine) == ("T1", (0, 1, 2), 1.5, record.machine)
    assert measurements["error"].tolist() == [row["error"] for row in ROWS]
    assert measurements["seed"].tolist()[:3] == [0, 1, 2] and math.isnan(measurements["seed"][3])
    assert measurements["kind"].tolist()[:3] == ["a", "b", "NA, or “nan”"] and pd.isna(measurements["kind"][3])
    assert found.specification == {"options": {"steps": 3}}
    assert "0.0" not in (tmp_path / "T1" / store.MEASUREMENTS).read_text().splitlines()[1].split(",")[0]


def test_store_round_trip_of_no_measurements(tmp_path: Path) -> None:
    leave(tmp_path / "T1", [])
    assert store.read(tmp_path / "T1")[1].empty


def test_frame_refuses_nan() -> None:
    with pytest.raises(ValueError, match="'error' is nan"):
        store.frame([{"seed": 0, "error": float("nan")}])


def test_read_refuses_a_cut_table(tmp_path: Path) -> None:
    leave(tmp_path / "T1", ROWS)
    path = tmp_path / "T1" / store.MEASUREMENTS
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + "\n")
    with pytest.raises(BadInput, match="2 rows where 4 were recorded"):
        store.read(tmp_path / "T1")


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"id": "T1"}'])
def test_read_refuses_a_damaged_description(tmp_path: Path, damage: str) -> None:
    leave(tmp_path / "T1", ROWS)
    (tmp_path / "T1" / store.DESCRIPTION).write_text(damage)
    with pytest.raises(BadInput, match="not a record of a study"):
        store.read(tmp_path / "T1")


def test_read_refuses_another_schema(tmp_path: Path) -> None:
    leave(tmp_path / "T1", ROWS)
    path = tmp_path / "T1" / store.DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(BadInput, match="schema_version 99"):
        store.read(tmp_path / "T1")


def test_read_names_a_missing_record(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"study\.json"):
        store.read(tmp_path / "T1")


def test_publish_replaces_the_old_record_and_keeps_it_aside(tmp_path: Path) -> None:
    leave(tmp_path / "T1", ROWS)
    (tmp_path / "T1" / "old.png").touch()
    studies = store.StudyStore(tmp_path)
    record = leave(studies.draft("T1"), ROWS[:1])
    studies.publish(record)
    assert len(store.read(tmp_path / "T1")[1]) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"T1", "superseded"}
    assert not (tmp_path / "T1" / "old.png").exists()
    assert (tmp_path / "superseded" / "T1-quick" / "old.png").exists()


def test_code_sha_depends_on_the_study_and_not_on_its_neighbours() -> None:
    shas = {name: store.code_sha(STUDIES[name]) for name in ("T1", "T2")}
    assert shas["T1"] != shas["T2"]
    assert shas["T1"] == store.code_sha(STUDIES["T1"])


def test_code_sha_of_a_study_by_runs_follows_what_it_names() -> None:
    study = STUDIES["S15"]
    named = replace(study, settings={**study.settings, "another": "dragan"})
    assert store.code_sha(named) != store.code_sha(study)
    other_criteria = replace(study, claim="Another.", parts=(), derive=lambda rows: rows)
    assert store.code_sha(other_criteria) == store.code_sha(study)
