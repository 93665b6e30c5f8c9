import ast
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from lipbench.bench import studies
from lipbench.bench.config.recipes import NOTEBOOK, STABILITY
from lipbench.bench.config.spec import expand
from lipbench.bench.metrics.settings import Evaluation
from lipbench.bench.records.reader import RunRecord
from lipbench.bench.records.schema import Cost, Measured, RunOutcome, RunResult
from lipbench.bench.records.store import Store
from lipbench.bench.run.context import RunContext
from lipbench.bench.studies import STUDIES, Resources, Setting, Size
from lipbench.bench.studies.claims.cost.s08 import MLP, time_steps
from lipbench.bench.studies.claims.cost.timing import GP, NONE
from lipbench.bench.studies.claims.loss_tracks_quality import tracking
from lipbench.bench.studies.claims.robustness.s06 import random_pair
from lipbench.bench.studies.claims.training_advice.s10 import norms
from lipbench.bench.studies.measures.quotients import gain, ratio, relative
from lipbench.bench.studies.measures.ranks import spearman
from lipbench.bench.studies.plotting.animation import animate
from lipbench.bench.studies.training.generators import Cell, CellRun, runs_of
from lipbench.bench.studies.training.toy_games import CORE, GAMES, GRID, ZOO, adjusted, game
from lipbench.objectives import BUILTINS

LITTLE = Evaluation(count=2, points=20, mode_points=200)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("study")
    return Setting("smoke", (3, 5), {}, folder, folder / "runs")


@pytest.fixture(scope="module")
def runs(setting: Setting) -> list[CellRun]:
    return runs_of([game("NS"), game("SN")], setting, 4, LITTLE)


def record(tail_mean: float | None, status: str = "completed") -> RunRecord:
    names = ("w1", "modes", "slope_line_mean")
    metrics = {name: {"tail_mean": tail_mean, "tail_sd": tail_mean, "final": tail_mean} for name in names}
    measured = Measured(steps=8, metrics=metrics, floors={"w1": 0.25}, protocol={})
    result = RunResult("a", {}, RunOutcome(status), Cost(seconds=2.0), measured)
    columns = {"step": [0.0, 4.0, 8.0], "w1": [1.0, 2.0, math.nan], "critic_loss": [math.nan, 3.0, math.nan]}
    return RunRecord(Path(), {"run": "a"}, result, pd.DataFrame(columns), None)


def test_runs_of_makes_every_cell_at_every_seed_in_order(runs: list[CellRun]) -> None:
    assert [(run.cell.labels["objective"], run.seed) for run in runs] == [("NS", 3), ("NS", 5), ("SN", 3), ("SN", 5)]
    for run in runs:
        assert run.record.spec["seed"] == run.seed
        assert run.record.spec["objective"].startswith({"NS": "non-saturating", "SN": "sn-gan"}[run.about["objective"]])
        assert (run.record.spec["steps"], run.record.spec["evaluation"]["points"]) == (4, 20)


def test_runs_of_shares_the_runs_that_are_there(runs: list[CellRun], setting: Setting) -> None:
    again = runs_of([game("SN", labels={"objective": "another name"})], setting, 4, LITTLE)
    assert [run.record.folder for run in again] == [run.record.folder for run in runs[2:]]
    assert again[0].record.result == runs[2].record.result
    assert again[0].about["objective"] == "another name"


def test_runs_of_does_not_go_on_without_a_condition(setting: Setting) -> None:
    refused = game("GP .1", architecture={"name": "mlp", "critic_norm": "batch"})
    with pytest.raises(RuntimeError, match=r"was not measured: skipped: batch norm in the critic"):
        runs_of([refused], setting, 4, LITTLE)


def test_course_leaves_out_what_does_not_exist_before_the_first_update_and_counts_a_later_gap_as_the_worst() -> None:
    run = CellRun(Cell({"objective": "x"}, GRID, "minimax"), 7, record(1.0))
    rows = run.course(distance="w1", loss="critic_loss")
    assert rows[0] == {"seed": 7, "objective": "x", "step": 0, "distance": 1.0}
    assert rows[1] == {"seed": 7, "objective": "x", "step": 4, "distance": 2.0, "loss": 3.0}
    assert (rows[2]["distance"], rows[2]["loss"]) == (math.inf, math.inf)


def test_courses_say_which_run_stopped_early_and_when() -> None:
    cell, whole = Cell({"objective": "x"}, GRID, "minimax"), record(1.0)
    history = whole.history.assign(critic_estimate=whole.history["critic_loss"])
    runs = [CellRun(cell, k, replace(whole, spec={"steps": k}, history=history)) for k in (8, 9)]
    rows = tracking.courses(runs, "w1")
    assert [row["step"] for row in rows if "step" in row] == [4, 8] * 2
    assert [row for row in rows if "stopped" in row] == [{"seed": 9, "objective": "x", "stopped": 8}]


