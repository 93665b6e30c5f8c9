"""The losses of the game as pure functions of logits [B]; each returns a scalar to be minimised.

No networks, penalties or constraints here: a loss and a constraint vary independently.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """A pair of losses: `critic(real, fake)` and `generator(fake, real)`, on logits [B].

    Only a `relativistic` generator loss looks at the real logits; the others ignore them.
    """

    name: str
    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor | None], Tensor]
    relativistic: bool = False


def minimax_critic(real: Tensor, fake: Tensor) -> Tensor:
    """−E[log D(x)] − E[log(1 − D(G(z)))] with D = sigmoid(logit) (Goodfellow et al. 2014, eq. 1)."""
    return -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()


def minimax_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """E[log(1 − D(G(z)))], which saturates where the critic is sure (Goodfellow et al. 2014, eq. 1)."""
    return F.logsigmoid(-fake).mean()


def non_saturating_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """−E[log D(G(z))] (Goodfellow et al. 2014, section 3)."""
    return -F.logsigmoid(fake).mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[f(G(z))] − E[f(x)], the negated dual of W1 (Arjovsky et al. 2017, eq. 3)."""
    return fake.mean() - real.mean()


def mean_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """−E[f(G(z))], the generator's side of the Wasserstein and of the hinge loss."""
    return -fake.mean()


def hinge_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 − f(x))] + E[max(0, 1 + f(G(z)))] (Miyato et al. 2018, eq. 16)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def relativistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(−(f(x) − f(G(z))))] on pairs (Jolicoeur-Martineau 2019; Huang et al. 2024, eq. 2)."""
    return F.softplus(fake - real).mean()


def relativistic_generator(fake: Tensor, real: Tensor | None) -> Tensor:
    """E[softplus(−(f(G(z)) − f(x)))] on pairs: the critic's loss with the two sides exchanged."""
    if real is None:
        raise ValueError("the relativistic generator loss needs the logits of real samples")
    return F.softplus(real - fake).mean()


def least_squares_critic(real: Tensor, fake: Tensor) -> Tensor:
    """½E[(f(x) − 1)²] + ½E[f(G(z))²] (Mao et al. 2017, eq. 9: a = 0, b = c = 1)."""
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def least_squares_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """½E[(f(G(z)) − 1)²] (Mao et al. 2017, eq. 9)."""
    return 0.5 * (fake - 1).square().mean()


MINIMAX = Loss("minimax", minimax_critic, minimax_generator)
"""Critic: −E[log D(x)] − E[log(1 − D(G(z)))]. Generator: E[log(1 − D(G(z)))]."""

NON_SATURATING = Loss("non_saturating", minimax_critic, non_saturating_generator)
"""Critic: −E[log D(x)] − E[log(1 − D(G(z)))]. Generator: −E[log D(G(z))]."""

WASSERSTEIN = Loss("wasserstein", wasserstein_critic, mean_generator)
"""Critic: E[f(G(z))] − E[f(x)]. Generator: −E[f(G(z))]."""

HINGE = Loss("hinge", hinge_critic, mean_generator)
"""Critic: E[max(0, 1 − f(x))] + E[max(0, 1 + f(G(z)))]. Generator: −E[f(G(z))]."""

RELATIVISTIC = Loss("relativistic", relativistic_critic, relativistic_generator, relativistic=True)
"""Critic: E[softplus(f(G(z)) − f(x))] on pairs. Generator: E[softplus(f(x) − f(G(z)))]."""

LEAST_SQUARES = Loss("least_squares", least_squares_critic, least_squares_generator)
"""Critic: ½E[(f(x) − 1)²] + ½E[f(G(z))²]. Generator: ½E[(f(G(z)) − 1)²]."""
