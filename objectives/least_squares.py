"""LSGAN: the least-squares loss with an unconstrained critic (Mao et al. 2017)."""

from .base import Objective


class LeastSquares(Objective):
    """min_D ½E[(D(x) − 1)²] + ½E[D(G(z))²], min_G ½E[(D(G(z)) − 1)²] (Mao et al. 2017, eq. 9)."""

    name = "least-squares"
    reference = "Mao et al., Least Squares Generative Adversarial Networks, 2017, arXiv:1611.04076"

    def __init__(self, *, loss: str = "least_squares") -> None:
        super().__init__(loss=loss)
