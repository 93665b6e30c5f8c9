"""The verdict table, a pure function of the records. Runs no experiment."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from ....objectives.errors import BadInput
from ...records.files import write
from ...report.table_writer import Table, csv_text, to_longtable, to_markdown
from ...report.terminal import print_table
from .contract import Size, Study
from .judge import NOT_MEASURED, PartVerdict, criterion_text, judge
from .store import Record, read

COLUMNS = (
    "id",
    "claim",
    "part",
    "document",
    "experiment",
    "criterion",
    "measured",
    "seeds",
    "verdict",
    "reading",
    "scale",
    "plot",
)
PLOT, PICTURES = "plot.png", (".png", ".gif")
SPREAD = (
    "In brackets: the range of the seeds, which holds the median of all possible seeds with a probability of 75 % if "
    "they are 3 and of 93.8 % if they are 5; with six or more an interval with the probability that is told; of a "
    "share Wilson's 95 % interval, of another mean a 95 % bootstrap interval. Where a value is over, or less, another "
    "objective's median, that is held fixed."
)
# Where a failure was looked into; another run's numbers may differ.
LOOKED_INTO = "In results/reference:"


def verdict_table(out: Path, studies: Mapping[str, Study]) -> pd.DataFrame:
    """One row per part of a claim, in the order of `studies`, for the records that lie in the folder.

    A damaged record gets a row that says so.
    """
    rows = [row for study in studies.values() if (out / study.id).is_dir() for row in study_rows(out, study)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def study_rows(out: Path, study: Study) -> list[dict[str, object]]:
    """The table's rows of one study, from its record."""
    common = {"id": study.id, "claim": study.claim, "document": study.document, "experiment": study.experiment}
    try:
        record, measurements = read(out / study.id)
    except BadInput as error:
        return [_without_verdict(study, f"damaged: {error}") | common]
    size = next((size for scale, size in study.sizes.items() if scale == record.scale), None)
    smaller = "; ".join(_deviations(record, size))
    common["scale"] = f"{record.scale} ({smaller})" if smaller else record.scale
    if record.status != "completed":
        return [_without_verdict(study, _failure_text(record)) | common]
    plot = " ".join(_pictures(out / study.id))
    return [common | _part_row(part) | {"plot": plot} for part in judge(study, measurements).parts]


def _pictures(folder: Path) -> list[str]:
    """All that the study drew, its `PLOT` first, as paths from the folder above."""
    found = [path.name for path in folder.iterdir() if path.suffix in PICTURES]
    return [f"{folder.name}/{name}" for name in sorted(found, key=lambda name: (name != PLOT, name))]


def _deviations(record: Record, size: Size | str | None) -> Iterator[str]:
    """How the record deviates from the claim's experiment: the scale's note, other seeds, other options."""
    if not isinstance(size, Size):
        return
    if size.note:
        yield size.note
    if record.seeds and len(record.seeds) != size.seeds:
        yield f"{len(record.seeds)} seeds, not {size.seeds}"
    given = record.specification.get("options", {})
    for key, usual in json.loads(json.dumps(dict(size.options))).items():
        if key in given and given[key] != usual:
            yield _option_change(key, given[key], usual)


def _option_change(key: str, given: object, usual: object) -> str:
    if isinstance(given, list) and isinstance(usual, list):
        missing = [str(one) for one in usual if one not in given]
        if missing and all(one in usual for one in given):
            return f"{key} without {', '.join(missing)}"
    return f"{key} = {given}, not {usual}"


def _part_row(verdict: PartVerdict) -> dict[str, object]:
    part = verdict.part
    return {
        "part": part.name,
        "criterion": verdict.threshold,
        "measured": verdict.measured,
        "seeds": str(verdict.seeds or part.replicates or "exact"),
        "verdict": NOT_MEASURED if all(f.note == NOT_MEASURED for f in verdict.findings) else str(verdict.outcome),
        "reading": " ".join(filter(None, [_reading(verdict), verdict.part.caveat])),
    }


