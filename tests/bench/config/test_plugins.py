"""Where objectives are found, how their arguments are checked, and the one line that tells what is wrong."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from py_compile import compile as compile_file
from typing import Any

import pytest

from lipbench.bench.config.entry_points import OBJECTIVE, installed, known_names
from lipbench.bench.config.plugins import bind_arguments, build_objective, find_objective
from lipbench.bench.studies.claims.training_advice.batch_norm import PenaltyThroughBatchNorm, PenaltyWithNorms
from lipbench.objectives import BUILTINS, BadInput, GradientPenalty, Minimax, SpectralNorm

WritePlugin = Callable[..., Path]


@pytest.fixture(autouse=True)
def forget_modules() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("lipbench_plugin_", "somebodys")):
            del sys.modules[name]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    """Installs packages that have one entry point (name, value) each, called as its module; code lies in tmp_path."""
    monkeypatch.syspath_prepend(tmp_path)
    request.addfinalizer(installed.cache_clear)

    def packages(*points: tuple[str, str]) -> None:
        for name, value in points:
            package = value.partition(":")[0]
            folder = tmp_path / f"{package}-1.0.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8"
            )
            (folder / "entry_points.txt").write_text(f"[{OBJECTIVE.group}]\n{name} = {value}\n", encoding="utf-8")
        installed.cache_clear()

    return packages


def told(call: Callable[..., Any], *arguments: Any) -> str:
    """The one line that a mistake is told in."""
    with pytest.raises(BadInput) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 500
    return line


@pytest.mark.parametrize("name", BUILTINS)
def test_plugins_find_a_built_in_by_its_name(name: str) -> None:
    found = find_objective(name)
    assert found.cls is BUILTINS[name]
    assert found.cls.name == name
    assert found.source is None


def test_plugins_know_the_source_of_what_is_not_asked_for_by_a_built_in_name() -> None:
    targets = [f"{c.__module__}:{c.__name__}" for c in (PenaltyThroughBatchNorm, PenaltyWithNorms, Minimax)]
    assert len({find_objective(target).source for target in targets} - {None}) == 3


def test_plugins_find_a_class_in_a_file(write_plugin: WritePlugin) -> None:
    path = write_plugin()
    found = find_objective(f"{path}:Mine")
    assert found.cls.name == "mine"
    assert found.target == f"{path}:Mine"
    assert re.fullmatch("[0-9a-f]{64}", found.source or "")


def test_plugins_look_beside_the_suite_first_then_in_the_working_directory(
    write_plugin: WritePlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "suite").mkdir()
    write_plugin("where = 'here'", "both.py")
    write_plugin("where = 'suite'", "suite/both.py")
    write_plugin("where = 'here'", "one.py")
    monkeypatch.chdir(tmp_path)
    assert find_objective("both.py:Mine", Path("suite")).cls.where == "suite"  # pyright: ignore[reportAttributeAccessIssue]
    assert find_objective("both.py:Mine").cls.where == "here"  # pyright: ignore[reportAttributeAccessIssue]
    assert find_objective("one.py:Mine", Path("suite")).cls.where == "here"  # pyright: ignore[reportAttributeAccessIssue]


def test_plugins_never_mix_two_files_of_one_name_or_two_versions_of_one_file(
    write_plugin: WritePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python keeps what it compiled by the file's size and second.
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (write_plugin().parent / "other").mkdir()
    path = write_plugin("version = 1")
    first = find_objective(f"{path}:Mine")
    other = find_objective(f"{write_plugin('version = 7', 'other/my.py')}:Mine")
    before = path.stat()
    write_plugin("version = 2")
    os.utime(path, (before.st_atime, before.st_mtime))
    second = find_objective(f"{path}:Mine")
    assert [f.cls.version for f in (first, other, second)] == [1, 7, 2]  # pyright: ignore[reportAttributeAccessIssue]
    assert len({f.source for f in (first, other, second)}) == 3
    assert find_objective(f"{path}:Mine").cls is second.cls


def test_plugins_find_a_class_in_a_module(write_plugin: WritePlugin, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write_plugin(name="somebodys_module.py")
    found = find_objective("somebodys_module:Mine")
    assert found.cls.name == "mine"
    assert re.fullmatch("[0-9a-f]{64}", found.source or "")


def test_plugins_find_a_built_in_by_its_module_too() -> None:
    assert find_objective("lipbench.objectives:Minimax").cls is Minimax


def test_plugins_find_an_entry_point_and_list_it(write_plugin: WritePlugin, install: Callable[..., None]) -> None:
    write_plugin(name="somebodys_package.py")
    install(("mine", "somebodys_package:Mine"))
    assert find_objective("mine").cls.__module__ == "somebodys_package"
    assert find_objective("somebodys_package:Mine").cls is find_objective("mine").cls
    listed = known_names(OBJECTIVE)
    assert listed["minimax"] == "built in"
    assert listed["mine"] == "from the package somebodys_package"
    assert set(listed) == {*BUILTINS, "mine"}


def test_plugins_refuse_two_packages_that_claim_one_name(install: Callable[..., None]) -> None:
    install(("mine", "one:Mine"), ("mine", "another:Mine"))
    for call in (lambda: find_objective("mine"), lambda: find_objective("minimax"), lambda: known_names(OBJECTIVE)):
        line = told(call)
        assert all(word in line for word in ("two objectives are called 'mine'", "package one", "package another"))


def test_plugins_refuse_a_package_that_claims_the_name_of_a_built_in(install: Callable[..., None]) -> None:
    install(("minimax", "a:Mine"))
    assert "two objectives are called 'minimax': built in, and" in told(find_objective, "minimax")


def test_plugins_refuse_an_entry_point_whose_class_goes_by_another_name(
    write_plugin: WritePlugin, install: Callable[..., None]
) -> None:
    write_plugin(name="somebodys_misnomer.py")
    install(("yours", "somebodys_misnomer:Mine"))
    assert "objective 'yours': its class calls itself 'mine'" in told(find_objective, "yours")


def test_plugins_refuse_an_entry_point_that_cannot_be_imported(install: Callable[..., None]) -> None:
    install(("mine", "somebodys_absent_package:Mine"))
    line = told(find_objective, "mine")
    assert "objective 'mine'" in line
    assert "ModuleNotFoundError: No module named 'somebodys_absent_package'" in line


@pytest.mark.parametrize("by", ["file", "module"])
def test_plugins_refuse_a_class_that_takes_the_name_of_another(
    write_plugin: WritePlugin, tmp_path: Path, monkeypatch: Any, by: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path = write_plugin("name = 'wgan-gp'", "somebodys_copy.py")
    target = f"{path}:Mine" if by == "file" else "somebodys_copy:Mine"
    assert told(find_objective, target) == f"{target}: the name 'wgan-gp' is taken (built in); rename it"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("wgn-gp", r"unknown objective 'wgn-gp' \(did you mean 'wgan-gp'\?\); known: .*minimax.*sn-gan.*"),
        ("", "unknown objective ''; known: .*"),
        ("absent.py:Mine", "objective file not found: .*absent.py"),
        ("my.py", "objective 'my.py': give the name in it too, as in my.py:MyOwn"),
        ("somebodys.nowhere:Mine", "objective .* cannot be imported: ModuleNotFoundError: .*"),
        (":Mine", "objective ':Mine' cannot be imported: ValueError: .*"),
        (".relative:Mine", "objective .* cannot be imported: TypeError: .*"),
        ("my.py:Yours", "my.py:Yours: no 'Yours' in there; found: Mine"),
        ("my.py:", "my.py:: no '' in there; found: Mine"),
        ("my.py:Batch", "my.py:Batch: not a class derived from lipbench.objectives.Objective"),
        ("my.py:number", "my.py:number: not a class derived from .*"),
        ("my.py:Objective", "my.py:Objective: Objective is abstract: give it 'name' and 'reference'.*"),
        ("math:pi", "math:pi: not a class derived from .*"),
    ],
)
def test_plugins_tell_what_cannot_be_found(
    write_plugin: WritePlugin, monkeypatch: Any, tmp_path: Path, target: str, line: str
) -> None:
    write_plugin("number = 3\n").write_text((tmp_path / "my.py").read_text() + "\nnumber = 3\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert re.fullmatch(line, told(find_objective, target))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("class Mine(:", "SyntaxError: invalid syntax"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
    ],
)
def test_plugins_tell_why_a_file_cannot_be_imported(write_plugin: WritePlugin, text: str, line: str) -> None:
    path = write_plugin(head=text)
    for _ in range(2):  # the second time must not find half a module
        assert line in told(find_objective, f"{path}:Mine")


@pytest.mark.parametrize(
    "text",
    [
        "class Mine(Objective):\n    name = 'mine'",
        "class Mine(Objective):\n    reference = 'x'",
        "class Mine(Objective):\n    name, reference = 3, 'x'",
        "class Mine(Objective, ABC):\n    name, reference = 'mine', 'x'\n    @abstractmethod\n    def f(self): ...",
    ],
)
def test_plugins_refuse_an_abstract_class(write_plugin: WritePlugin, text: str) -> None:
    head = f"from abc import ABC, abstractmethod\nfrom lipbench.objectives import Objective\n{text}\n"
    assert "Mine is abstract: give it 'name' and 'reference'" in told(find_objective, f"{write_plugin(head=head)}:Mine")


def test_plugins_refuse_another_version_of_the_contract(write_plugin: WritePlugin) -> None:
    line = told(find_objective, f"{write_plugin('api_version = 0')}:Mine")
    assert "written for objective API 0, this lipbench has 1" in line


def test_plugins_bind_arguments_with_their_defaults() -> None:
    bound = bind_arguments(GradientPenalty, {"weight": 1, "at": "real"}, "here")
    assert bound == {"loss": "wasserstein", "weight": 1.0, "at": "real", "one_sided": False, "target": 1.0}
    assert isinstance(bound["weight"], float)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"wieght": 1}, "here: wgan-gp: unknown argument 'wieght' (did you mean 'weight'?); known: at, "),
        ({"weight": "much"}, "here: wgan-gp: weight='much': Input should be a valid number"),
        ({"weight": None}, "here: wgan-gp: weight=None: "),
        ({"one_sided": 7}, "here: wgan-gp: one_sided=7: "),
        ({"at": 3}, "here: wgan-gp: at=3: "),
        ({"weight": float("inf")}, "here: wgan-gp: weight=inf: "),
    ],
)
def test_plugins_refuse_an_argument_that_does_not_fit(given: dict[str, Any], line: str) -> None:
    assert told(bind_arguments, GradientPenalty, given, "here").startswith(line)


@pytest.mark.parametrize(
    ("name", "given", "line"),
    [
        ("wgan-gp", {"weight": -1}, "here: wgan-gp: weight=-1.0: must be a number ≥ 0"),
        ("wgan-clip", {"clip": 0}, "here: wgan-clip: clip=0.0: must be a number > 0"),
        ("minimax", {"loss": "hinje"}, "here: minimax: unknown loss 'hinje' (did you mean 'hinge'?); known: hinge, "),
    ],
)
def test_plugins_build_nothing_from_a_value_that_is_not_allowed(name: str, given: dict[str, Any], line: str) -> None:
    assert told(build_objective, find_objective(name), given, "here").startswith(line)


def test_plugins_take_annotations_that_are_text(write_plugin: WritePlugin) -> None:
    body = "def __init__(self, *, much: Literal['a', 'b'] = 'a'): ..."
    head = f"from __future__ import annotations\nfrom typing import Literal\n{write_plugin().read_text()}"
    found = find_objective(f"{write_plugin(body, head=head)}:Mine")
    assert bind_arguments(found.cls, {"much": "b"}, "here") == {"much": "b"}
    assert "much='x'" in told(bind_arguments, found.cls, {"much": "x"}, "here")


def test_plugins_follow_arguments_that_are_passed_on(write_plugin: WritePlugin) -> None:
    body = "def __init__(self, *, much: int = 2, **others):\n    super().__init__(**others)\n    self.much = much"
    found = find_objective(f"{write_plugin(body)}:Mine")
    assert bind_arguments(found.cls, {"loss": "hinge"}, "here") == {"loss": "hinge", "much": 2}
    assert build_objective(found, {"loss": "hinge", "much": 5}, "here").loss.name == "hinge"
    assert "unknown argument 'more'; known: loss, much" in told(bind_arguments, found.cls, {"more": 1}, "here")


def test_plugins_that_do_not_pass_arguments_on_have_their_own_alone(write_plugin: WritePlugin) -> None:
    body = "def __init__(self, *, much: int = 2):\n    super().__init__(loss='hinge')"
    found = find_objective(f"{write_plugin(body)}:Mine")
    assert bind_arguments(found.cls, {}, "here") == {"much": 2}
    assert "unknown argument 'loss'; known: much" in told(bind_arguments, found.cls, {"loss": "hinge"}, "here")


def test_plugins_tell_which_argument_is_missing(write_plugin: WritePlugin) -> None:
    found = find_objective(f"{write_plugin('def __init__(self, *, a: int, b: int): ...')}:Mine")
    assert told(bind_arguments, found.cls, {"a": 1}, "here") == "here: mine: needs b"


@pytest.mark.parametrize(
    ("annotation", "default"), [("object", "torch.relu"), ("torch.dtype", "torch.float32"), ("set", "{1}")]
)
def test_plugins_refuse_a_value_that_no_record_can_hold(
    write_plugin: WritePlugin, annotation: str, default: str
) -> None:
    found = find_objective(f"{write_plugin(f'def __init__(self, *, a: {annotation} = {default}): ...')}:Mine")
    assert re.match("here: mine: a=.*: must be of a kind that JSON holds", told(bind_arguments, found.cls, {}, "here"))


def test_plugins_tell_which_value_is_of_another_class(write_plugin: WritePlugin) -> None:
    found = find_objective(f"{write_plugin('def __init__(self, *, a: torch.nn.Module): ...')}:Mine")
    assert told(bind_arguments, found.cls, {"a": 3}, "here").startswith("here: mine: a=3: Input should be an instance")


def test_plugins_tell_what_a_constructor_raises(write_plugin: WritePlugin) -> None:
    body = "def __init__(self, *, a: int = 3):\n    raise ZeroDivisionError(f'no\\n{a}')"
    found = find_objective(f"{write_plugin(body)}:Mine")
    assert told(build_objective, found, {}, "here") == "here: mine: ZeroDivisionError: no 3"


def test_plugins_build_the_objective_that_was_asked_for() -> None:
    objective = build_objective(find_objective("sn-gan"), {"loss": "non_saturating"}, "here")
    assert isinstance(objective, SpectralNorm)
    assert objective.loss.name == "non_saturating"


def test_plugins_import_what_lies_beside_their_file(write_plugin: WritePlugin, tmp_path: Path) -> None:
    (tmp_path / "somebodys_helper.py").write_text("number = 7\n", encoding="utf-8")
    path = write_plugin(head=f"import somebodys_helper\n{write_plugin().read_text()}", name="helped.py")
    before = list(sys.path)
    source = find_objective(f"{path}:Mine").source
    assert sys.path == before
    assert source not in (None, find_objective(f"{write_plugin(name='unhelped.py')}:Mine").source)


@pytest.mark.parametrize("where", ["somebodys_helper.py", "somebodys_package/helper.py"])
@pytest.mark.parametrize("as_file", [True, False])
def test_plugins_run_no_older_version_of_what_they_import(
    write_plugin: WritePlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, as_file: bool
) -> None:
    helper, module = tmp_path / where, where.removesuffix(".py").replace("/", ".")
    helper.parent.mkdir(exist_ok=True)
    helper.write_text("number = 1\n", encoding="utf-8")
    compile_file(str(helper), doraise=True)
    before = helper.stat()
    helper.write_text("number = 2\n", encoding="utf-8")
    os.utime(helper, (before.st_atime, before.st_mtime))  # by which, and by the size, Python knows it
    path = write_plugin(
        head=f"from {module} import number\n{write_plugin('version = number').read_text()}", name="own.py"
    )
    if not as_file:
        monkeypatch.syspath_prepend(tmp_path)
    try:
        found = find_objective(f"{path if as_file else 'own'}:Mine")
    finally:
        for name in (module, module.partition(".")[0], "own"):
            sys.modules.pop(name, None)
    assert found.cls.version == 2  # pyright: ignore[reportAttributeAccessIssue]
