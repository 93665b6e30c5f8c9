"""The source of a plug-in that a notebook or a script defines, which has no file of its own to compare.

It is put together from the definitions: a class with the functions, classes and values that it uses.
"""

import ast
import inspect
import symtable
import sys
import textwrap
from types import FunctionType, ModuleType
from typing import Any

from ...objectives.errors import BadInput

MAIN = "__main__"


def is_interactive(target: str) -> bool:
    """Whether this is what a notebook or a script defines, `__main__:Name`."""
    return target.startswith(f"{MAIN}:")


def interactive_source(name: str) -> bytes:
    """A module's text that defines `name` of `__main__`, and all of `__main__` that this uses, in order of names.

    Raises BadInput where Python does not know the source, as of what was made by `exec`.
    """
    known = vars(sys.modules[MAIN])
    texts, todo = dict[str, str](), [name]
    while todo:
        name = todo.pop()
        if name in texts or name not in known:
            continue
        texts[name] = text = _statement(name, known[name])
        todo += _used(symtable.symtable(text, name, "exec"))
    return "\n".join(texts[name] for name in sorted(texts)).encode()


def _used(scope: symtable.SymbolTable) -> list[str]:
    """Names that a text takes from its module; a variable of a function is another one, also where names agree."""
    outermost = scope.get_type() == "module"
    names = [s.get_name() for s in scope.get_symbols() if (s.is_referenced() if outermost else s.is_global())]
    return names + [name for inner in scope.get_children() for name in _used(inner)]


def _statement(name: str, value: Any) -> str:
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    if isinstance(value, type | FunctionType):
        if value.__module__ in (MAIN, "__mp_main__"):
            return _class_text(value) if isinstance(value, type) else _text(value)
        return f"from {value.__module__} import {value.__qualname__.partition('.')[0]} as {name}"
    return f"{name} = {repr(value)!r}"


def _text(function: FunctionType) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise BadInput(f"{function.__qualname__}: its source is not known; put it into a file") from error


def _class_text(cls: type) -> str:
    """Found by one of its methods, since only functions know in which cell of a notebook they were defined."""
    for method in (value for value in vars(cls).values() if inspect.isfunction(value)):
        try:
            lines, line = inspect.findsource(method)
        except OSError:
            continue
        for node in ast.walk(ast.parse("".join(lines))):
            if not isinstance(node, ast.ClassDef) or node.name != cls.__name__:
                continue
            if node.lineno <= line + 1 <= (node.end_lineno or 0):
                return ast.unparse(node)
    raise BadInput(f"{cls.__qualname__}: its source is not known; put it into a file")