def _reading(verdict: PartVerdict) -> str:
    """What a reader learns from a part's outcome; of several reasons the first that applies."""
    part = verdict.part
    if verdict.outcome == part.holds:
        return part.reading
    failed = [finding.criterion for finding in verdict.findings if finding.holds is False]
    # A part may call its own failure inconclusive too, so disputes and controls come first.
    disputes = [criterion.disputed for criterion in failed if criterion.disputed]
    if disputes:
        return " ".join(disputes)
    controls = [f"A control failed: {criterion.text}." for criterion in failed if criterion.control]
    if controls:
        return " ".join(controls)
    return _open_or_cause(verdict, bool(failed))


def _open_or_cause(verdict: PartVerdict, failed: bool) -> str:
    undecided = [finding for finding in verdict.findings if finding.holds is None and finding.criterion.by_interval]
    if undecided:
        return " ".join(f"Open: {finding.note}." for finding in undecided)
    if failed and verdict.part.cause and verdict.outcome == verdict.part.fails:
        return f"{LOOKED_INTO} {verdict.part.cause}"
    return ""


def _failure_text(record: Record) -> str:
    last = record.reason.strip().splitlines()[-1:]
    return ": ".join(["failed" if record.status == "failed" else "not at this scale", *last])


def _without_verdict(study: Study, verdict: str) -> dict[str, object]:
    return {
        "scale": "",
        "part": "",
        "criterion": "; ".join(criterion_text(criterion) for criterion in study.criteria),
        "measured": "",
        "seeds": "",
        "verdict": verdict,
        "reading": "",
        "plot": "",
    }


def write_tables(table: pd.DataFrame, out: Path) -> None:
    """verdicts.csv, .md and .tex in the folder; .tex wants LuaLaTeX or XeLaTeX, for the signs in it."""
    write(out / "verdicts.csv", csv_text(table).encode())
    write(out / "verdicts.md", markdown(table).encode())
    write(out / "verdicts.tex", latex(table).encode())


def markdown(table: pd.DataFrame) -> str:
    """The count of verdicts, then the table with links to the pictures."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(table).items())
    verdicts = _table(table.assign(plot=table["plot"].map(_links)), COLUMNS)
    return f"{len(table)} rows: {counts}.\n\n{to_markdown(verdicts, _without_bars)}\n{SPREAD}\n"


def verdict_counts(table: pd.DataFrame) -> dict[str, int]:
    """How often each verdict was given; reasons are left off."""
    verdicts = table["verdict"].str.split(":").str[0]
    return {str(name): int(count) for name, count in verdicts.value_counts().items()}


def latex(table: pd.DataFrame) -> str:
    """A longtable of what a report shows: id, claim and which part of it, criterion, measured, verdict."""
    widths = "l" + "".join(f"p{{{width}\\linewidth}}" for width in (0.23, 0.26, 0.24, 0.1))
    return to_longtable(
        _table(_with_parts(table, "{} — {}"), ("id", "claim", "criterion", "measured", "verdict")), widths
    )


def print_verdicts(table: pd.DataFrame, out: Path, console: Console) -> None:
    """Prints the table without its longest columns, if it has a row."""
    if not table.empty:
        shown = _table(_with_parts(table, "{}\n({})"), ("id", "claim", "measured", "seeds", "verdict"))
        print_table(replace(shown, breaks=range(1, len(table))), console)
        console.print(f"Table and plots: {out / 'verdicts.md'}", highlight=False, soft_wrap=True)


def _table(table: pd.DataFrame, columns: Sequence[str]) -> Table:
    rows = table[list(columns)].astype(str).to_numpy().tolist()
    return Table("", columns, rows, left=range(len(columns)))


def _with_parts(table: pd.DataFrame, form: str) -> pd.DataFrame:
    """With the part, where there is one, in the column of the claim."""
    pairs = zip(table["claim"], table["part"], strict=True)
    return table.assign(claim=[form.format(claim, part) if part else claim for claim, part in pairs])


def _links(paths: str) -> str:
    return " ".join(f"[{Path(path).stem}]({path})" for path in paths.split())


def _without_bars(text: str) -> str:
    """Claims and links are Markdown, but for the bars of absolute values and for line breaks."""
    return text.replace("|", "\\|").replace("\n", " ")


def ordered(ids: Iterable[str], studies: Mapping[str, Study]) -> dict[str, Study]:
    """The studies of these ids, in the order of `studies`."""
    wanted = set(ids)
    return {name: study for name, study in studies.items() if name in wanted}
