"""The options of every subcommand, made from its function's signature and docstring."""

import inspect
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from docstring_parser import parse
from jsonargparse import ArgumentParser

from ...objectives.errors import one_line
from .commands import COMMANDS, Command
from .messages import dashed, plain, underscored

# What a signature cannot say: arguments with several values, which may be given again for more, and switches.
_SEVERAL: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
SPECIAL: dict[str, dict[str, Any]] = {
    "set": {"flag": "--set", **_SEVERAL, "metavar": "KEY=VALUE"},
    "logger": {"flag": "--logger", **_SEVERAL, "metavar": "NAME"},
    "folders": {"flag": "folders", "nargs": "+", "type": Path, "metavar": "DIR"},
    "ids": {"flag": "ids", "nargs": "+", "metavar": "ID"},
    "slurm": {"flag": "--slurm", **_SEVERAL, "metavar": "KEY=VALUE"},
    "asked": {"flag": "--class", "dest": "asked", "type": int, "metavar": "K"},
    "add": {"flag": "--add", "action": "store_true"},
    "force": {"flag": "--force", "action": "store_true"},
    "download": {"flag": "--download", "action": "store_true"},
    "detach": {"flag": "--detach", "action": "store_true"},
    "dry_run": {"flag": "--dry_run", "action": "store_true"},
    "notes": {"flag": "--notes", "action": "store_true"},
    "quiet": {"flag": "--quiet", "action": "store_true"},
    "verbose": {"flag": ("-v", "--verbose"), "action": "store_true"},
}
# The help of options that several commands share, where a command's docstring does not say otherwise.
_SHARED = {
    "set": "KEY=VALUE overrides of the suite, e.g. steps=60 or evaluation.count=5.",
    "jobs": "runs made at once on this machine (default: one per core on a CPU, one per GPU).",
    "data": "folder of the data sets that are kept in files (default: ~/.cache/lipbench).",
    "device": "auto, cpu, cuda (every GPU, in turn) or cuda:N.",
    "weights": "file with Inception's weights, for suites that ask for the extractor inception.",
    "download": "fetch what is missing: data sets, to where --data says, and Inception's weights where they are used.",
    "notes": "print every note below the tables, not the first alone; the page and summary.md have them all.",
    "checkpoint_seconds": "time between two checkpoints of a run, from which an interrupted one goes on.",
}


class Parser(ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    asked: "Parser | None" = None  # the subcommand's, once it is known; mistakes are its own

    def error(self, message: str, ex: Exception | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Exit status 2."""
        if self.asked is not None:
            self.asked.error(message, ex)
        prog = self.prog.replace(" [options]", "")
        told = re.sub(r"(?<=argument )[\w-]+|(?<=required: )[\w-]+", self._spelt, one_line(plain(message)))
        print(f"{prog}: {told}; see {prog} --help", file=sys.stderr)
        sys.exit(2)

    def _spelt(self, name: re.Match[str]) -> str:
        """An option with its dashes, another argument as it is."""
        return f"--{name[0]}" if f"--{name[0].replace('-', '_')}" in self._option_string_actions else name[0]

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
            parser.asked = parser.asked or command
        subcommands.add_subcommand(name, command, help=about)
    for argument in arguments:
        if re.fullmatch(r"(--[\w-]+=)?[-+]?\d{30,}", argument):
            parser.error(f"{argument[:20]}…: a number of that many digits is too large")
    chosen = parser.parse_args([underscored(argument) for argument in arguments])
    return COMMANDS[chosen.command], vars(chosen[chosen.command])


def _add_options(command: Parser, function: Command) -> None:
    special = [name for name in inspect.signature(function).parameters if name in SPECIAL]
    about = _SHARED | {p.arg_name: p.description for p in parse(inspect.getdoc(function) or "").params}
    command.add_function_arguments(function, as_group=False, as_positional=True, skip=set(special))
    for action in command._actions:
        action.help = action.help or about.get(action.dest)
    for name in special:
        settings = dict(SPECIAL[name])
        flag = settings.pop("flag")
        flags = [flag] if isinstance(flag, str) else flag
        command.add_argument(*flags, help=about[name], **settings)
