"""A script for bash, or zsh's bashcompinit, which completes commands, options, and names that need no slow import.

Made from the signatures of the commands. The script holds every word, so a key press starts no process.
"""

import inspect
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from ..config.entry_points import ARCHITECTURE, DATASET, KINDS, OBJECTIVE, known_names
from ..config.recipes import RECIPES
from ..config.suite import suite_names
from ..studies.catalog import STUDIES
from .catalogue import catalogue
from .commands import COMMANDS
from .parser import SPECIAL

_ZSH = "autoload -Uz compinit bashcompinit && compinit -C && bashcompinit\n"
# bash parts KEY=VALUE into three words, zsh does not. `at`: the option, or the key with "=", whose value is completed.
_SCRIPT = """_lipbench() {
    local i last= option= prefix= at= key= words= current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            =) key=$last ;;
            -*) key= last=${COMP_WORDS[i]} option=$last ;;
            *) key= last=${COMP_WORDS[i]} ;;
        esac
    done
    case $current in
        =) key=$last current= ;;
        *=*) key=${current%%=*} prefix=$key= current=${current#*=} ;;
    esac
    case $key:$option:$last in
        -*:*:*) at=$key ;;
        ?*:*:*) at=$key= ;;
        SEVERAL) at=$option ;;
        *:-*) at=$last ;;
    esac
    case $COMP_CWORD:$command:$at:$current in
ROWS
    esac
    COMPREPLY=($(compgen -P "$prefix" -W "$words" -- "$current"))
    if [[ ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o default -F _lipbench lipbench
"""


def completion_script(shell: Literal["bash", "zsh"]) -> str:
    """The script as text. Raises BadInput if two installed packages claim one name."""
    rows = [f'        {pattern}) words="{" ".join(words)}" ;;' for pattern, words in _rows()]
    several = " | ".join(f"*:{_flag(name)}:*" for name, special in SPECIAL.items() if "nargs" in special)
    script = _SCRIPT.replace("SEVERAL", several).replace("ROWS", "\n".join(rows))
    return (_ZSH if shell == "zsh" else "") + script


def _rows() -> Iterator[tuple[str, list[str]]]:
    """Patterns of place:command:at:current, each with the words that may stand there. The first that fits counts."""
    known, signatures = _known(), {name: inspect.signature(function) for name, function in COMMANDS.items()}
    yield "1:*", [*COMMANDS, "--help", "--version"]
    for command, signature in signatures.items():
        options = {_flag(p.name): p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}
        yield f"*:{command}:*:-*", [*options, "--help"]
        for flag, option in options.items():
            words = [] if flag == "--set" and "suite" not in signature.parameters else _words(option, known)
            if option.annotation is not bool:
                yield f"*:{command}:{flag}:*", words
    for kind in (OBJECTIVE, ARCHITECTURE, DATASET):
        yield f"*:*:{kind.name}s=:*", sorted(known_names(kind))
    yield "*:*:recipe=:*", list(RECIPES)
    yield "*:*:*=:*", []
    for command, signature in signatures.items():
        first = next(iter(signature.parameters.values()))
        yield f"*:{command}:*", _words(first, known)


def _known() -> dict[str, list[str]]:
    """What a parameter takes by name, where its type does not say it."""
    return {
        "suite": suite_names(),
        "ids": [*STUDIES, "all"],
        "target": [name for kind in KINDS.values() for name in sorted(known_names(kind))],
        "device": ["auto", "cpu", "cuda"],
        "logger": ["csv", "tensorboard", "wandb", "mlflow"],
        "set": [f"{key}=" for key, _ in catalogue("suite-keys")],
    }


def _words(parameter: inspect.Parameter, known: dict[str, list[str]]) -> list[str]:
    return _choices(parameter.annotation) or known.get(parameter.name, [])


def _choices(annotation: Any) -> list[str]:
    """The values of the Literal in a type."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _flag(name: str) -> str:
    """The longest spelling of an option."""
    flags = SPECIAL.get(name, {}).get("flag", f"--{name}")
    return (flags if isinstance(flags, str) else flags[-1]).replace("_", "-")
