import errno
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from rich.console import Console

from lipbench.bench import run_studies
from lipbench.bench.config.suite import Suite
from lipbench.bench.records.checksums import SUMS
from lipbench.bench.records.store import locked
from lipbench.bench.studies import (
    STUDIES,
    Criterion,
    NotAtThisScale,
    Outcome,
    Part,
    Resources,
    Row,
    Setting,
    Size,
    Study,
    verdict_table,
)
from lipbench.bench.studies.engine import report, runner
from lipbench.bench.studies.engine.job import StudyJob
from lipbench.bench.studies.engine.parallel import each
from lipbench.bench.studies.plotting.style import name_points, panels
from lipbench.objectives import BadInput


def measure(setting: Setting) -> Sequence[Row]:
    (setting.folder / "extra.txt").write_text(f"{setting.resources.jobs} {torch.get_num_threads()}")
    return [{"seed": seed, "error": 0.1 * seed * setting.options["factor"]} for seed in setting.seeds]


def explode(setting: Setting) -> Sequence[Row]:
    raise RuntimeError("no such luck")


def refuse(setting: Setting) -> Sequence[Row]:
    raise NotAtThisScale("needs a GPU")


def draw(measurements: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot(measurements["seed"], measurements["error"])
    return figure


GOOD = Study(
    id="X1",
    claim="Errors are | small.",
    document="Report 0",
    experiment="None.",
    run=measure,
    parts=(
        Part(
            criteria=(Criterion(measurement="error", text="error", reduce="median", op="<", threshold=0.5),),
            reading="Small.",
            cause="The factor.",
        ),
    ),
    plot=draw,
    sizes={
        "smoke": Size(1, {"factor": 1.0}, "1 of 3 seeds"),
        "quick": Size(3, {"factor": 1.0}),
        "full": "it would take a year",
    },
)
BAD, ABSENT = replace(GOOD, id="X2", run=explode), replace(GOOD, id="X3", run=refuse)


def run(*studies: Study, out: Path, scale: Any = "quick", **asked: Any) -> tuple[int, str]:
    text = io.StringIO()
    job = StudyJob(scale, out, **asked)
    status = runner.run_studies({study.id: study for study in studies}, job, console=Console(file=text, width=200))
    return status, text.getvalue()


def edit(path: Path, text: str) -> None:
    """Changes a file of a record on purpose, as one does that deletes its sums."""
    (path.parent / SUMS).unlink()
    path.write_text(text)


def verdicts(out: Path, *studies: Study) -> dict[str, str]:
    table = verdict_table(out, {study.id: study for study in studies})
    return dict(zip(table["id"], table["verdict"], strict=True))


def test_run_leaves_records_plot_and_tables(tmp_path: Path) -> None:
    status, printed = run(GOOD, out=tmp_path, resources=Resources(jobs=2))
    assert status == 0 and "reproduced" in printed and "0.1" in printed
    assert {p.name for p in (tmp_path / "X1").iterdir()} == {
        "measurements.csv",
        "study.json",
        SUMS,
        "plot.png",
        "extra.txt",
    }
    about = json.loads((tmp_path / "X1" / "study.json").read_text())["machine"]
    assert (about["threads"], about["cores"], about["numpy"]) == (1, os.cpu_count(), np.__version__)
    assert (tmp_path / "X1" / "extra.txt").read_text() == "2 1"
    table = pd.read_csv(tmp_path / "verdicts.csv", dtype=str, keep_default_na=False)
    row = table.iloc[0].to_dict()
    assert row["criterion"] == "error < 0.5" and row["seeds"] == "3" and row["plot"] == "X1/plot.png"
    assert row["measured"].startswith("error: 0.1 (range") and row["reading"] == "Small."
    assert "In brackets: the range of the seeds" in (tmp_path / "verdicts.md").read_text()
    assert "Errors are \\| small." in (tmp_path / "verdicts.md").read_text()
    assert "[plot](X1/plot.png)" in (tmp_path / "verdicts.md").read_text()
    assert "\\begin{longtable}" in (tmp_path / "verdicts.tex").read_text()


def test_latex_table_says_which_part_of_a_claim_a_row_judges(tmp_path: Path) -> None:
    whole = GOOD.parts[0]
    two = replace(GOOD, id="X2", parts=(replace(whole, name="first half"), replace(whole, name="second half")))
    run(GOOD, two, out=tmp_path)
    lines = [line for line in (tmp_path / "verdicts.tex").read_text().splitlines() if line.startswith("X")]
    assert [line.split(" & ")[1] for line in lines] == [
        "Errors are | small.",
        "Errors are | small. — first half",
        "Errors are | small. — second half",
    ]


def test_run_goes_on_after_a_study_that_raises(tmp_path: Path) -> None:
    status, _ = run(BAD, GOOD, out=tmp_path)
    assert status == 1
    assert verdicts(tmp_path, BAD, GOOD) == {"X2": "failed: RuntimeError: no such luck", "X1": "reproduced"}
    assert "Traceback" in (tmp_path / "X2" / "study.json").read_text()


def test_run_records_a_study_whose_plot_raises_as_failed(tmp_path: Path) -> None:
    broken = replace(GOOD, plot=lambda measurements: measurements["absent"])
    assert run(broken, out=tmp_path)[0] == 1
    assert verdicts(tmp_path, GOOD)["X1"] == "failed: KeyError: 'absent'"
    assert len(pd.read_csv(tmp_path / "X1" / "measurements.csv")) == 3


def test_run_says_why_a_study_is_not_done(tmp_path: Path) -> None:
    assert run(ABSENT, out=tmp_path)[0] == 0
    assert verdicts(tmp_path, ABSENT) == {"X3": "not at this scale: needs a GPU"}
    assert run(GOOD, out=tmp_path, scale="full")[0] == 0
    assert verdicts(tmp_path, GOOD) == {"X1": "not at this scale: it would take a year"}


def test_run_leaves_a_complete_record_where_nothing_is_done_at_this_scale(tmp_path: Path) -> None:
    run(GOOD, out=tmp_path)
    before = (tmp_path / "X1" / "study.json").read_bytes()
    for study, scale in ((GOOD, "full"), (replace(ABSENT, id="X1"), "quick")):
        status, printed = run(study, out=tmp_path, scale=scale, force=True)
        assert status == 0 and "the record of scale quick stays" in printed
    assert (tmp_path / "X1" / "study.json").read_bytes() == before
    assert verdicts(tmp_path, GOOD) == {"X1": "reproduced"}


@pytest.mark.parametrize("another", [replace(GOOD, run=explode), GOOD])
def test_run_moves_the_complete_record_aside_that_another_replaces(tmp_path: Path, another: Study) -> None:
    run(GOOD, out=tmp_path)
    before = (tmp_path / "X1" / "measurements.csv").read_bytes()
    for _ in range(2):
        run(another, out=tmp_path, scale="smoke", force=True)
    assert (tmp_path / "superseded" / "X1-quick" / "measurements.csv").read_bytes() == before
    assert json.loads((tmp_path / "X1" / "study.json").read_text())["scale"] == "smoke"


def test_run_loses_no_complete_record_however_many_replace_it(tmp_path: Path) -> None:
    for factor in (1.0, 2.0, 3.0, 4.0):
        run(GOOD, out=tmp_path, options={"factor": factor})
    kept = [tmp_path / "superseded" / name for name in ("X1-quick", "X1-quick-2", "X1-quick-3")]
    found = [json.loads((folder / "study.json").read_text())["specification"]["options"] for folder in kept]
    assert found == [{"factor": factor} for factor in (1.0, 2.0, 3.0)]
    assert len(list((tmp_path / "superseded").iterdir())) == 3


def misused(setting: Setting) -> Sequence[Row]:
    raise BadInput("dataset: unknown dataset 'foo'")


def invalid(setting: Setting) -> Sequence[Row]:
    Suite.model_validate({"objectives": ["minimax"], "datasets": ["8gaussians"], "steps": 0})
    return []


@pytest.mark.parametrize(
    ("experiment", "line"),
    [(misused, "X2   dataset: unknown dataset 'foo'\n"), (invalid, "X2   'steps' is 0: input should be greater than")],
)
def test_run_tells_what_a_study_cannot_use_and_goes_on(
    tmp_path: Path, experiment: Callable[[Setting], Sequence[Row]], line: str
) -> None:
    status, printed = run(replace(BAD, run=experiment), GOOD, out=tmp_path)
    assert status == 2 and line in printed
    assert not (tmp_path / "X2").exists() and verdicts(tmp_path, GOOD) == {"X1": "reproduced"}
    assert [path.name for path in tmp_path.glob(".X*")] == []


def test_run_refuses_no_seeds_and_a_folder_in_which_another_is_at_work(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--seeds 0: must be 1 or more"):
        run(GOOD, out=tmp_path, seeds=0)
    with locked(tmp_path), pytest.raises(BadInput, match="another command is at work in this folder"):
        run(GOOD, out=tmp_path)


def test_run_tells_a_full_disk_in_one_line(tmp_path: Path) -> None:
    def full(setting: Setting) -> Sequence[Row]:
        raise OSError(errno.ENOSPC, "No space left on device")

    run(GOOD, out=tmp_path)
    with pytest.raises(BadInput, match=r"No space left on device; the same command goes on from here$"):
        run(replace(GOOD, run=full), out=tmp_path, force=True)
    assert verdicts(tmp_path, GOOD) == {"X1": "reproduced"}


def test_run_skips_what_is_complete_unless_forced(tmp_path: Path) -> None:
    run(GOOD, out=tmp_path)
    before = (tmp_path / "X1" / "study.json").stat().st_mtime_ns
    assert "complete already" in run(GOOD, out=tmp_path)[1]
    assert (tmp_path / "X1" / "study.json").stat().st_mtime_ns == before
    assert "complete already" not in run(GOOD, out=tmp_path, force=True)[1]
    assert (tmp_path / "X1" / "study.json").stat().st_mtime_ns != before


@pytest.mark.parametrize("change", [{"scale": "smoke"}, {"seeds": 5}])
def test_run_repeats_at_another_scale_or_number_of_seeds(tmp_path: Path, change: dict) -> None:
    run(GOOD, out=tmp_path)
    assert "complete already" not in run(GOOD, out=tmp_path, **change)[1]


def test_run_takes_options_in_place_of_the_study_s_own_and_says_so(tmp_path: Path) -> None:
    run(GOOD, out=tmp_path)
    _, printed = run(GOOD, out=tmp_path, options={"factor": 10.0})
    assert "complete already" not in printed
    assert "complete already" in run(GOOD, out=tmp_path, options={"factor": 10.0})[1]
    row = verdict_table(tmp_path, {"X1": GOOD}).iloc[0]
    assert row["scale"] == "quick (factor = 10.0, not 1.0)" and row["verdict"] == "not reproduced"


def test_run_refuses_an_option_that_a_study_does_not_have_before_any_runs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"X1 at scale quick: unknown option 'steps'.*factor"):
        run(GOOD, out=tmp_path, options={"steps": 3})
    assert not (tmp_path / "X1").exists()


def test_run_repeats_what_other_code_made(tmp_path: Path) -> None:
    run(GOOD, out=tmp_path)
    path = tmp_path / "X1" / "study.json"
    about = json.loads(path.read_text())
    edit(path, json.dumps(about))
    assert "complete already" in run(GOOD, out=tmp_path)[1]
    path.write_text(json.dumps(about | {"code": "another"}))
    assert "complete already" not in run(GOOD, out=tmp_path)[1]


def device_of(setting: Setting) -> dict[str, str]:
    return {"device": setting.resources.device.partition(":")[0]}


def test_run_repeats_where_what_a_study_resolves_is_another(tmp_path: Path) -> None:
    for study, again in ((replace(GOOD, resolve=device_of), True), (GOOD, False)):
        for device, known in (("cpu", False), ("cpu", True), ("cuda:0", not again), ("cuda:1", True)):
            printed = run(study, out=tmp_path / str(again), resources=Resources(device=device))[1]
            assert ("complete already" in printed) is known


def test_run_says_why_nothing_can_be_resolved(tmp_path: Path) -> None:
    assert run(replace(GOOD, resolve=refuse), out=tmp_path)[0] == 0  # pyright: ignore[reportArgumentType]
    assert verdicts(tmp_path, GOOD) == {"X1": "not at this scale: needs a GPU"}


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("G")])
def test_image_study_resolves_device_and_pictures_and_names_its_data_set(name: str, tmp_path: Path) -> None:
    study = STUDIES[name]
    size = study.sizes["smoke"]
    assert isinstance(size, Size)
    found = []
    for shade in (10, 11):
        pictures(tmp_path, shade)
        options = {**size.options, "dataset": f"folder:{tmp_path}"}
        assert study.datasets(options) == (options["dataset"],)
        found += [
            study.resolve(Setting("smoke", (0,), options, tmp_path, tmp_path, Resources(device=device)))
            for device in ("cpu", "cuda:0", "cuda:1")
        ]
    assert [one["device"] for one in found] == ["cpu", "cuda", "cuda"] * 2
    assert found[1] == found[2] and found[0]["data"] == found[1]["data"] != found[3]["data"]