def test_ending_has_the_tail_of_a_run_and_the_worst_values_of_one_that_stopped() -> None:
    cell = Cell({"objective": "x"}, GRID, "minimax")
    whole = CellRun(cell, 7, record(0.5)).ending("w1", "modes")
    assert (whole["w1_tail"], whole["w1_tail_sd"], whole["w1_final"], whole["floor"]) == (0.5, 0.5, 0.5, 0.25)
    assert (whole["seed"], whole["objective"], whole["run"], whole["status"]) == (7, "x", "a", "completed")
    stopped = CellRun(cell, 7, record(None, "diverged")).ending("w1", "modes", "slope_line_mean")
    assert (stopped["w1_tail"], stopped["w1_tail_sd"], stopped["w1_final"]) == (math.inf, math.inf, math.inf)
    assert (stopped["modes_tail"], stopped["slope_line_mean_tail"], stopped["status"]) == (0.0, math.inf, "diverged")


def test_animation_has_a_frame_a_snapshot(runs: list[CellRun], tmp_path: Path) -> None:
    animate({str(run.seed): run.record for run in runs[:2]}, "Two seeds", tmp_path / "two.gif")
    with Image.open(tmp_path / "two.gif") as found:
        assert found.n_frames == 3  # pyright: ignore[reportAttributeAccessIssue]
        assert found.width > found.height


def test_spearman_is_scipys_and_ranks_the_infinite_last() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=12), rng.normal(size=12)
    ranks = (stats.rankdata(x), stats.rankdata(y))
    assert spearman(list(x), list(y)) == pytest.approx(
        1 - 6 * np.sum((ranks[0] - ranks[1]) ** 2) / (12 * 143), abs=1e-12
    )
    assert spearman([1, 2, 3, 4], [0.1, 0.2, math.inf, 0.3]) == pytest.approx(0.8)
    assert spearman([1, 2, 3, 4], [0.1, 0.2, math.inf, math.inf]) == pytest.approx(3 / math.sqrt(10))
    assert spearman([1, 2, 3], [5, 5, 5]) == 0.0
    assert spearman([1, 2, 3, 4], [2, 1, 3, 4]) == 0.8  # exactly: thresholds are such round numbers
    assert math.isnan(spearman([1], [2]))


def test_relative_keeps_the_infinite_and_knows_a_missing_divisor() -> None:
    values = pd.Series([1.0, math.inf])
    assert relative(values, 4.0).tolist() == [0.25, math.inf]
    assert relative(values, math.inf).tolist() == [0.0, math.inf]
    assert relative(values, math.nan).isna().all()
    assert relative(pd.Series([math.inf, 1.0, math.inf, 6.0]), pd.Series([math.inf, math.inf, 2.0, 2.0])).tolist() == [
        math.inf,
        0.0,
        math.inf,
        3.0,
    ]
    assert relative(pd.Series([math.nan, math.inf]), pd.Series([1.0, math.nan])).isna().all()


@pytest.mark.parametrize(
    ("above", "below", "expected", "gained"),
    [
        (3.0, 2.0, 1.5, 1.5),
        (math.inf, math.inf, math.inf, 0.0),
        (math.inf, 2.0, math.inf, 0.0),
        (2.0, math.inf, 0.0, 0.0),
        (2.0, 0.0, math.inf, math.inf),
    ],
)
def test_ratio_and_gain_count_the_infinite_as_the_worst(
    above: float, below: float, expected: float, gained: float
) -> None:
    assert (ratio(above, below), gain(above, below)) == (expected, gained)


def test_games_are_those_of_the_common_setting() -> None:
    """The table of CLAIMS: Adam 5e-4 (0, .9), batch 256; n_critic 1 for minimax, NS and SN, 5 for GP and clipping."""
    found = {name: expand(game(name).suite(10, [0], Evaluation()), RunContext(Path()))[0] for name in CORE}
    recipes = {name: spec.recipe_spec for name, spec in found.items()}
    five = {name for name, recipe in recipes.items() if recipe.n_critic == 5}
    assert five == {"minimax n=5", "clip .1", "clip .01", "GP .1", "GP 10"}
    assert {recipe.n_critic for name, recipe in recipes.items() if name not in five} == {1}
    assert {(r.optimizer, r.lr) for n, r in recipes.items() if "clip" not in n} == {("adam", 5e-4)}
    assert [(recipes[n].optimizer, recipes[n].lr) for n in ("clip .1", "clip .01")] == [
        ("rmsprop", 5e-4),
        ("rmsprop", 5e-5),
    ]
    assert {(r.betas, r.batch) for r in recipes.values()} == {((0.0, 0.9), 256)}
    assert {spec.architecture for spec in found.values()} == {"mlp-3x128"}
    arguments = {name: spec.arguments for name, spec in found.items()}
    assert [arguments[n]["clip"] for n in ("clip .1", "clip .01")] == [0.1, 0.01]
    assert [arguments[n]["weight"] for n in ("GP .1", "GP 10")] == [0.1, 10.0]
    assert arguments["SN"]["loss"] == "non_saturating"


