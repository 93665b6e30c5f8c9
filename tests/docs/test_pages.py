"""README and docs: what they name exists. Commands are parsed as the program parses them; nothing is run."""

import importlib.util
import json
import re
import shlex
import tomllib
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest

from lipbench.bench.cli.catalogue import catalogue
from lipbench.bench.cli.commands import COMMANDS as COMMANDS_OF_LIPBENCH
from lipbench.bench.cli.parser import parse_arguments
from lipbench.bench.config.spec import expand
from lipbench.bench.config.suite import load_suite
from lipbench.bench.run.context import RunContext

ROOT = Path(__file__).parents[2]
META = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
REFERENCES = sorted((ROOT / "results" / "reference").rglob("README.md"))
PAGES = [*(ROOT / name for name in META), *sorted((ROOT / "docs").glob("*.md")), *REFERENCES]
TEXT = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
OPTIONS_OF_OTHERS = {"--check", "--extra-index-url", "--version"}  # of sha256sum, pip and lipbench itself
OPTIONS_OF_PERF = set(re.findall(r'"(--[a-z-]+)"', (ROOT / "bench/perf/__main__.py").read_text(encoding="utf-8")))
FENCED = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """Every `lipbench …` command of the page's shell blocks, lines that go on joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = (
        re.search(r"(?:^|do (?:time )?|\s)(?:\.venv/bin/)?lipbench (?!.*pip install)(\w.*)", line) for line in lines
    )
    return [match[1] for match in found if match is not None]


def inline(text: str) -> list[str]:
    """Every `lipbench …` command of the text that names its arguments; code with … or CAPITALS is a pattern."""
    spans = re.findall(r"`(?:\.venv/bin/)?lipbench ([^`]*)`", re.sub(r"\s+", " ", FENCED.sub("", text)))
    return [span for span in spans if not re.search(r"…|\||\b[A-Z]{2,}\b|<", span) and span.split()[0] != "--version"]


def arguments(command: str) -> list[str]:
    words = shlex.split(re.sub(r";.*", "", command).replace("$n", "1"), comments=True)
    return [re.sub(r"\[.*", "", word) if word.startswith("[") else word for word in words]


COMMANDS = [*dict.fromkeys((page, command) for page, text in TEXT.items() for command in commands(text))]


INLINE = [*dict.fromkeys((page, command) for page, text in TEXT.items() for command in inline(text))]
BLOCKS = {page: re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE) for page, text in TEXT.items()}
LINES = [
    *dict.fromkeys(
        (page, line.strip())
        for page, blocks in BLOCKS.items()
        for line in "".join(blocks).replace("\\\n", " ").splitlines()
        if line.strip()
    )
]
# Commands of others; what they are given is not ours to check.
OTHERS = ("cp ", "for n in ", "nvidia-cuda-mps-control ", "python3 -m venv ", ".venv/bin/pre-commit install")


def test_readme_is_short_and_commands_are_found() -> None:
    assert len(TEXT["README.md"].splitlines()) <= 150
    assert len(COMMANDS) >= 20
    assert "check my.py:ZeroCentred" in COMMANDS[0][1]


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=str)
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


@pytest.mark.parametrize(("page", "command"), INLINE, ids=str)
def test_command_in_a_sentence_names_no_unknown_option(page: str, command: str) -> None:
    words = arguments(command)
    if words in (["--help"], ["--version"]):
        return
    known, given = options(words[0]), {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= known, f"{page}: {given - known}"


@cache
def options(command: str) -> set[str]:
    """The options that `lipbench COMMAND --help` knows."""
    printed = StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit) as left:
        parse_arguments([command, "--help"])
    assert left.value.code == 0, command
    return {"--help", *re.findall(r"--[a-z][a-z-]*", printed.getvalue())}


@pytest.mark.parametrize(("page", "line"), LINES, ids=str)
def test_line_of_a_shell_block_can_be_typed(page: str, line: str) -> None:
    command = re.sub(r"\s+#.*", "", line)
    if command.startswith("make "):
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
        assert {word for word in shlex.split(command)[1:] if "=" not in word} <= targets
    elif found := re.match(r"\.venv/bin/pip install -c constraints\.txt -e '?\.(?:\[(\w+)\])?'?$", command):
        assert found[1] is None or found[1] in EXTRAS
    elif command.startswith(".venv/bin/pytest "):
        words = [word for word in command.split()[1:] if word.startswith("tests")]
        assert all((ROOT / word).exists() for word in words)
    elif found := re.match(r"\.venv/bin/python -m ([\w.]+)", command):
        assert exists(found[1])
    elif found := re.match(r"\.venv/bin/python (\w+\.py)$", command):
        assert f"# {found[1]}\n" in TEXT[page]
    else:
        assert command.startswith((".venv/bin/lipbench ", "lipbench ", *OTHERS)), f"{page}: {command}"


NAMED = re.compile(r"^```(python|yaml)\n# ([\w-]+\.(?:py|yaml))(.*?)^```", flags=re.DOTALL | re.MULTILINE)


SUITES = [page for page, text in TEXT.items() if "```yaml\n# " in text and page != "docs/plugins.md"]


@pytest.mark.parametrize("page", SUITES)  # test_examples.py expands that of docs/plugins.md
def test_suites_of_a_page_name_runs_that_can_be_made(page: str, tmp_path: Path) -> None:
    """With the objective that the page itself writes, or that docs/objective.md does."""
    for text in (TEXT["docs/objective.md"], TEXT[page]):
        for _, name, content in NAMED.findall(text):
            (tmp_path / name).write_text("#" + content, encoding="utf-8")
    for kind, name, _ in NAMED.findall(TEXT[page]):
        if kind == "yaml":
            suite, folder = load_suite(str(tmp_path / name))
            specs = expand(suite, RunContext(tmp_path / "out", suite_folder=folder))
            assert len(specs) >= 2 * len(suite.datasets)
            assert len({spec.objective for spec in specs}) == len(suite.objectives)


# What runs the blocks of Python: tests/test_plugins.py (my.py), test_examples.py and tests/bench/api/test_docs.py.
PYTHON = {"README.md", "docs/faq.md", "docs/objective.md", "docs/python.md"}


@pytest.mark.parametrize("page", TEXT)
def test_blocks_of_a_page_are_of_kinds_that_tests_read(page: str) -> None:
    kinds = [kind.strip() for kind in re.findall(r"^ *```(.*)$", TEXT[page], flags=re.MULTILINE)][::2]
    assert set(kinds) <= {"bash", "text", "yaml", "python", "toml"}
    assert "python" not in kinds or page in PYTHON
    assert kinds.count("yaml") == sum(kind == "yaml" for kind, _, _ in NAMED.findall(TEXT[page]))


def test_entry_point_of_the_pages_is_as_in_the_example_package() -> None:
    ours = tomllib.loads((ROOT / "tests/example_plugin/pyproject.toml").read_text(encoding="utf-8"))["project"]
    written = [
        block for text in TEXT.values() for block in re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]
    assert written
    for block in written:
        for group, names in tomllib.loads(block)["project"]["entry-points"].items():
            assert names.keys() <= ours["entry-points"][group].keys()
            assert all(re.fullmatch(r"[\w.]+:\w+", target) for target in names.values())


def test_options_in_sentences_exist() -> None:
    known = set().union(*(options(command) for command in COMMANDS_OF_LIPBENCH))
    known |= OPTIONS_OF_OTHERS | OPTIONS_OF_PERF
    for page, text in TEXT.items():
        spans = re.findall(r"`([^`\n]+)`", FENCED.sub("", text))
        named = {name for span in spans for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", span)}
        assert named <= known, f"{page}: {named - known}"


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
    """Whether there is such a module, or such a name in one."""
    module, _, last = name.rpartition(".")
    if not module or importlib.util.find_spec(module) is None:
        return False
    found = import_module(module)
    return hasattr(found, last) or (hasattr(found, "__path__") and importlib.util.find_spec(name) is not None)


def test_missing_module_is_found() -> None:
    for name in ("lipbench.objectives.no_such_module", "lipbench.objectives.base.NoSuchClass", "lipbench.nothing"):
        assert not exists(name)


@pytest.mark.parametrize("page", TEXT)
def test_links_lead_to_files(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#\s]+)", TEXT[page]):
        if "://" not in target:
            assert (folder / target).exists(), f"{page}: {target}"


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings, as the forge and the site make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower())) for heading in headings}


@pytest.mark.parametrize("page", TEXT)
def test_anchors_are_headings(page: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", TEXT[page]):
        there = (ROOT / page).parent / target if target else ROOT / page
        assert anchor in slugs(there.read_text(encoding="utf-8")), f"{page}: {target}#{anchor}"


def test_readme_table_is_the_reference() -> None:
    summary = (ROOT / "results/reference/quick/summary.md").read_text(encoding="utf-8").replace("**", "").splitlines()
    row_start = re.compile(r"\| (minimax|wgan-\w+|sn-gan|floor) \|")
    shown = [line for line in TEXT["README.md"].splitlines() if row_start.match(line)]
    assert len(shown) == 5
    for row in shown:  # the first columns of the reference's row
        assert any(line.startswith(row) for line in summary), row


def test_table_page_prints_the_values_of_the_reference() -> None:
    summary = (ROOT / "results/reference/quick/summary.md").read_text(encoding="utf-8").replace("**", "")
    printed = TEXT["docs/table.md"].split("```")[1]
    cells = re.findall(r"\S+ \[[^\]]+\]", printed)
    assert len(cells) >= 30
    assert not [cell for cell in cells if f"| {cell} |" not in summary]


def test_claims_page_counts_the_verdicts_of_the_reference() -> None:
    first = (ROOT / "results/reference/stability/verdicts.md").read_text(encoding="utf-8").splitlines()[0]
    counts = dict((verdict, number) for number, verdict in re.findall(r"(\d+) ([a-z ]+)", first))
    page = TEXT["docs/claims.md"]
    for verdict in ("reproduced", "not reproduced", "false as stated"):
        assert f"{counts[verdict]} {verdict}" in page, json.dumps(counts)
    assert f"{counts['rows']} rows" in page
