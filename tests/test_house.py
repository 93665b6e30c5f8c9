"""The limits of the house: rooms, sizes, complexity and names. Reads sources as text; imports nothing of lipbench."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_FILE, MAX_FUNCTION, MAX_COMPLEXITY, MAX_ROOMS = 330, 40, 10, 14
SOURCES = sorted(path for top in ("bench", "models", "objectives") for path in (ROOT / top).rglob("*.py"))
BRANCHES = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.match_case)  # what ruff's C901 counts
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function)]


def lines_without_docstring(function: Function) -> int:
    """Lines of the body, from its first statement to its last; the signature and the docstring do not count."""
    body = function.body if ast.get_docstring(function, clean=False) is None else function.body[1:]
    return (function.end_lineno or function.lineno) - body[0].lineno + 1 if body else 0


def complexity(function: Function) -> int:
    """McCabe's, as ruff counts it, with every operand of `and` and `or` beyond the first as a decision of its own."""
    count, nodes = 1, list(ast.iter_child_nodes(function))
    while nodes:
        node = nodes.pop()
        if isinstance(node, Function):
            continue
        if isinstance(node, BRANCHES):
            count += 1
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        nodes.extend(ast.iter_child_nodes(node))
    return count


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_file_is_short_and_its_functions_fit_on_a_screen(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE
    long = {f.name: lines_without_docstring(f) for f in functions(path) if lines_without_docstring(f) > MAX_FUNCTION}
    assert not long, f"more than {MAX_FUNCTION} lines: {long}"
    hard = {f.name: complexity(f) for f in functions(path) if complexity(f) > MAX_COMPLEXITY}
    assert not hard, f"complexity above {MAX_COMPLEXITY}: {hard}"


def test_bench_has_few_rooms_and_no_loose_file() -> None:
    rooms = [p for p in (ROOT / "bench").iterdir() if p.is_dir() and p.name != "__pycache__"]
    assert len(rooms) <= MAX_ROOMS
    assert [p.name for p in (ROOT / "bench").glob("*.py")] == ["__init__.py"]


def test_no_two_classes_have_one_name() -> None:
    classes = Counter(
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert not [name for name, count in classes.items() if count > 1]


def test_complexity_counts_boolean_operators() -> None:
    tree = ast.parse("def f(a, b, c):\n    if a and b or c:\n        return a\n    return a or b")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    assert complexity(function) == 1 + 1 + 2 + 1
