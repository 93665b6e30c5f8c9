"""What holds for every built-in objective, and that each takes its two steps on our own critics."""

import inspect

import pytest
import torch

from lipbench.models import ARCHITECTURES
from lipbench.objectives import BUILTINS, critic_step, generator_step

SHAPES = {"mlp": (2,), "dcgan": (1, 8, 8)}


def test_zoo_names_are_those_of_the_classes() -> None:
    assert {name: cls.name for name, cls in BUILTINS.items()} == {name: name for name in BUILTINS}
    assert len(set(BUILTINS.values())) == len(BUILTINS)


@pytest.mark.parametrize("name", BUILTINS)
def test_zoo_arguments_are_keywords_with_defaults(name: str) -> None:
    parameters = list(inspect.signature(BUILTINS[name]).parameters.values())
    assert parameters[0].name == "loss"
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters)


@pytest.mark.parametrize("name", BUILTINS)
def test_zoo_arguments_can_be_read_back(name: str) -> None:
    objective = BUILTINS[name]()
    for parameter in inspect.signature(BUILTINS[name]).parameters.values():
        value = getattr(objective, parameter.name)
        assert (value.name if parameter.name == "loss" else value) == parameter.default


@pytest.mark.parametrize("name", BUILTINS)
def test_zoo_references_a_paper(name: str) -> None:
    assert "arXiv:" in BUILTINS[name].reference


@pytest.mark.parametrize("architecture", SHAPES)
@pytest.mark.parametrize("name", BUILTINS)
def test_zoo_trains_both_networks(name: str, architecture: str, make_batch) -> None:
    torch.manual_seed(0)
    shape = SHAPES[architecture]
    size = {"width": 16} if architecture == "mlp" else {"channels": 4}
    networks, objective = ARCHITECTURES[architecture](shape, **size), BUILTINS[name]()
    assert objective.skip_reason(networks.critic, shape) is None
    generator, critic = networks.generator, objective.prepare_critic(networks.critic)
    batch = make_batch(8, shape, dtype=torch.float32)
    before = [p.detach().clone() for p in (*critic.parameters(), *generator.parameters())]
    scalars = critic_step(objective, critic, batch, torch.optim.Adam(critic.parameters(), lr=1e-3))
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3)
    scalars |= generator_step(objective, generator, critic, torch.randn(8, networks.latent_dim), batch, optimizer)
    assert all(value.isfinite() and value.dim() == 0 for value in scalars.values())
    after = [*critic.parameters(), *generator.parameters()]
    critics = len(list(critic.parameters()))
    changed = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
    assert any(changed[:critics]) and any(changed[critics:])
