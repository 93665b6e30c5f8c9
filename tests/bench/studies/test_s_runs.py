"""Every study with fixed generators from training to picture, in a few steps."""

import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from lipbench.bench.studies import STUDIES, Setting, Study, judge
from lipbench.bench.studies.store import frame
from lipbench.bench.studies.trainings import RING, ShiftGrid, all_runs

TINY = {
    "S1": {"steps": 3},
    "S2": {"steps": 50},
    "S3": {"iterations": 1, "batch": 4},
    "S4": {"steps": 1, "later_toys": (RING,)},
    "S9": asdict(ShiftGrid((2,), ("line", "ot_line", "box"), ("two-sided",), 1)),
    "S12": {"steps": 1},
    "S13": {"steps": 1, "later_toys": (RING,)},
    "S17": {"sheet": 1, "toy": 1, "later_toys": (), "image": 1},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def measure(study: Study, shared: Path, seeds: tuple[int, ...], options: dict[str, object]) -> pd.DataFrame:
    return frame(study.run(Setting("smoke", seeds, options, shared, shared)))


@pytest.mark.parametrize("name", TINY)
def test_study_runs_is_judged_and_drawn(name: str, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    study = STUDIES[name]
    monkeypatch.setattr(sys.modules[study.run.__module__], "POINTS", 60, raising=False)
    measurements = measure(study, shared, (0,), TINY[name])
    measurements.to_csv(tmp_path / "records.csv", index=False)
    read = pd.read_csv(tmp_path / "records.csv")
    findings = [finding for part in judge(study, read).parts for finding in part.findings]
    high_dimensions_only = name == "S9"
    assert high_dimensions_only or not any(finding.note == "not measured" for finding in findings)
    for picture in (study.plot, *study.pictures.values()):
        figure = picture(read)
        assert isinstance(figure, Figure)
        figure.savefig(tmp_path / "picture.png")


@pytest.mark.slow
def test_product_of_norms_measures_every_critic_of_these_studies(shared: Path):
    measurements = measure(STUDIES["S16"], shared, (0,), {})
    assert len(measurements) == len(all_runs("smoke", (0,)))
    assert set(measurements["study"]) == {"S2", "S3", "S4", "S9", "S12", "S17"}
    assert (measurements["tightness"] <= 1).all()


@pytest.mark.parametrize("name", [*TINY, "S16"])
def test_study_has_three_seeds_at_quick_and_five_at_full(name: str):
    sizes = STUDIES[name].sizes
    assert sizes["quick"].seeds == 3  # pyright: ignore[reportAttributeAccessIssue]
    assert sizes["full"].seeds == 5  # pyright: ignore[reportAttributeAccessIssue]
