"""README and docs: what they name exists. Commands are parsed as the program parses them; nothing is run."""

import importlib.util
import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from lipbench.bench.cli.catalogue import catalogue
from lipbench.bench.cli.parser import parse_arguments

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
SHELL = ";", "&&", ">", "|", "done"


def commands(text: str) -> list[str]:
    """Every `lipbench …` command of the page's shell blocks, lines that go on joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = (
        re.search(r"(?:^|do (?:time )?|\s)(?:\.venv/bin/)?lipbench (?!.*pip install)(\w.*)", line) for line in lines
    )
    return [match[1] for match in found if match is not None]


def arguments(command: str) -> list[str]:
    words = shlex.split(re.sub(r";.*", "", command).replace("$n", "1"), comments=True)
    return [re.sub(r"\[.*", "", word) if word.startswith("[") else word for word in words]


COMMANDS = [(page, command) for page, text in TEXT.items() for command in commands(text)]


def test_readme_is_short_and_commands_are_found() -> None:
    assert len(TEXT["README.md"].splitlines()) <= 150
    assert len(COMMANDS) >= 20
    assert "check my.py:ZeroCentred" in COMMANDS[0][1]


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: value[:40])
def test_command_names_no_unknown_option_or_suite(page: str, command: str) -> None:
    words = arguments(command)
    parse_arguments(words)
    if words[0] in ("run", "tune"):
        known = {name for name, _ in catalogue("suites")}
        assert words[1].endswith(".yaml") or words[1] in known, f"{page}: {words[1]}"
    if words[0] == "study":
        known = {name for name, _ in catalogue("studies")} | {"all"}
        asked = [word for word in words[1:] if re.fullmatch(r"[A-Z]\d+|all", word)]
        assert asked and set(asked) <= known, f"{page}: {asked}"


def test_unknown_option_is_found() -> None:
    with pytest.raises(SystemExit):
        parse_arguments(arguments("run quick --no-such-option 1"))


@pytest.mark.parametrize("page", TEXT)
def test_modules_that_a_page_names_exist(page: str) -> None:
    groups = {
        "lipbench.objectives",
        "lipbench.architectures",
        "lipbench.datasets",
        "lipbench.metrics",
        "lipbench.extractors",
    }
    for name in set(re.findall(r"(?<![\w/.-])lipbench(?:\.[A-Za-z_]\w*)+", TEXT[page])) - groups:
        assert exists(name), f"{page}: {name}"


def exists(name: str) -> bool:
    module, _, last = name.rpartition(".")
    try:
        if importlib.util.find_spec(name) is not None:
            return True
    except ModuleNotFoundError:
        return False
    return hasattr(import_module(module), last)


def test_missing_module_is_found() -> None:
    assert not exists("lipbench.objectives.no_such_module") and not exists("lipbench.nothing.here")


@pytest.mark.parametrize("page", TEXT)
def test_links_lead_to_files(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#\s]+)", TEXT[page]):
        if "://" not in target:
            assert (folder / target).exists(), f"{page}: {target}"


def test_readme_table_is_the_reference() -> None:
    summary = (ROOT / "results/reference/quick/summary.md").read_text(encoding="utf-8").replace("**", "").splitlines()
    row_start = re.compile(r"\| (minimax|wgan-\w+|sn-gan|floor) \|")
    shown = [line for line in TEXT["README.md"].splitlines() if row_start.match(line)]
    assert len(shown) == 5
    for row in shown:  # the first columns of the reference's row
        assert any(line.startswith(row) for line in summary), row


def test_claims_page_counts_the_verdicts_of_the_reference() -> None:
    first = (ROOT / "results/reference/stability/verdicts.md").read_text(encoding="utf-8").splitlines()[0]
    counts = dict((verdict, number) for number, verdict in re.findall(r"(\d+) ([a-z ]+)", first))
    page = TEXT["docs/claims.md"]
    for verdict in ("reproduced", "not reproduced", "false as stated"):
        assert f"{counts[verdict]} {verdict}" in page, json.dumps(counts)
    assert f"{counts['rows']} rows" in page
