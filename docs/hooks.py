"""What the site has besides docs/: the project's own pages, results/reference, the help of each command, the gallery.

Pages are written for the repository, and link as its folders lie. The site keeps that layout, with docs/ as its root.
"""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
REFERENCE = "results/reference"
PUBLIC = ("bench/api", "models", "objectives")  # what has public names; reading all sources takes minutes
FENCED = re.compile(r"(^```.*?^```$)", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)")
FILLED = re.compile(r"^<!-- (help|verdicts): (.+) -->$", flags=re.MULTILINE)


def on_startup(**asked: Any) -> None:
    """Lays links to the public sources where mkdocstrings will look for them as soon as it is configured."""
    for name in PUBLIC:
        link = ROOT / "build" / "python" / "lipbench" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(ROOT / name, target_is_directory=True)


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages and pictures that lie outside docs/, under their paths in the repository."""
    from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]

    reference = sorted(path for path in (ROOT / REFERENCE).rglob("*") if path.is_file())
    for path in [*(ROOT / name for name in PAGES), *reference]:
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The page with what programs print, and with links as they are on the site."""
    name = page.file.src_uri
    place = name if name in PAGES or name.startswith(REFERENCE) else f"docs/{name}"
    filled = FILLED.sub(lambda match: FILLERS[match[1]](match[2]), markdown)
    known = {file.src_uri for file in files}
    parts = FENCED.split(filled)  # every second one is a block of code
    parts[::2] = [LINK.sub(lambda match: site_link(match, place, name, known), part) for part in parts[::2]]
    return "".join(parts)


def site_link(match: re.Match[str], place: str, page: str, known: set[str]) -> str:
    """A link of the repository as one of the site; the text alone where the site has no such file.

    Args:
        match: of LINK.
        place: of the page in the repository.
        page: its name on the site.
        known: the names of all files of the site.
    """
    target, mark, anchor = match["target"].partition("#")
    if not target or "://" in target or target.startswith("mailto:"):
        return match[0]
    there = os.path.normpath(PurePosixPath(place).parent / target)
    there = "docs/index.md" if there == "README.md" else there
    name = there.removeprefix("docs/")
    if name in known:
        path = os.path.relpath(name, PurePosixPath(page).parent)
        return f"{match['picture']}[{match['text']}]({path}{mark}{anchor})"
    if match["picture"]:
        return match[0]  # the build says that it is missing
    return match["text"] if "`" in match["text"] else f"`{match['text']}`"


def command_help(command: str) -> str:
    """What `lipbench COMMAND --help` prints."""
    words = [sys.executable, "-m", "lipbench.bench.cli", *command.split(), "--help"]
    environment = {**os.environ, "COLUMNS": "76", "NO_COLOR": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    return f"```text\n{done.stdout.strip()}\n```"


def gallery(folder: str) -> str:
    """A part for each study of results/reference/FOLDER: its claim, verdicts, measurements, pictures."""
    with (ROOT / REFERENCE / folder / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    studies: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        studies.setdefault(row["id"], []).append(row)
    return "\n\n".join(study(name, found, folder) for name, found in studies.items())


def study(name: str, rows: list[dict[str, str]], folder: str) -> str:
    """One part of the gallery."""
    first = rows[0]
    lines = [f"### {name}", f"**{plain(first['claim'])}** ({first['document']})", plain(first["experiment"])]
    lines.append("\n".join(verdict(row) for row in rows))
    pictures = [f"../{REFERENCE}/{folder}/{picture}" for picture in first["plot"].split()]
    lines += [f"![{name}: {plain(first['claim'])}]({picture})" for picture in pictures]
    return "\n\n".join(lines)


def verdict(row: dict[str, str]) -> str:
    """A row of the table of verdicts as a line, with the measurement that decides it."""
    part = f"{row['part']}: " if row["part"] else ""
    judged = row["measured"].split("; ")[0]
    reading = f" *{plain(row['reading'])}*" if row["reading"] else ""
    return f"- {plain(part)}**{row['verdict']}**. {plain(judged)} ({row['scale']}, seeds: {row['seeds']}).{reading}"


def plain(text: str) -> str:
    """Text in which Markdown finds no markup."""
    return re.sub(r"([\\`*_{}\[\]<>|])", r"\\\1", text)


FILLERS: dict[str, Callable[[str], str]] = {"help": command_help, "verdicts": gallery}
