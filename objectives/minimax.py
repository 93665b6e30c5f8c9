"""The unconstrained games of Goodfellow et al. 2014: minimax (Jensen–Shannon) and non-saturating."""

from .base import Objective


class Minimax(Objective):
    """The game of Goodfellow et al. 2014, eq. 1: min_G max_D E[log D(x)] + E[log(1 − D(G(z)))].

    With the optimal critic the generator minimises 2·JSD − 2·log 2; the critic is not constrained in any way.
    """

    name = "minimax"
    reference = "Goodfellow et al., Generative Adversarial Networks, 2014, arXiv:1406.2661"

    def __init__(self, *, loss: str = "minimax") -> None:
        super().__init__(loss=loss)


class NonSaturating(Objective):
    """The same critic; the generator maximises E[log D(G(z))] instead (Goodfellow et al. 2014, section 3)."""

    name = "non-saturating"
    reference = "Goodfellow et al., Generative Adversarial Networks, 2014, arXiv:1406.2661"

    def __init__(self, *, loss: str = "non_saturating") -> None:
        super().__init__(loss=loss)
