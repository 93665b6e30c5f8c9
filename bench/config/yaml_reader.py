"""Reads YAML that somebody else wrote: plain data of bounded size, or one clear line. Knows no suite.

The bounds are checked before anything is built: a few lines of nested aliases stand for billions of values.
"""

import re
import unicodedata
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from ...objectives.errors import BadInput

MAX_CHARACTERS = 100_000
MAX_DEPTH = 50
MAX_VALUES = 20_000  # with every alias written out
MAX_DIGITS = 30
_BOOL, _INT, _STR = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:str"


def parse_yaml(text: str, where: str) -> Any:
    """The value that a YAML text stands for: dicts, lists, texts, numbers, truth values and None.

    Args:
        text: one YAML document.
        where: opens the message of an error: a file, or an option with its value.

    Raises:
        BadInput: for text that is no YAML, is too large, too deep or refers to itself, and for tags.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadInput(f"{where}: {len(text):,} characters, at most {MAX_CHARACTERS:,} are read")
    try:
        _check_events(text)
        loader = PlainLoader(text)
        node = loader.get_single_node()
        _Sizes().check(node)
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise BadInput(f"{where}: not valid YAML: {_described(error)}") from error


class PlainLoader(yaml.SafeLoader):
    """Reads numbers as YAML 1.2 and everybody does: for YAML 1.1, and PyYAML, 1e-4 is none, 0100 is 64, 1:30 is 90.

    Dates are texts: nothing in a suite is one.
    A key that is given twice is an error, as in the standard; PyYAML would take the last one without a word.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """As PyYAML's, before merge keys (<<) bring in others. Raises ComposerError for a key that is given twice."""
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                raise ComposerError(problem=f"the key '{key.value}' is given twice", problem_mark=key.start_mark)
            seen.add((key.tag, key.value))
        return node


_NUMBERS = {
    "int": re.compile(r"[-+]?\d+$", re.ASCII),
    "float": re.compile(
        r"[-+]?((\d+\.\d*|\.\d+)([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(inf|Inf|INF))$|\.(nan|NaN|NAN)$", re.ASCII
    ),
}
PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag.rpartition(":")[2] not in (*_NUMBERS, "timestamp")]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _form in _NUMBERS.items():
    PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _form, list("-+.0123456789"))
PlainLoader.add_constructor(_INT, lambda loader, node: int(str(node.value)))


def _check_events(text: str) -> None:
    """Bounds the nesting and refuses tags; parsing into events does not recurse, composing them does."""
    depth = 0
    for event in yaml.parse(text, PlainLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ComposerError(
                problem=f"more than {MAX_DEPTH} levels inside one another", problem_mark=event.start_mark
            )
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", _STR):
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            raise ComposerError(problem=f"the tag {shown[:40]} means nothing here", problem_mark=event.start_mark)


class _Sizes:
    """How many values a node stands for with its aliases written out, each node counted once."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def check(self, node: yaml.Node | None) -> int:
        """The number of values. Raises ComposerError beyond MAX_VALUES, and for a node within itself."""
        if not isinstance(node, yaml.CollectionNode):
            return _check_scalar(node)
        if id(node) in self._known:
            return self._known[id(node)]
        if id(node) in self._open:
            raise ComposerError(problem="an anchor stands within itself", problem_mark=node.start_mark)
        self._open.add(id(node))
        total = 1
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                total += self.check(part)
        if total > MAX_VALUES:
            problem = f"more than {MAX_VALUES:,} values with every alias written out"
            raise ComposerError(problem=problem, problem_mark=node.start_mark)
        self._open.remove(id(node))
        self._known[id(node)] = total
        return total


def _check_scalar(node: yaml.Node | None) -> int:
    if node is None:
        return 0
    value = str(node.value)
    if node.tag == _BOOL and value.lower() not in ("true", "false"):
        problem = f"{value} is a text or a truth value: write true or false, or '{value}' in quotes"
        raise ComposerError(problem=problem, problem_mark=node.start_mark)
    if node.tag == _INT and len(value) > MAX_DIGITS:
        problem = f"a number of {len(value):,} digits, at most {MAX_DIGITS} are read"
        raise ComposerError(problem=problem, problem_mark=node.start_mark)
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":  # names go to a terminal
            problem = f"the character U+{ord(character):04X} is not allowed"
            raise ComposerError(problem=problem, problem_mark=node.start_mark)
    return 1


def _described(error: yaml.YAMLError) -> str:
    """The problem and its line, without PyYAML's `<unicode string>`."""
    if isinstance(error, ReaderError):
        return f"the character U+{int(error.character):04X} is not allowed"  # a number, whatever its annotation says
    assert isinstance(error, yaml.MarkedYAMLError)
    problem = " ".join((error.problem or str(error)).split())
    if problem.startswith("but ") and error.context:
        problem = f"{error.context} {problem}"
    mark = error.problem_mark or error.context_mark
    return problem if mark is None else f"line {mark.line + 1}: {problem}"
