"""How a Lightning logger is asked for: a name or `pkg.mod:Class`, with arguments. Imports no torch, no Lightning."""

from collections.abc import Mapping
from typing import Any

from ...objectives.errors import BadInput, unknown
from ..config.suite import Named, key_value

LOGGERS = {"csv": "CSVLogger", "tensorboard": "TensorBoardLogger", "wandb": "WandbLogger", "mlflow": "MLFlowLogger"}
EXAMPLE = "wandb?project=gan"


def parse_logger(entry: Named) -> tuple[str, dict[str, Any]]:
    """Name and arguments of `NAME?key=value&key=value`, or of a mapping {name: …, key: value}; values are YAML.

    Raises BadInput for a name that is neither known nor `pkg.mod:Class`, and for arguments that cannot be read.
    """
    if isinstance(entry, Mapping):
        target, arguments = entry.get("name"), {key: value for key, value in entry.items() if key != "name"}
    else:
        target, _, rest = entry.partition("?")
        arguments = dict(key_value(pair, EXAMPLE) for pair in rest.split("&") if pair)
    module, _, name = str(target).partition(":")
    if target not in LOGGERS and not (module and name):
        error = unknown("logger", str(target), list(LOGGERS))
        raise BadInput(f"{error}; or give a class, pkg.mod:Class")
    return str(target), arguments