def test_the_zoo_is_every_other_objective() -> None:
    own = {spec if isinstance(spec, str) else spec["name"] for spec, _ in GAMES.values()}
    assert own | set(ZOO) == set(BUILTINS) == set(STABILITY)
    assert not own & set(ZOO)


def test_adjusted_changes_nothing_else() -> None:
    found = adjusted("wgan-clip", "label", lr=0.125)
    assert isinstance(found, dict)
    assert found == {"name": "label", **asdict(STABILITY["wgan-clip"].recipe), "lr": 0.125}


def test_notebook_is_the_setting_of_the_notebook() -> None:
    gan, wgan = (NOTEBOOK[name] for name in ("non-saturating", "wgan-clip"))
    for preset in (gan, wgan):
        assert (preset.recipe.lr, preset.recipe.n_critic, preset.recipe.batch) == (5e-5, 5, 64)
        assert preset.architecture == {"name": "mlp", "width": 512, "activation": "leaky_relu", "latent": "uniform"}
    assert (gan.recipe.optimizer, wgan.recipe.optimizer, wgan.arguments) == ("adam", "rmsprop", {"clip": 0.01})


def test_random_pairs_differ_in_the_critics_norm_alone() -> None:
    def networks(number: int) -> list[dict]:
        return [dict(cell.architecture) for cell in random_pair(number) if isinstance(cell.architecture, dict)]

    drawn = [networks(number) for number in range(40)]
    assert drawn == [networks(number) for number in range(40)]
    critic_norms = [tuple(network.pop("critic_norm") for network in pair) for pair in drawn]
    assert set(critic_norms) == {("batch", "layer"), ("none", "none")}
    assert all(ns == gp for ns, gp in drawn)
    assert len({tuple(ns.items()) for ns, _ in drawn}) > 30


def test_batch_norm_is_trained_through_where_gp_refuses_it(setting: Setting) -> None:
    batch = next(cell for cell in norms() if cell.labels["norm"] == "batch")
    run = runs_of([batch], setting, 4, LITTLE)[0].record
    assert run.status == "completed"
    assert run.spec["architecture_spec"]["critic_norm"] == "batch"
    assert run.spec["objective_spec"]["arguments"]["weight"] == 0.1
    assert run.spec["recipe_spec"] == asdict(STABILITY["wgan-gp"].recipe) | {"betas": [0.0, 0.9]}


def test_time_steps_measures_every_constraint_against_none() -> None:
    rows = {row["constraint"]: row for row in time_steps(MLP, seed=0, rounds=3)}
    assert rows[NONE]["ratio"] == 1.0
    for row in rows.values():
        assert row["ratio"] == pytest.approx(row["seconds"] / rows[NONE]["seconds"])
    assert rows[GP]["seconds"] > 0


def test_several_workers_may_open_one_results_folder_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = [pool.submit(Store, tmp_path) for _ in range(200)]
    assert all(store.result().folder == tmp_path for store in opened)


@dataclass(frozen=True)
class WatchedResources(Resources):
    """Notes the devices that runs are made on."""

    asked: list[str] = field(default_factory=list)

    def jobs_on(self, device: str) -> int:
        self.asked.append(device)
        return super().jobs_on(device)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["S6", "S15"])
def test_studies_that_change_their_seeds_keep_the_resources(name: str, tmp_path: Path) -> None:
    size = STUDIES[name].sizes["smoke"]
    assert isinstance(size, Size)
    resources = WatchedResources()
    STUDIES[name].run(Setting("smoke", (0,), size.options, tmp_path, tmp_path / "runs", resources))
    assert resources.asked == ["cpu", "cpu"]  # of both lots of runs


def test_a_changed_setting_keeps_all_else(tmp_path: Path) -> None:
    resources = Resources(3, 2, "cuda:1", tmp_path / "data", tmp_path / "weights.pth")
    before = Setting("full", (1, 2), {"steps": 3}, tmp_path, tmp_path / "runs", resources)
    assert vars(replace(before, options={"steps": 4})) == vars(before) | {"options": {"steps": 4}}


def test_no_study_builds_a_setting_of_its_own() -> None:
    """One built by position loses what it leaves out; `dataclasses.replace` does not."""
    root = Path(studies.__file__).parent
    builders = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Setting"
    }
    assert builders == {"engine/job.py"}
