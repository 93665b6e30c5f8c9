"""The one exception that stands for a user's mistake; the command line prints it as a line and exits with status 2."""

LIKE = 0.65  # difflib's ratio of names that are close: at its own 0.6 cosine would be none, above 0.66 mpl not mlp


class BadInput(ValueError):
    """Something the user gave cannot be used. The message is one line: what, where, what is allowed."""


def unknown(kind: str, name: str, known: list[str]) -> BadInput:
    """An error for a name that is not known, which lists the names that are, closest first if one is close."""
    from difflib import get_close_matches

    close = get_close_matches(str(name), known, n=1, cutoff=LIKE)  # a settings file may hold anything
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return BadInput(f"unknown {kind} '{name}'{hint}; known: {', '.join(sorted(known))}")
