"""The critic of the continuous W1 benchmark (Korotin, Kolesov, Burnaev 2022): a perceptron as torch initialises it."""

from torch import nn

from ..objectives.checks import natural_number
from .networks import Networks, Unsuited

LEAST = 128


def korotin_mlp(shape: tuple[int, ...], *, width: int = 0) -> Networks:
    """A critic [d, w, w, 1] of ReLUs on points in R^d, and a generator [d, w, w, d].

    Layers begin as torch makes them, weights and biases uniform in ±1/√inputs, unlike those of `mlp`.

    Args:
        shape: of one sample.
        width: w; 0 is the benchmark's max(2d, 128).

    Raises:
        Unsuited: for images.
        BadInput: for a width below zero.
    """
    if len(shape) != 1:
        raise Unsuited(f"korotin-mlp: samples of shape {tuple(shape)}: must be points")
    d = shape[0]
    w = natural_number("width", width) or max(2 * d, LEAST)
    return Networks(_perceptron(d, w, d), nn.Sequential(_perceptron(d, w, 1), nn.Flatten(0)), d)


def _perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    layers = [nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)]
    return nn.Sequential(*layers)
