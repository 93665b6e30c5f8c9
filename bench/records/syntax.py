"""The definitions in a module's text, each with the names that it uses; comments and docstrings are left out."""

import ast
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

IGNORED = {"ctx", "kind", "type_comment"}


@dataclass(frozen=True)
class Definition:
    """A part of a module.

    Attributes:
        digest: a hash of its syntax tree and of what its names stand for.
        uses: names in it that the module binds or imports, dotted → where they lead, dotted.
        texts: literal ones in it.
    """

    digest: str
    uses: dict[str, str]
    texts: frozenset[str]


@dataclass
class Module:
    """What stands at the top of a module: names that are bound and imported there, and all other statements."""

    name: str
    package: str
    bound: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    rest: list[ast.stmt] = field(default_factory=list)

    def definition(self, name: str, canonical: Callable[[str], str]) -> Definition:
        """What binds that name; the statements that bind none for an empty one."""
        return self._described(self.bound[name] if name else self.rest, canonical)

    def whole(self) -> Definition:
        """The module in one piece, which uses all that it imports."""
        statements = [statement for found in self.bound.values() for statement in found] + self.rest
        found = self._described(statements, str)
        uses = found.uses | self.imports
        for node in (node for statement in statements for node in ast.walk(statement)):
            uses |= imported(node, self.package)
        return Definition(found.digest, uses, found.texts)

    def _described(self, statements: list[ast.stmt], canonical: Callable[[str], str]) -> Definition:
        nodes = [node for statement in statements for node in _kept(statement)]
        known = {name: f"{self.name}.{name}" for name in self.bound} | self.imports
        for node in nodes:
            known |= imported(node, self.package)
        uses: dict[str, str] = {}
        for written in {name for statement in statements for name in names(statement)}:
            base, dot, attributes = written.partition(".")
            if base in known:
                uses[written] = known[base] + dot + attributes
        plain = [*map(_as_text, statements), *sorted(f"{written}={canonical(used)}" for written, used in uses.items())]
        texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        return Definition(hashlib.sha256("\n".join(plain).encode()).hexdigest(), uses, frozenset(texts))


def parse(content: bytes, name: str, is_package: bool = False) -> Module:
    """The module of that dotted name. Raises SyntaxError, and ValueError for content that is no text."""
    module = Module(name, name if is_package else name.rpartition(".")[0])
    for statement in (s for s in ast.parse(content).body if not _decides_nothing(s)):
        own = imported(statement, module.package)
        bound = _bound(statement)
        module.imports |= own
        for key in bound:
            module.bound.setdefault(key, []).append(statement)
        if not own and not bound:
            module.rest.append(statement)
    return module


def imported(node: ast.AST, package: str) -> dict[str, str]:
    """Name → dotted origin of an import statement in a module of that package; nothing for any other node."""
    if isinstance(node, ast.Import):
        return {
            a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0] for a in node.names
        }
    if not isinstance(node, ast.ImportFrom):
        return {}
    above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
    origin = ".".join([*above, node.module] if node.module else above)
    return {a.asname or a.name: origin if a.name == "*" else f"{origin}.{a.name}" for a in node.names}


def names(node: ast.AST) -> Iterator[str]:
    """The names in a tree, with the attributes that follow them: `stability.gradient_norm`."""
    chain, base = [], node
    while isinstance(base, ast.Attribute):
        chain.append(base.attr)
        base = base.value
    if isinstance(base, ast.Name):
        yield ".".join([base.id, *reversed(chain)])
        return
    for child in ast.iter_child_nodes(base):
        yield from names(child)


def _bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = [part for t in statement.targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    found = [target.id for target in targets if isinstance(target, ast.Name)]
    return found if len(found) == len(targets) else []


def _kept(statement: ast.stmt) -> Iterator[ast.AST]:
    """All nodes below, after those are removed that decide nothing."""
    for node in ast.walk(statement):
        for _, value in ast.iter_fields(node):
            if isinstance(value, list):
                value[:] = [item for item in value if not _decides_nothing(item)]
        yield node


def _decides_nothing(node: object) -> bool:
    """Docstrings, texts that stand alone, and imports for type checkers."""
    if isinstance(node, ast.If):
        return not node.orelse and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _as_text(node: object) -> str:
    """A syntax tree as text that no version of Python writes otherwise, as `ast.dump` does."""
    if isinstance(node, ast.AST):
        parts = (f"{k}={_as_text(v)}" for k, v in ast.iter_fields(node) if k not in IGNORED and v not in (None, []))
        return f"{type(node).__name__}({','.join(parts)})"
    return f"[{','.join(map(_as_text, node))}]" if isinstance(node, list) else repr(node)
