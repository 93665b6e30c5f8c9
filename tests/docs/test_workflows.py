"""The forge's files: workflows, forms, Dependabot and citation say what the repository has."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def parsed(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each step of a workflow, with the job that it belongs to."""
    return [(job, step) for job in parsed(path)["jobs"].values() for step in job["steps"]]


def test_workflows_and_forms_are_found() -> None:
    assert [path.name for path in WORKFLOWS] == ["checks.yml", "weekly.yml"]
    assert len(FORMS) >= 3


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_steps_of_a_workflow_can_be_made_here(path: Path) -> None:
    for job, step in steps(path):
        assert ("uses" in step) != ("run" in step)
        command = step.get("run", "")
        assert set(re.findall(r"\bmake ([a-z-]+)", command)) <= set(TARGETS)
        assert set(re.findall(r"\.venv/bin/(\w+)", command)) <= {"pip", "pytest"}
        for extra in re.findall(r"'\.\[(\w+)\]'", command):
            assert extra in PROJECT["optional-dependencies"]
        for key in re.findall(r"matrix\.(\w+)", f"{job} {step}"):
            assert key in job["strategy"]["matrix"]
        assert job["steps"][0]["uses"].startswith("actions/checkout@")


def test_python_versions_are_those_that_the_project_allows() -> None:
    matrix = parsed(ROOT / ".github/workflows/checks.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={matrix['python'][0]}"
    allowed = {*matrix["python"], "${{ matrix.python }}"}
    for path in WORKFLOWS:
        asked = [step["with"]["python-version"] for _, step in steps(path) if "setup-python" in step.get("uses", "")]
        assert asked and set(asked) <= allowed  # as texts: 3.10 without quotes would be 3.1


def test_files_that_workflows_name_exist() -> None:
    made = {"build/coverage", "build/site", "dist"}  # by make coverage, make docs, make dist
    for path in WORKFLOWS:
        for _, step in steps(path):
            given = step.get("with", {})
            assert "cache-dependency-path" not in given or (ROOT / given["cache-dependency-path"]).is_file()
            assert given.get("path", "dist") in made


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_form_asks_for_something(path: Path) -> None:
    form = parsed(path)
    assert form["name"] and form["description"]
    names = [part["id"] for part in form["body"]]
    assert names and len(set(names)) == len(names)
    for part in form["body"]:
        assert part["type"] in ("textarea", "input") and part["attributes"]["label"]


def test_dependabot_watches_actions_and_packages() -> None:
    watched = {update["package-ecosystem"] for update in parsed(ROOT / ".github/dependabot.yml")["updates"]}
    assert watched == {"github-actions", "pip"}


def test_citation_names_this_version() -> None:
    citation = parsed(ROOT / "CITATION.cff")
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
