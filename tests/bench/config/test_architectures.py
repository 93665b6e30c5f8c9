"""Networks that somebody else brings: how they are named, called, recorded, and what is wrong with them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lipbench.bench.config.architectures import build_architecture, check_networks, resolve_architecture
from lipbench.models import Unsuited
from lipbench.objectives import BadInput

USUAL = {"name": "mlp", "width": 8}
NETWORKS = """
import torch
from torch import nn
from lipbench.models import Networks, Unsuited

class Generator(nn.Module):
    latent_dim, latent = 3, "uniform"
    def __init__(self, shape, gain: float = 1.0):
        super().__init__()
        self.shape, self.layer = shape, nn.Linear(3, shape.numel() if hasattr(shape, "numel") else shape[0])
    def forward(self, z):
        return self.layer(z).unflatten(1, self.shape)

class Critic(nn.Module):
    def __init__(self, shape, width: int = 4):
        super().__init__()
        if len(shape) != 1:
            raise Unsuited("points alone")
        self.layers = nn.Sequential(nn.Linear(shape[0], width), nn.ReLU(), nn.Linear(width, 1))
    def forward(self, x):
        return self.layers(x).squeeze(1)

def pair(shape, *, width: int = 4):
    return Generator(shape), Critic(shape, width)

def whole(shape):
    return Networks(Generator(shape), Critic(shape), 3, classes=0)

def column(shape):
    return Generator(shape), nn.Linear(shape[0], 1)

def nameless(shape):
    return nn.Linear(3, shape[0]), Critic(shape)

def number(shape):
    return 3

def broken(shape):
    raise RuntimeError("no\\nnetwork")

def without(*, width: int = 3): ...
def taken(shape, generator: str = "x"): ...
def mlp(shape): ...
three = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my.py").write_text(NETWORKS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def build(folder: Path) -> Callable[..., Any]:
    def made(entry: Any, shape: tuple[int, ...] = (2,)) -> Any:
        found = resolve_architecture(entry, USUAL, folder, "s.yaml")
        networks = build_architecture(found.spec, found.target, shape, folder)
        check_networks(networks, shape)
        return networks

    return made


def test_architecture_may_be_a_pair_or_networks(build: Callable[..., Any]) -> None:
    for entry in ("my.py:pair", "my.py:whole", {"name": "my.py:pair", "width": 6}):
        networks = build(entry)
        assert networks.latent_dim == 3
        assert type(networks.critic).__name__ == "Critic"
    assert networks.critic.layers[0].out_features == 6
    assert build("my.py:pair").latent == "uniform"


def test_architecture_may_be_one_network_beside_a_built_in(build: Callable[..., Any]) -> None:
    mine = build({"name": "my.py:Critic", "width": 5, "generator": {"name": "mlp", "width": 7, "latent_dim": 9}})
    assert (type(mine.critic).__name__, mine.critic.layers[0].out_features, mine.latent_dim) == ("Critic", 5, 9)
    mine = build({"name": "my.py:Generator", "critic": "mlp"})
    assert (type(mine.generator).__name__, type(mine.critic).__name__, mine.latent_dim) == ("Generator", "MLPCritic", 3)
    for part, kept in (("generator", "Critic"), ("critic", "MLPCritic")):
        assert type(build({"name": "my.py:pair", part: "mlp"}).critic).__name__ == kept


def test_architecture_is_recorded_with_all_settings_and_its_source(folder: Path) -> None:
    entry = {"name": "my.py:Critic", "generator": {"name": "mlp", "width": 16}}
    found = resolve_architecture(entry, USUAL, folder, "s.yaml")
    assert found.label == "Critic(generator=mlp(width=16))"
    assert found.spec["width"] == 4
    assert found.spec["generator"]["name"] == "mlp"
    assert found.spec["generator"]["depth"] == 3
    assert found.target == "my.py:Critic"
    assert re.fullmatch("[0-9a-f]{64}", found.source or "")
    json.dumps(found.spec)
    (folder / "my.py").write_text(NETWORKS.replace("nn.ReLU()", "nn.Tanh()"), encoding="utf-8")
    assert resolve_architecture(entry, USUAL, folder, "s.yaml").source != found.source
    assert resolve_architecture("mlp", USUAL, folder, "s.yaml").source is None


def test_architecture_that_suits_no_such_sample_says_so(build: Callable[..., Any]) -> None:
    with pytest.raises(Unsuited, match="points alone"):
        build("my.py:pair", (1, 8, 8))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("my.py:Critc", "s.yaml: architectures: my.py:Critc: no 'Critc' in there; found: Generator, Critic, .*"),
        ("yours.py:Critic", "s.yaml: architectures: architecture file not found: .*yours.py"),
        ("my.py:three", "s.yaml: architectures: my.py:three: not a function or class that makes networks"),
        ("my.py:mlp", r"s.yaml: architectures: my.py:mlp: the name 'mlp' is taken \(built in\); rename it"),
        ("my.py:without", "s.yaml: architectures: without: must take the shape of a sample first, .*"),
        ("my.py:taken", "s.yaml: architectures: taken: a setting cannot be called 'generator': .*"),
        ({"name": "my.py:Critic", "widht": 3}, r".*Critic: unknown setting 'widht' \(did you mean 'width'\?\); .*"),
        ({"name": "my.py:Critic", "width": "x"}, ".*Critic: width='x': Input should be a valid integer.*"),
        ({"name": "my.py:Critic", "generator": "mpl"}, ".*Critic: generator: unknown architecture 'mpl' .*"),
        ({"name": "my.py:Critic", "generator": 3}, ".*Critic: generator=3: must be an architecture"),
        ({"name": "my.py:pair", "generator": "mlp", "critic": "mlp"}, ".*: both generator and critic are given: .*"),
        ("my.py:Critic", "makes one network: say which built-in gives the other, .*"),
        ("my.py:number", "makes int: must be Networks, a pair .*"),
        ("my.py:broken", "RuntimeError: no network"),
        ("my.py:nameless", "its generator must have an attribute 'latent_dim', .*"),
        ("my.py:column", r"its critic turns \(2, 2\) into \(2, 1\): must be \(2,\)"),
    ],
)
def test_architecture_that_cannot_be_used_is_told_in_a_line(build: Callable[..., Any], entry: Any, line: str) -> None:
    with pytest.raises(BadInput) as caught:
        build(entry)
    assert re.fullmatch(line, str(caught.value))


def test_networks_that_do_not_go_together_are_told(build: Callable[..., Any]) -> None:
    networks = build("my.py:pair")
    networks.critic = nn.Linear(5, 1)
    with pytest.raises(BadInput, match=r"its critic fails on a batch of shape \(2, 2\): RuntimeError: .*"):
        check_networks(networks, (2,))
    with pytest.raises(BadInput, match=r"its generator turns \(2, 3\) into \(2, 2\): must be \(2, 7\)"):
        check_networks(networks, (7,))
    assert torch.is_grad_enabled()