def test_job_names_each_data_set_of_its_studies_once() -> None:
    job = StudyJob("smoke", Path())
    assert job.datasets({name: STUDIES[name] for name in ("T1", "S2", "G1", "G3")}) == ["mnist5k"]
    assert replace(job, options={"dataset": "digits"}).datasets({"G1": STUDIES["G1"]}) == ["digits"]


def test_records_that_do_not_say_what_was_resolved_are_reported_and_made_again(tmp_path: Path) -> None:
    study = replace(GOOD, resolve=device_of)
    run(study, out=tmp_path)
    path = tmp_path / "X1" / "study.json"
    content = json.loads(path.read_text())
    edit(path, json.dumps({k: v for k, v in content.items() if k != "resolved"}))
    assert verdicts(tmp_path, study) == {"X1": "reproduced"}
    assert "complete already" not in run(study, out=tmp_path)[1]


def pictures(folder: Path, shade: int) -> None:
    """Forty pictures in colour, 32 × 32 pixels."""
    folder.mkdir(exist_ok=True)
    for number in range(40):
        Image.new("RGB", (32, 32), (shade, number, 0)).save(folder / f"{number}.png")


def test_run_repeats_a_failed_study(tmp_path: Path) -> None:
    run(BAD, out=tmp_path)
    assert "complete already" not in run(replace(BAD, run=measure), out=tmp_path)[1]
    assert verdicts(tmp_path, BAD) == {"X2": "reproduced"}


