"""Grouping runs into groups and blocks, and what must not be mixed."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.records.quantities import KNOWN
from lipbench.bench.records.reader import read_runs, read_suite
from lipbench.bench.report.blocks import make_blocks, natural, objective_order, short_titles
from lipbench.bench.report.notes import notes
from lipbench.objectives import BadInput

Make = Callable[..., Path]


def test_make_blocks_keeps_the_suites_order_and_every_run(sweep: Path) -> None:
    blocks = make_blocks(read_runs(sweep), read_suite(sweep))
    assert [b.dataset for b in blocks] == ["8gaussians", "mnist5k"]
    assert [c.objective for c in blocks[0].groups] == ["minimax", "wgan-clip", "wgan-gp", "sn-gan"]
    assert [[r.seed for r in c.runs] for c in blocks[1].groups] == [[0, 1, 2]] * 4
    assert sum(len(b.runs) for b in blocks) == 24
    assert [q.heading for q in blocks[1].quality] == ["FD(mnist-cnn) ↓", "IS(mnist-cnn) ↑"]


def test_group_counts_outcomes_and_says_them(sweep: Path) -> None:
    first, second = make_blocks(read_runs(sweep), read_suite(sweep))
    assert [c.outcome for c in first.groups] == ["2/3 ok, 1 diverged (nan)", "2/3 ok, 1 failed", "3/3 ok", "3/3 ok"]
    assert second.groups[3].counts == {"completed": 2, "diverged": 0, "failed": 0, "skipped": 1}


def test_diverged_seed_without_a_value_counts_as_the_worst(sweep: Path) -> None:
    block = make_blocks(read_runs(sweep), read_suite(sweep))[0]
    minimax = block.groups[0]
    values = minimax.values(KNOWN["w1"])
    assert values.keys() == {0, 1, 2} and values[1] == math.inf
    assert minimax.values(KNOWN["modes"])[1] == 0.0
    assert minimax.values(KNOWN["critic_loss"]).keys() == {0, 2}
    found = block.estimates["minimax", "w1"]
    assert found.value == max(values[0], values[2]) and found.high == math.inf


def test_best_follows_the_direction_of_the_metric(sweep: Path) -> None:
    block = make_blocks(read_runs(sweep), read_suite(sweep))[0]
    for key, pick in (("w1", min), ("high_quality", max)):
        medians = {c.objective: block.estimates[c.objective, key].value for c in block.groups}
        assert block.best(KNOWN[key]) == [pick(medians, key=lambda o: medians[o])]
    assert block.best(KNOWN["critic_loss"]) == []


def test_floor_is_the_median_over_runs(sweep: Path) -> None:
    records = [r for r in read_runs(sweep) if r.block[0] == "8gaussians" and r.measured]
    values = sorted(r.floors["w1"] for r in records)
    middle = len(values) // 2
    block = make_blocks(read_runs(sweep))[0]
    expected = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
    assert block.floors == {"w1": pytest.approx(expected, rel=1e-12)}


def test_objective_order_knows_extended_labels_and_puts_strangers_last(sweep: Path) -> None:
    records = read_runs(sweep)
    suite = {"suite": {"objectives": ["sn-gan", {"name": "wgan", "weight": 1}, "wgan-gp"]}}
    assert objective_order(records, suite) == ["sn-gan", "wgan-clip", "wgan-gp", "minimax"]
    assert objective_order(records) == ["minimax", "sn-gan", "wgan-clip", "wgan-gp"]


def test_objective_order_is_that_of_the_labels_where_suite_json_has_them(make_sweep: Make, tmp_path: Path) -> None:
    labels = ["wgan-gp(weight=10)", "mine", "wgan-gp(weight=0.1)", "wgan-gp"]
    variants = [{"name": "wgan-gp", "weight": 10}, "my.py:Mine", {"name": "wgan-gp", "weight": 0.1}, "wgan-gp"]
    records = read_runs(make_sweep(tmp_path, (*labels, "stranger"), ("8gaussians",), seeds=1))
    suite = {"suite": {"objectives": variants}}
    assert objective_order(records, suite | {"objectives": labels}) == [*labels, "stranger"]
    before = ["wgan-gp", "wgan-gp(weight=0.1)", "wgan-gp(weight=10)", "mine", "stranger"]
    assert objective_order(records, suite) == before  # as the suite alone can tell


def test_natural_sorts_numbers_by_value() -> None:
    assert sorted(["25gaussians", "ring5", "8gaussians"], key=natural) == ["8gaussians", "25gaussians", "ring5"]


def _change(key: str, value: Any, run: str, where: str = "spec") -> Callable[[dict, dict], None]:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        if spec["run"] == run:
            (spec if where == "spec" else result)[key] = value

    return change


def test_other_protocol_on_the_same_dataset_is_refused(make_sweep: Make, tmp_path: Path) -> None:
    other = {"w1": {"n_real": 1000, "n_fake": 2000, "split": "fresh"}}
    change = _change("protocol", other, "wgan-gp-8gaussians-matched-1", "result")
    make_sweep(tmp_path, datasets=("8gaussians",), change=change)
    with pytest.raises(BadInput, match=r"metric 'w1' on 8gaussians .* two protocols") as error:
        make_blocks(read_runs(tmp_path))
    assert "n_fake (1000, 2000)" in str(error.value) and "wgan-gp-8gaussians-matched-1" in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("steps", 6000, "steps (3000, 6000)"),
        ("loss", "hinge", 'loss ("wasserstein", "hinge")'),
        ("recipe_spec", {"lr": 1e-3}, "batch (256, null)"),
    ],
)
def test_seeds_with_different_settings_are_refused(
    make_sweep: Make, tmp_path: Path, key: str, value: Any, told: str
) -> None:
    change = _change(key, value, "sn-gan-8gaussians-matched-2")
    if key == "steps":  # a completed run's history ends at its own steps; only the specification is changed here
        make_sweep(tmp_path, datasets=("8gaussians",), statuses={("sn-gan", "8gaussians", 2): "failed"}, change=change)
    else:
        make_sweep(tmp_path, datasets=("8gaussians",), change=change)
    with pytest.raises(BadInput, match=r"sn-gan on 8gaussians · mlp-3x128 · matched") as error:
        make_blocks(read_runs(tmp_path))
    assert told in str(error.value)


def test_one_seed_twice_is_refused(make_sweep: Make, tmp_path: Path) -> None:
    make_sweep(tmp_path, objectives=("wgan-gp",), datasets=("8gaussians",), seeds=2)
    twin = shutil.copytree(tmp_path / "runs" / "wgan-gp-8gaussians-matched-0", tmp_path / "runs" / "twin")
    for name in ("spec.json", "result.json"):
        (twin / name).write_text(json.dumps(json.loads((twin / name).read_text()) | {"run": "twin"}))
    with pytest.raises(BadInput, match=r"twin and wgan-gp-8gaussians-matched-0|are both seed 0"):
        make_blocks(read_runs(tmp_path))


def test_notes_tell_every_reservation(sweep: Path, make_sweep: Make, tmp_path: Path) -> None:
    text = " ".join(notes(make_blocks(read_runs(sweep)), ["x"]))
    for part in (
        "fewer than 3 seeds",
        "with a probability of 75 %, not 95 %",
        "worst possible",
        "runs are missing, and not in the tables",
    ):
        assert part in text
    change = _change("code", "fedcba", "sn-gan-8gaussians-matched-2")
    make_sweep(tmp_path, datasets=("8gaussians",), seeds=6, change=change)
    clean = " ".join(notes(make_blocks(read_runs(tmp_path))))
    assert "2 versions of the code: 0123456789ab, fedcba" in clean
    assert "With 6 seeds an interval is their range" in clean and "96.9 %" in clean
    for part in ("fewer than", "not 95 %", "worst possible", "are missing"):
        assert part not in clean


@pytest.mark.parametrize("key", ["critic_loss", "w1"])
def test_notes_tell_of_the_intervals_that_tables_print(make_sweep: Make, tmp_path: Path, key: str) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        if spec["seed"] >= (2 if spec["objective"] == "a" else 3):
            result["metrics"][key]["tail_mean"] = None

    make_sweep(tmp_path, objectives=("a", "b"), datasets=("8gaussians",), seeds=6, change=change)
    text = " ".join(notes(make_blocks(read_runs(tmp_path))))
    for part in ("No interval where fewer than 3 seeds have a value", "With 3 seeds an interval is their range"):
        assert (part in text) == (key == "w1")


def test_notes_that_every_table_has_stand_in_the_docs_as_printed(sweep: Path) -> None:
    first, floor = notes(make_blocks(read_runs(sweep)))[:2]
    assert "floor where lower is better" in floor and "ceiling where higher is better" in floor
    page = " ".join((Path(__file__).parents[3] / "docs" / "table.md").read_text(encoding="utf-8").split())
    assert first in page and floor in page


@pytest.mark.parametrize("extractor", ["inception", "efficientnet-lite0"])
def test_notes_have_published_values_beside_inceptions_alone(make_sweep: Make, tmp_path: Path, extractor: str) -> None:
    def change(_: dict[str, Any], result: dict[str, Any]) -> None:
        result["protocol"]["fd"]["extractor"] = extractor

    make_sweep(tmp_path, datasets=("cifar10",), change=change)
    published = [note for note in notes(make_blocks(read_runs(tmp_path))) if note.startswith("Published FID")]
    assert len(published) == (3 if extractor == "inception" else 0)
    if published:
        assert "wgan-gp 40.2 (IS 6.68)" in published[0] and "5,000 generated against 10,000" in published[0]
        assert "wgan-gp 19.83 (IS 7.66)" in published[1] and "minimax 72.7, non-saturating 58.5" in published[2]


def test_short_titles_name_all_factors_only_where_needed(make_sweep: Make, tmp_path: Path) -> None:
    make_sweep(tmp_path / "a", objectives=("wgan-gp",), seeds=1)
    assert list(short_titles(make_blocks(read_runs(tmp_path / "a"))).values()) == ["8gaussians", "mnist5k"]
    make_sweep(tmp_path / "b", objectives=("wgan-gp",), datasets=("8gaussians",), recipes=("own", "matched"), seeds=1)
    titles = list(short_titles(make_blocks(read_runs(tmp_path / "b"))).values())
    assert titles == ["8gaussians · mlp-3x128 · matched", "8gaussians · mlp-3x128 · own"]


@pytest.mark.parametrize(("modes", "best"), [((0, 0, 0), []), ((0, 3, 3), ["b", "c"]), ((5, 3, 3), ["a"])])
def test_best_are_none_where_all_are_equal(
    make_sweep: Make, tmp_path: Path, modes: tuple[int, ...], best: list[str]
) -> None:
    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        result["metrics"]["modes"]["tail_mean"] = float(modes["abc".index(spec["objective"])])

    make_sweep(tmp_path, objectives=("a", "b", "c"), datasets=("8gaussians",), change=change)
    assert make_blocks(read_runs(tmp_path))[0].best(KNOWN["modes"]) == best


@pytest.mark.parametrize(("seeds", "marked"), [(2, []), (3, ["a", "b"])])
def test_marked_are_the_best_and_what_its_seeds_do_not_tell_from_it(
    make_sweep: Make, tmp_path: Path, seeds: int, marked: list[str]
) -> None:
    level = {"a": 0.2, "b": 0.205, "c": 0.9}

    def change(spec: dict[str, Any], result: dict[str, Any]) -> None:
        result["metrics"]["w1"]["tail_mean"] = level[spec["objective"]] + 0.01 * spec["seed"]

    make_sweep(tmp_path, objectives=("a", "b", "c"), datasets=("8gaussians",), seeds=seeds, change=change)
    assert make_blocks(read_runs(tmp_path))[0].marked(KNOWN["w1"]) == marked
