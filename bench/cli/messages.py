"""What the parser says about a mistake, in words that a user understands."""

import re
from collections.abc import Collection

from ...objectives.errors import Missing

_PLAIN = {
    r"Parser key \"(\w+)\": ": r"argument \1: ",
    r"are required: \w+\.": "are required: ",
    r"(Given|Got) value:$": r"\1 value: ",
    r"Expected a typing\.Literal\[(.*?)\]\. Got value: (.*)": r"must be one of \1, not '\2'",
    r"Does not validate against any of the Union .*?Expected a typing\.Literal\[(.*?)\].* Given value: (.*)": (
        r"must be one of \1, not '\2'"
    ),
    r"Does not validate against any of the Union .*?Expected an? <class '(\w+)'>.* Given value: (.*)": (
        r"must be of type \1, not '\2'"
    ),
    r"Expected an? <class '(\w+)'>\. Got value: (.*)": r"must be of type \1, not '\2'",
}

# What to type where something is missing, by the parameter that helps.
_REMEDIES = {
    "data": "name the folder that has it with --data DIR",
    "download": "add --download to fetch it there",
    "weights": "name the file with --weights PATH",
}

# What messages call some parameters.
_PARAMETERS = {
    "time limit": "time_limit",
    "GPUs for each run": "gpus_per_run",
    "seconds between checkpoints": "checkpoint_seconds",
    "dry run": "dry_run",
}


def underscored(argument: str) -> str:
    """An option as the parser knows it: --time-limit is --time_limit, and may be written either way."""
    option, sign, value = argument.partition("=")
    return f"--{option[2:].replace('-', '_')}{sign}{value}" if option.startswith("--") else argument


def dashed(text: str) -> str:
    """A text with its options as users write them: --time-limit, and "argument time-limit" of a mistake."""
    return re.sub(r"--\w+|(?<=argument )\w+", lambda option: option[0].replace("_", "-"), text)


def with_option(text: str, options: Collection[str]) -> str:
    """A message of the program's about a parameter, `time_limit: 0: …`, with the option that gives it: --time-limit."""
    what, sign, rest = text.partition(": ")
    name = _PARAMETERS.get(what, what)
    if not sign or name not in options:
        return text
    value = " " if ": " in rest else ": "  # "0: must be 1 or more", "for the executor local"
    return f"--{name.replace('_', '-')}{value}{rest}"


def with_remedies(text: str, error: BaseException | None, options: Collection[str]) -> str:
    """The message of an error with what to type against it, of what a cause names and the command has options for."""
    while error is not None and not isinstance(error, Missing):
        error = error.__cause__
    named = error.remedies if error is not None else ()
    helps = ", or ".join(_REMEDIES[name] for name in named if name in options)
    return f"{text}; {helps}" if helps else text


def plain(message: str) -> str:
    """A message of jsonargparse's as one plain line."""
    told = " ".join(message.split())
    for pattern, words in _PLAIN.items():
        told = re.sub(pattern, words, told)
    return dashed(told)