def test_run_repeats_a_damaged_record_and_says_so(tmp_path: Path) -> None:
    run(GOOD, out=tmp_path)
    (tmp_path / "X1" / "measurements.csv").write_text("seed,error\n0,")
    assert verdicts(tmp_path, GOOD)["X1"].startswith("damaged: ")
    assert "runs again" in run(GOOD, out=tmp_path)[1]
    assert verdicts(tmp_path, GOOD) == {"X1": "reproduced"}
    assert (tmp_path / "superseded" / "X1.damaged" / "measurements.csv").read_text() == "seed,error\n0,"


def test_table_says_what_a_record_leaves_out(tmp_path: Path) -> None:
    """Against the study as it is now, so that it is true of records that are kept for long, too."""
    usual = {"factor": 1.0, "names": ("a", "b", "c"), "settings": {"k": (1, 2)}}
    study = replace(GOOD, sizes={"quick": Size(5, usual, "half the steps")})
    run(study, out=tmp_path)
    assert verdict_table(tmp_path, {"X1": study})["scale"][0] == "quick (half the steps)"
    run(study, out=tmp_path, seeds=3, options={"names": ["b"], "settings": {"k": [1, 3]}})
    left = "3 seeds, not 5; names without a, c; settings = {'k': [1, 3]}, not {'k': [1, 2]}"
    assert verdict_table(tmp_path, {"X1": study})["scale"][0] == f"quick (half the steps; {left})"


