"""The options of every subcommand, made from its function's signature and docstring."""

import inspect
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from docstring_parser import parse
from jsonargparse import ArgumentParser

from .commands import COMMANDS, Command
from .messages import dashed, plain, underscored

# What a signature cannot say: arguments with several values, which may be given again for more, and switches.
_SEVERAL: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
_SPECIAL: dict[str, dict[str, Any]] = {
    "set": {"flag": "--set", **_SEVERAL, "metavar": "KEY=VALUE"},
    "logger": {"flag": "--logger", **_SEVERAL, "choices": ["csv", "tensorboard"]},
    "ids": {"flag": "ids", "nargs": "+", "metavar": "ID"},
    "slurm": {"flag": "--slurm", **_SEVERAL, "metavar": "KEY=VALUE"},
    "force": {"flag": "--force", "action": "store_true"},
    "download": {"flag": "--download", "action": "store_true"},
}


class Parser(ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str, ex: Exception | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Exit status 2."""
        prog = self.prog.replace(" [options]", "")
        print(f"{prog}: {plain(message)}; see {prog} --help", file=sys.stderr)
        sys.exit(2)

    def format_help(self, *settings: Any, **more: Any) -> str:
        """The help, with options spelt with dashes."""
        return dashed(super().format_help(*settings, **more))


def parse_arguments(arguments: Sequence[str]) -> tuple[Command, dict[str, Any]]:
    """The subcommand that is asked for, and what to call it with. A mistake ends the process with status 2."""
    parser = Parser(prog="lipbench", description="A benchmark of GAN objectives.", version=version("lipbench"))
    subcommands = parser.add_subcommands(dest="command")
    for name, function in COMMANDS.items():
        about = parse(inspect.getdoc(function) or "").short_description
        command = Parser(prog=f"lipbench {name}", description=about)
        if name in arguments:  # the options of the others, which nobody sees, take a moment to make
            _add_options(command, function)
        subcommands.add_subcommand(name, command, help=about)
    chosen = parser.parse_args([underscored(argument) for argument in arguments])
    return COMMANDS[chosen.command], vars(chosen[chosen.command])


def _add_options(command: Parser, function: Command) -> None:
    special = [name for name in inspect.signature(function).parameters if name in _SPECIAL]
    about = {p.arg_name: p.description for p in parse(inspect.getdoc(function) or "").params}
    command.add_function_arguments(function, as_group=False, as_positional=True, skip=set(special))
    for name in special:
        settings = dict(_SPECIAL[name])
        command.add_argument(settings.pop("flag"), help=about[name], **settings)
