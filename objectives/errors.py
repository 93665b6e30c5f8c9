"""The one exception that stands for a user's mistake; the command line prints it as a line and exits with status 2."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

LIKE = 0.65  # difflib's ratio of names that are close: at its own 0.6 cosine would be none, above 0.66 mpl not mlp
LONGEST = 1000  # characters of a message: three lines of a wide terminal say it


class BadInput(ValueError):
    """Something the user gave cannot be used. The message is one line: what, where, what is allowed.

    It may quote whatever the user gave, and others' messages: they are made one line here.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class Missing(BadInput):
    """A file or folder that is not there.

    `remedies` names the parameters that help (data, download, weights): whoever has such options says what to type.
    """

    def __init__(self, message: str, *remedies: str) -> None:
        super().__init__(message)
        self.remedies = remedies


def one_line(text: str) -> str:
    r"""The text without line breaks, with \x1b for what a terminal would obey, and without the middle if it is long."""
    joined = re.sub(r"\s*[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]\s*", " ", text).strip()
    if len(joined) > LONGEST:
        joined = f"{joined[: LONGEST * 2 // 3]} … {joined[-LONGEST // 4 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)


def message_of(error: object, most: int = LONGEST) -> str:
    """What an error says, in one line of at most so many characters; the name of its type where it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def error_line(error: BaseException) -> str:
    """`Type: message` of an error in somebody else's code, which may refuse to say it."""
    try:
        message = str(error)
    except Exception:
        message = "an error without a message that can be shown"
    return one_line(" ".join(f"{type(error).__name__}: {message}".split()))


@contextmanager
def naming(where: str, anything: bool = False) -> Iterator[None]:
    """A BadInput from within says first where; so does `anything` else, as of somebody else's code, on one line."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
    except (Exception, SystemExit) as error:
        if not anything:
            raise
        raise BadInput(f"{where}: {error_line(error)}") from error


def printable(text: str) -> str:
    """The same, with what no file can hold (lone surrogates) spelt out."""
    return text.encode(errors="backslashreplace").decode()


def unknown(kind: str, name: str, known: list[str]) -> BadInput:
    """An error for a name that is not known, which lists the names that are, closest first if one is close."""
    return BadInput(f"unknown {kind} '{name}'{did_you_mean(name, known)}; known: {', '.join(sorted(known))}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Names the closest of the known names, to follow one that is not known; nothing where none is close."""
    from difflib import get_close_matches

    close = get_close_matches(str(name)[:LONGEST], list(known), n=1, cutoff=LIKE)  # a settings file may hold anything
    return f" (did you mean '{close[0]}'?)" if close else ""