def test_table_tells_what_was_not_measured_from_what_did_not_decide(tmp_path: Path) -> None:
    other = Part(name="other", criteria=(replace(GOOD.criteria[0], measurement="absent"),))
    study = replace(GOOD, parts=(*GOOD.parts, other))
    run(study, out=tmp_path)
    assert list(verdict_table(tmp_path, {"X1": study})["verdict"]) == ["reproduced", "not measured"]


def test_run_with_few_seeds_is_inconclusive_and_the_table_says_what_is_smaller(tmp_path: Path) -> None:
    run(GOOD, out=tmp_path, scale="smoke")
    table = verdict_table(tmp_path, {"X1": GOOD})
    assert table["verdict"][0] == "inconclusive" and table["scale"][0] == "smoke (1 of 3 seeds)"
    assert "1 of 3" in table["measured"][0]


def test_verdict_follows_an_edit_of_the_record(tmp_path: Path) -> None:
    run(GOOD, out=tmp_path)
    edit(tmp_path / "X1" / "measurements.csv", "seed,error\n0,0.6\n1,0.7\n2,0.8\n")
    table = verdict_table(tmp_path, {"X1": GOOD})
    assert table["verdict"][0] == "not reproduced"
    assert table["reading"][0] == "In results/reference: The factor."  # found there, not in this record


