"""Every study with fixed generators from training to picture, in a few steps."""

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lipbench.bench.studies import STUDIES, Setting, Study
from lipbench.bench.studies.claims.weights_and_spectra.s16 import measure as measure_bounds
from lipbench.bench.studies.engine.judge import judge
from lipbench.bench.studies.engine.store import frame
from lipbench.bench.studies.training.critic_runs import CLIPS, RING, ShiftGrid, all_runs
from lipbench.bench.studies.training.critics import CriticRun, Trained
from lipbench.bench.studies.training.fixed_generator import NoisyData
from lipbench.models import Recipe

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


@pytest.fixture(scope="module")
def measured(shared: Path) -> Callable[[str], pd.DataFrame]:
    """What the study of that name measures in a few steps."""
    return cache(lambda name: measure(STUDIES[name], shared, (0,), TINY[name]))


@pytest.mark.parametrize("name", TINY)
def test_study_runs_is_judged_and_drawn(name: str, measured: Callable[[str], pd.DataFrame], tmp_path: Path):
    study = STUDIES[name]
    measured(name).to_csv(tmp_path / "records.csv", index=False)
    read = pd.read_csv(tmp_path / "records.csv")
    findings = [finding for part in judge(study, read).parts for finding in part.findings]
    high_dimensions_only = name == "S9"
    assert high_dimensions_only or not any(finding.note == "not measured" for finding in findings)
    for picture in (study.plot, *study.pictures.values()):
        figure = picture(read)
        assert isinstance(figure, Figure)
        figure.savefig(tmp_path / "picture.png", dpi=40)


def test_titles_of_s1s_panels_are_not_cut(measured: Callable[[str], pd.DataFrame]):
    figure = STUDIES["S1"].plot(measured("S1"))
    figure.draw_without_rendering()
    titles = [axis.title.get_window_extent() for axis in figure.axes]
    assert max(title.x1 for title in titles) <= figure.bbox.x1
    assert not any(a.overlaps(b) for a, b in pairwise(titles))


def test_s17s_picture_tells_heads_from_hidden_layers_and_its_legend_hides_no_dot():
    perceptron = [{"critic": "toy, SN", "kind": "linear", "layer": k, "sigma": 1 + 0.1 * k} for k in range(4)]
    images = [{"critic": "images", "kind": "convolution", "layer": 0, "sigma": 1.0, "operator": 2.0}]
    images += [{"critic": "images", "kind": "linear", "layer": 2, "sigma": 1.0, "operator": 1.0}]
    figure = STUDIES["S17"].plot(pd.DataFrame([row | {"seed": seed} for seed in (0, 1) for row in perceptron + images]))
    FigureCanvasAgg(figure).draw()
    names = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert names == ["layer 1", "layer 2", "layer 3", "layer 4", "convolutional\ncritic's head"]
    for axis in figure.axes:
        hidden = axis.get_legend().get_window_extent()  # pyright: ignore[reportOptionalMemberAccess]
        places = [np.asarray(points.get_offsets()).reshape(-1, 2) for points in axis.collections]
        assert sum(map(len, places)) > 0
        assert not any(hidden.contains(x, y) for x, y in axis.transData.transform(np.concatenate(places)))


def spoil(critics: Path, objective: str, folder: Path) -> None:
    """Copies kept critics to a folder; those of this objective have no numbers there."""
    folder.mkdir()
    for path in critics.glob("*.safetensors"):
        state = load_file(path)
        if f"{objective}_s" in path.name:
            state = {name: torch.full_like(value, torch.nan) for name, value in state.items()}
        with safe_open(path, "pt") as file:
            save_file(state, folder / path.name, file.metadata())


@pytest.mark.parametrize(
    ("name", "objective", "worst"),
    [
        ("S3", "wgan-gp", {"decades": math.inf, "extreme": math.inf}),
        ("S3", "wgan-clip", {"decades": 0.0, "extreme": 0.0}),
        ("S4", "wgan-gp", {"slope": math.inf, "slope_sd": math.inf, "cosine": -1.0, "cosine_gain": -2.0}),
        ("S4", "wgan-clip", {"slope_ratio": 0.0, "cosine_gain": -2.0}),
        ("S9", "wgan-gp", {"error": math.inf, "box_over_line": 0.0, "line_over_ot": math.inf}),
        ("S13", "sn-gan", {"ratio": 0.0}),
        ("S17", "sn-gan", {"sigma": math.inf}),
    ],
)
def test_a_critic_without_numbers_is_the_worst_and_fails_no_study(
    name: str,
    objective: str,
    worst: dict[str, float],
    shared: Path,
    measured: Callable[[str], pd.DataFrame],
    tmp_path: Path,
):
    study, names = STUDIES[name], {"wgan-gp": ("GP",), "wgan-clip": tuple(CLIPS), "sn-gan": ("SN",)}[objective]
    measured(name)  # keeps its critics
    spoil(shared / "critics", objective, tmp_path / "critics")
    measurements = measure(study, tmp_path, (0,), TINY[name])
    rows = study.derive(measurements)
    own = rows[rows["critic"].isin(names) | rows["critic"].isna()] if name in ("S3", "S4", "S13") else rows
    assert {column: set(own[column].dropna()) for column in worst} == {k: {v} for k, v in worst.items()}
    for stem, picture in {"plot": study.plot, **study.pictures}.items():
        picture(measurements).savefig(tmp_path / f"{stem}.png", dpi=40)


def test_s16_a_critic_without_numbers_keeps_no_bound():
    run = CriticRun(NoisyData("8gaussians"), "wgan-clip", Recipe("rmsprop", 5e-4), 1, 0, (("clip", 0.01),))
    critic = run.untrained()
    assert measure_bounds(Trained(run, critic.eval(), []))["tightness"] <= 1
    torch.nn.init.constant_(next(critic.parameters()), torch.nan)
    found = measure_bounds(Trained(run, critic, []))
    assert (found["kind"], found["tightness"], found["bound_share"]) == ("clipping", math.inf, math.inf)
    unclipped = replace(run, objective="wgan-gp", arguments=())
    assert "bound_share" not in measure_bounds(Trained(unclipped, critic, []))


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
