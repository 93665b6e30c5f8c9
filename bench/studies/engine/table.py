"""The verdict table, a pure function of the records. Runs no experiment."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from ....objectives.errors import BadInput
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
    "In brackets: the range of the seeds, or where there are six or more a 95 % bootstrap interval of their median; of "
    "a share Wilson's 95 % interval. Where a value is over, or less, another objective's median, that is held fixed."
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
    smaller = "; ".join(_smaller(record, size))
    common["scale"] = f"{record.scale} ({smaller})" if smaller else record.scale
    if record.status != "completed":
        return [_without_verdict(study, _why(record)) | common]
    plot = " ".join(_pictures(out / study.id))
    return [common | _part_row(part) | {"plot": plot} for part in judge(study, measurements).parts]


def _pictures(folder: Path) -> list[str]:
    """All that the study drew, its `PLOT` first, as paths from the folder above."""
    found = [path.name for path in folder.iterdir() if path.suffix in PICTURES]
    return [f"{folder.name}/{name}" for name in sorted(found, key=lambda name: (name != PLOT, name))]


def _smaller(record: Record, size: Size | str | None) -> Iterator[str]:
    """What the record has less of than the claim's experiment, or otherwise: of the scale itself, seeds, options."""
    if not isinstance(size, Size):
        return
    if size.note:
        yield size.note
    if record.seeds and len(record.seeds) != size.seeds:
        yield f"{len(record.seeds)} seeds, not {size.seeds}"
    given = record.specification.get("options", {})
    for key, usual in json.loads(json.dumps(dict(size.options))).items():
        if key in given and given[key] != usual:
            yield _otherwise(key, given[key], usual)


def _otherwise(key: str, given: object, usual: object) -> str:
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
    if verdict.outcome == verdict.part.holds:
        return verdict.part.reading
    failed = [finding.criterion for finding in verdict.findings if finding.holds is False]
    disputes = [criterion.disputed for criterion in failed if criterion.disputed]
    controls = [f"A control failed: {criterion.text}." for criterion in failed if criterion.control]
    # These first: a part may call its own failure inconclusive too.
    if disputes or controls:
        return " ".join(disputes or controls)
    undecided = [f"Open: {f.note}." for f in verdict.findings if f.holds is None and f.criterion.by_interval]
    if undecided:
        return " ".join(undecided)
    cause = verdict.part.cause if failed and verdict.outcome == verdict.part.fails else ""
    return f"{LOOKED_INTO} {cause}" if cause else ""


def _why(record: Record) -> str:
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
    table.to_csv(out / "verdicts.csv", index=False)
    (out / "verdicts.md").write_text(markdown(table), encoding="utf-8")
    (out / "verdicts.tex").write_text(latex(table), encoding="utf-8")


def markdown(table: pd.DataFrame) -> str:
    """The count of verdicts, then the table with links to the pictures."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in tally(table).items())
    shown = table.assign(plot=[_links(paths) for paths in table["plot"]])
    head = ["| " + " | ".join(shown.columns) + " |", "|" + "-|" * len(shown.columns)]
    body = ("| " + " | ".join(_cell(value) for value in row) + " |" for row in shown.itertuples(index=False))
    return "\n".join([f"{len(table)} rows: {counts}.", "", *head, *body, "", SPREAD, ""])


def tally(table: pd.DataFrame) -> dict[str, int]:
    """How often each verdict was given; reasons are left off."""
    verdicts = table["verdict"].str.split(":").str[0]
    return {str(name): int(count) for name, count in verdicts.value_counts().items()}


def latex(table: pd.DataFrame) -> str:
    """A longtable of what a report shows: id, claim and which part of it, criterion, measured, verdict."""
    columns = ["id", "claim", "criterion", "measured", "verdict"]
    widths = "l" + "".join(f"p{{{width}\\linewidth}}" for width in (0.23, 0.26, 0.24, 0.1))
    pairs = zip(table["claim"], table["part"], strict=True)
    shown = table.assign(claim=[f"{claim} — {part}" if part else claim for claim, part in pairs])
    return shown[columns].to_latex(index=False, escape=True, longtable=True, column_format=widths)


def _links(paths: str) -> str:
    return " ".join(f"[{Path(path).stem}]({path})" for path in paths.split())


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def ordered(ids: Iterable[str], studies: Mapping[str, Study]) -> dict[str, Study]:
    """The studies of these ids, in the order of `studies`."""
    wanted = set(ids)
    return {name: study for name, study in studies.items() if name in wanted}