@pytest.mark.parametrize(
    ("rows", "reading"),
    [
        ("0,0.1\n1,0.1\n2,0.1\n", "Small. Noisy."),
        ("0,0.6\n1,0.6\n2,0.6\n", "In results/reference: The factor. Noisy."),
        ("0,0.1\n0,0.1\n0,0.1\n", "Noisy."),
    ],
    ids=["holds", "fails", "one seed"],
)
def test_table_has_the_caveat_whatever_came_out(tmp_path: Path, rows: str, reading: str) -> None:
    study = replace(GOOD, parts=(replace(GOOD.parts[0], caveat="Noisy."),))
    run(study, out=tmp_path)
    edit(tmp_path / "X1" / "measurements.csv", f"seed,error\n{rows}")
    assert verdict_table(tmp_path, {"X1": study})["reading"][0] == reading


@pytest.mark.parametrize("fails", [Outcome.NOT_REPRODUCED, Outcome.INCONCLUSIVE])
def test_table_says_which_control_failed(fails: Outcome, tmp_path: Path) -> None:
    control = replace(GOOD.criteria[0], text="error without the cure", op=">", control=True)
    study = replace(GOOD, parts=(replace(GOOD.parts[0], criteria=(*GOOD.criteria, control), fails=fails),))
    run(study, out=tmp_path)
    row = verdict_table(tmp_path, {"X1": study}).iloc[0]
    assert (row["verdict"], row["reading"]) == ("inconclusive", "A control failed: error without the cure.")


def test_table_says_where_seeds_are_too_few_for_an_interval_to_decide(tmp_path: Path) -> None:
    study = replace(GOOD, parts=(replace(GOOD.parts[0], criteria=(replace(GOOD.criteria[0], by_interval=True),)),))
    run(study, out=tmp_path)
    row = verdict_table(tmp_path, {"X1": study}).iloc[0]
    assert (row["verdict"], row["reading"]) == ("inconclusive", "Open: too few seeds for a 95 % interval: 3 of 6.")
    run(study, out=tmp_path, seeds=6, options={"factor": 0.1})
    assert verdict_table(tmp_path, {"X1": study})["verdict"][0] == "reproduced"


def test_table_says_what_stands_for_seeds(tmp_path: Path) -> None:
    def exact(setting: Setting) -> Sequence[Row]:
        return [{"error": 0.25}]

    study = replace(GOOD, run=exact, plot=lambda _: Figure(figsize=(1, 1)))
    pairs = replace(study, id="X4", parts=(replace(GOOD.parts[0], replicates="1 a pair"),))
    run(study, pairs, out=tmp_path)
    assert list(verdict_table(tmp_path, {"X1": study, "X4": pairs})["seeds"]) == ["exact", "1 a pair"]


def test_table_links_every_picture_and_the_first_first(tmp_path: Path) -> None:
    run(replace(GOOD, pictures={"curves": draw}), out=tmp_path)
    assert "[plot](X1/plot.png) [curves](X1/curves.png) |" in (tmp_path / "verdicts.md").read_text()


