"""K4: its verdict on both sides of the thresholds, and from training to picture."""

from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.studies import STUDIES, Outcome, Setting, Size
from lipbench.bench.studies.engine import report, store
from lipbench.bench.studies.engine.judge import judge
from lipbench.bench.studies.extensions.k04_class_conditional import CONDITIONAL, FOUR, PLAIN
from lipbench.bench.studies.training.image_games import CLIP, GP, MINIMAX, SN

STUDY = STUDIES["K4"]
YES, NO = Outcome.REPRODUCED, Outcome.NOT_REPRODUCED


def records(fd: dict[tuple[str, str], list[float]], accuracy: dict[str, float], diverged: int = 0) -> list[dict]:
    """Ends at three seeds: FD 10 with conditioning and 20 without, class accuracy .95, unless told otherwise."""
    rows: list[dict[str, Any]] = []
    for networks, level in ((PLAIN, 20.0), (CONDITIONAL, 10.0)):
        for name in FOUR:
            for seed, value in enumerate(fd.get((networks, name), [level] * 3)):
                lost = networks == CONDITIONAL and name == MINIMAX and seed < diverged
                row = {"seed": seed, "objective": name, "networks": networks, "fd_tail": value}
                row |= {"status": "diverged" if lost else "completed"}
                if networks == CONDITIONAL:
                    row |= {"class_accuracy_tail": accuracy.get(name, 0.95), "intra_fd_tail": 30.0}
                rows.append(row)
    return rows


@pytest.mark.parametrize(
    ("fd", "accuracy", "diverged", "expected"),
    [
        ({}, {}, 0, [YES, YES, YES]),
        ({(CONDITIONAL, CLIP): [20.0] * 3}, {}, 0, [YES, YES, YES]),  # three of four are enough
        ({(CONDITIONAL, CLIP): [20.0] * 3, (CONDITIONAL, SN): [25.0] * 3}, {}, 0, [NO, YES, YES]),
        ({}, {GP: 0.9, SN: 0.9, MINIMAX: 0.1}, 0, [YES, YES, YES]),
        ({}, {SN: 0.8999}, 0, [YES, NO, YES]),
        ({}, {}, 1, [YES, YES, NO]),
        ({(CONDITIONAL, MINIMAX): [10.0, 10.0, 20.1]}, {}, 0, [YES, YES, NO]),  # above twice GP's
        ({(CONDITIONAL, MINIMAX): [10.0, 10.0, 20.0]}, {}, 0, [YES, YES, YES]),
        ({(CONDITIONAL, MINIMAX): [10.0, 10.0, 20.1], (PLAIN, MINIMAX): [20.0, 20.0, 40.1]}, {}, 0, [YES, YES, YES]),
    ],
)
def test_k4_wants_lower_distances_the_class_asked_for_and_no_more_failures(
    fd: Any, accuracy: dict[str, float], diverged: int, expected: list[Outcome]
) -> None:
    found = judge(STUDY, store.frame(records(fd, accuracy, diverged)))
    assert [part.outcome for part in found.parts] == expected


@pytest.mark.slow
def test_k4_runs_at_smoke_is_judged_and_drawn(tmp_path: Path) -> None:
    size = STUDY.sizes["smoke"]
    assert isinstance(size, Size)
    measurements = store.frame(STUDY.run(Setting("smoke", (0,), size.options, tmp_path, tmp_path / "runs")))
    ends = measurements[measurements["status"].notna()]
    assert list(zip(ends["networks"], ends["objective"], strict=True)) == [
        (networks, name) for networks in (PLAIN, CONDITIONAL) for name in FOUR
    ]
    assert ends["class_accuracy_tail"].notna().tolist() == [False] * 4 + [True] * 4
    report.draw(STUDY, measurements, tmp_path, dpi=40)
    assert (tmp_path / "plot.png").exists()
