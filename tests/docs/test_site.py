"""docs/hooks.py: links, help and gallery of the site. `make docs` builds all of it."""

import csv
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
KNOWN = {"table.md", "faq.md", "CONTRIBUTING.md", "results/reference/critics/README.md", "results/reference/a.png"}


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("place", "page", "link", "expected"),
    [
        ("docs/index.md", "index.md", "[t](table.md#a)", "[t](table.md#a)"),
        ("docs/index.md", "index.md", "![p](../results/reference/a.png)", "![p](results/reference/a.png)"),
        ("docs/index.md", "index.md", "[c](../CONTRIBUTING.md)", "[c](CONTRIBUTING.md)"),
        ("CONTRIBUTING.md", "CONTRIBUTING.md", "[t](docs/table.md)", "[t](table.md)"),
        ("docs/index.md", "index.md", "[games](../objectives/game.py)", "`games`"),
        ("docs/index.md", "index.md", "[`game.py`](../objectives/game.py)", "`game.py`"),
        ("docs/index.md", "index.md", "[x](https://example.org/a.md)", "[x](https://example.org/a.md)"),
        (
            "results/reference/critics/README.md",
            "results/reference/critics/README.md",
            "[q](../../../docs/faq.md)",
            "[q](../../../faq.md)",
        ),
    ],
)
def test_link_of_the_repository_becomes_one_of_the_site(
    hooks: ModuleType, place: str, page: str, link: str, expected: str
) -> None:
    assert hooks.LINK.sub(lambda match: hooks.site_link(match, place, page, KNOWN), link) == expected


def test_gallery_shows_every_study_with_pictures_that_exist(hooks: ModuleType) -> None:
    shown = hooks.gallery("critics/studies")
    with (ROOT / "results/reference/critics/studies/verdicts.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert {"W1", "W4"} <= {row["id"] for row in rows} == set(re.findall(r"^### (W\d)", shown, re.MULTILINE))
    assert shown.count("**not reproduced**") == sum(row["verdict"] == "not reproduced" for row in rows) > 0
    for folder in ("stability", "images", "kept", "critics/studies"):
        targets = [match["target"] for match in hooks.LINK.finditer(hooks.gallery(folder)) if match["picture"]]
        assert targets and all((ROOT / "docs" / target).is_file() for target in targets)


def test_help_of_a_command_is_the_programs_own(hooks: ModuleType) -> None:
    shown = hooks.command_help("run")
    assert "--time-limit" in shown and "usage: lipbench" in shown


def test_links_in_code_stay(hooks: ModuleType) -> None:
    page = type("Page", (), {"file": type("File", (), {"src_uri": "index.md"})})
    text = "[a](../objectives/game.py)\n\n```python\nx = y[0](z)\n[a](../objectives/game.py)\n```\n"
    changed = hooks.on_page_markdown(text, page, None, [])
    assert changed == text.replace("[a](../objectives/game.py)", "`a`", 1)
