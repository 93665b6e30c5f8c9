"""Names of built-in things, and the modules they come from; a module is imported when its name is asked for.

A registry holds text, so that a list of names costs no import, and code depends on what it names only where it uses it.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T", covariant=True)


class Registry(Mapping[str, T], Generic[T]):
    """Name → object, imported at the first look.

    Args:
        package: the dotted name that `targets` are relative to.
        targets: name → "module:attribute" within the package.
    """

    def __init__(self, package: str, targets: Mapping[str, str]) -> None:
        self._package, self._targets = package, dict(targets)

    def __getitem__(self, name: str) -> T:
        module, _, attribute = self.target(name).partition(":")
        return getattr(import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def target(self, name: str) -> str:
        """`package.module:attribute` behind a name; imports nothing."""
        return f"{self._package}.{self._targets[name]}"

    def about(self, name: str, attribute: str | None = None) -> str:
        """The first line of the docstring behind a name, or of its text `attribute`; read, not imported.

        A constant's docstring is the text that follows its assignment; its attribute an argument of the call assigned.
        """
        body, defined = self._source(name)
        text = _docstring(body, defined) if attribute is None else _text(body, defined, attribute)
        return text.strip().partition("\n")[0]

    def settings(self, name: str) -> tuple[dict[str, str], str]:
        """The settings of the class or function behind a name, with their defaults as text, and its docstring."""
        body, defined = self._source(name)
        return _keywords(body, defined), _docstring(body, defined)

    def _source(self, name: str) -> tuple[list[ast.stmt], str]:
        """The module that a name's target lies in, as a tree, and what it is called there."""
        module, _, defined = self.target(name).partition(":")
        spec = find_spec(module)
        assert spec is not None and spec.origin is not None
        return ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body, defined


def _keywords(body: Sequence[ast.stmt], name: str) -> dict[str, str]:
    """Arguments that are given by name alone and have a default; a class without its own has those of its base."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef) and statement.name == name:
            pairs = zip(statement.args.kwonlyargs, statement.args.kw_defaults, strict=True)
            return {one.arg: ast.unparse(default) for one, default in pairs if default is not None}
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            found = _keywords(statement.body, "__init__")
            bases = [base.id for base in statement.bases if isinstance(base, ast.Name)]
            return found or next((own for base in bases if (own := _keywords(body, base))), {})
    return {}


def _docstring(body: Sequence[ast.stmt], name: str) -> str:
    for statement, following in pairwise([*body, ast.Pass()]):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef) and statement.name == name:
            return ast.get_docstring(statement) or ""
        if _assigns(statement, name) and isinstance(following, ast.Expr):
            return str(ast.literal_eval(following.value))
    return ""


def _text(body: Sequence[ast.stmt], name: str, attribute: str) -> str:
    for statement in body:
        values: list[ast.expr] = []
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            values = [s.value for s in statement.body if isinstance(s, ast.Assign) and _assigns(s, attribute)]
        elif isinstance(statement, ast.Assign) and _assigns(statement, name) and isinstance(statement.value, ast.Call):
            values = [keyword.value for keyword in statement.value.keywords if keyword.arg == attribute]
        if values:
            return str(ast.literal_eval(values[0]))
    return ""


def _assigns(statement: ast.stmt, name: str) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name for target in statement.targets
    )