def test_redraw_makes_the_plot_from_the_record_alone(tmp_path: Path) -> None:
    run(GOOD, out=tmp_path)
    (tmp_path / "X1" / "plot.png").unlink()
    study = replace(GOOD, run=explode, pictures={"second": draw})
    report.redraw(study, tmp_path / "X1")
    assert (tmp_path / "X1" / "plot.png").exists() and (tmp_path / "X1" / "second.png").exists()


def test_rebuild_needs_the_records_alone_and_says_which_are_damaged(tmp_path: Path) -> None:
    other = replace(GOOD, id="X4")
    run(GOOD, other, out=tmp_path)
    for name in ("X1/plot.png", "X4/plot.png", "verdicts.csv", "verdicts.md"):
        (tmp_path / name).unlink()
    (tmp_path / "X4" / "study.json").write_text("{")
    console = Console(file=io.StringIO(), width=200)
    report.rebuild(tmp_path, {"X1": replace(GOOD, run=explode), "X4": other}, console)
    assert (tmp_path / "X1" / "plot.png").exists() and (tmp_path / "verdicts.md").exists()
    assert list(pd.read_csv(tmp_path / "verdicts.csv")["verdict"].str.split(":").str[0]) == ["reproduced", "damaged"]
    assert "X4" in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_choose_knows_all_case_and_order() -> None:
    assert list(runner.choose("all", STUDIES)) == list(STUDIES)
    assert list(runner.choose(["t5", "T2"], STUDIES)) == ["T2", "T5"]
    with pytest.raises(BadInput, match=r"unknown study 'T99'.*T21"):
        runner.choose(["T99"], STUDIES)


def test_run_refuses_an_unknown_scale_and_a_folder_that_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"unknown scale 'huge'.*quick"):
        run(GOOD, out=tmp_path, scale="huge")
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot write there"):
        run(GOOD, out=tmp_path / "file")


def test_run_studies_runs_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_studies(["T2", "t14"], "smoke", tmp_path) == 0
    assert "false as stated" in capsys.readouterr().out
    assert [path.name for path in sorted(tmp_path.glob("T*"))] == ["T14", "T2"]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each_keeps_the_order_here_and_in_other_processes(jobs: int) -> None:
    assert each(divmod, [(7, 2), (9, 4), (1, 1)], jobs) == [(3, 1), (2, 1), (1, 0)]
    with pytest.raises(ZeroDivisionError):
        each(divmod, [(7, 2), (9, 0)], jobs)


LINGERING = """
import os, sys, time
from lipbench.bench.studies.engine.parallel import each

def linger(folder):
    open(f"{folder}/{os.getpid()}", "w").close()
    time.sleep(600)

if __name__ == "__main__":
    each(linger, [(sys.argv[1],)] * 2, 2)
"""


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_of_a_killed_study_end_too(tmp_path: Path) -> None:
    script, started = tmp_path / "study.py", tmp_path / "started"
    script.write_text(LINGERING)
    started.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(started)])
    deadline = time.monotonic() + 120
    while len(list(started.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = [int(path.name) for path in started.iterdir()]
    parent.kill()
    parent.wait()
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(workers) == 2 and not any(alive(pid) for pid in workers)


def test_names_of_points_do_not_hide_each_other() -> None:
    figure, axes = panels("", columns=1)
    places = {"a": (1.0, 1.0), "b": (1.01, 1.0), "c": (1.02, 1.0003), "beside": (9.0, 1.0), "above": (1.0, 1.01)}
    points = pd.DataFrame.from_dict(places, orient="index")
    axes[0].scatter(points[0], points[1])
    name_points(axes[0], points, {})
    figure.draw_without_rendering()
    boxes = {text.get_text(): Text.get_window_extent(text) for text in axes[0].texts}  # without the lines to them
    assert set(boxes) == set(places)
    assert not any(one.overlaps(other) for one, other in combinations(boxes.values(), 2))
    below = {name: boxes[name].y0 - axes[0].transData.transform(place)[1] for name, place in places.items()}
    assert below["beside"] == pytest.approx(below["a"], abs=1) and below["above"] == pytest.approx(below["a"], abs=1)
