"""The distribution: what the wheel holds, what its metadata says, and that the tested versions fit the ranges."""

import itertools
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lipbench

ROOT = Path(__file__).parents[1]
FOLDERS = ("bench", "models", "objectives")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """The paths under the three folders that git tracks."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout, so there is no list of tracked files to compare with")
    listed = subprocess.run(["git", "ls-files", "-z", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\0") if path]


@pytest.fixture(scope="module")
def wheel(tracked: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built from a copy of the tracked files, so that a stale build/ cannot leak into it."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in ["pyproject.toml", "README.md", "LICENSE", *tracked]:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, source / path)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path).namelist()


def test_wheel_holds_exactly_the_tracked_files(wheel: list[str], tracked: list[str]) -> None:
    code = {name for name in wheel if ".dist-info/" not in name}
    assert code == {f"lipbench/{path}" for path in tracked}


def test_wheel_holds_the_licence_and_no_top_level_name_but_ours(wheel: list[str]) -> None:
    info = f"lipbench-{PYPROJECT['project']['version']}.dist-info"
    assert {name.split("/")[0] for name in wheel} == {"lipbench", info}
    assert f"{info}/licenses/LICENSE" in wheel


def test_packages_lists_every_folder_with_python_files(tracked: list[str]) -> None:
    folders = {PurePosixPath(path).parent for path in tracked if path.endswith(".py")}
    names = {".".join(("lipbench", *folder.parts)) for folder in folders}
    assert names == set(PYPROJECT["tool"]["setuptools"]["packages"])
    assert not [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()]


def test_lipbench_is_a_namespace_without_code() -> None:
    assert lipbench.__file__ is None
    assert not (ROOT / "__init__.py").exists()


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_tells_type_checkers_that_it_is_typed(wheel: list[str], folder: str) -> None:
    assert f"lipbench/{folder}/py.typed" in wheel


def test_entry_point_lipbench_is_callable() -> None:
    (script,) = entry_points(group="console_scripts", name="lipbench")
    assert script.value == "lipbench.bench.cli:main"
    assert callable(script.load())


def test_constraints_pin_every_dependency_within_its_range() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): number for name, number in pins.items()}
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    declared = [*PYPROJECT["project"]["dependencies"], *itertools.chain.from_iterable(extras)]
    for requirement in map(Requirement, declared):
        if requirement.name != "lipbench":
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), str(requirement)
