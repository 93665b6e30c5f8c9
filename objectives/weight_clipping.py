"""WGAN's weight clipping (Arjovsky et al. 2017)."""

import torch
from torch import nn

from .base import Objective
from .checks import above_zero


class WeightClipping(Objective):
    """w ← clip(w, −c, c) after each critic step, for every trainable parameter (Arjovsky et al. 2017, algorithm 1).

    Args:
        loss: see `Objective`.
        clip: the bound c of every weight and bias, > 0.
        biases: whether biases are clipped too. They change no slope, but a clipped one holds the kinks of a ReLU layer
            near the origin; Korotin et al. 2022 clip weights alone.
        start_clipped: whether the first weights are clipped too, so that every pass sees clipped ones. Code that clips
            before each pass computes this (Korotin et al. 2022); clipping after each step leaves the first pass out.

    Raises:
        BadInput: if `clip` is not above zero.
    """

    name = "wgan-clip"
    reference = "Arjovsky, Chintala, Bottou, Wasserstein GAN, 2017, arXiv:1701.07875"

    def __init__(
        self, *, loss: str = "wasserstein", clip: float = 0.01, biases: bool = True, start_clipped: bool = False
    ) -> None:
        super().__init__(loss=loss)
        self.clip = above_zero("clip", clip)
        self.biases, self.start_clipped = biases, start_clipped

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        if self.start_clipped:
            with torch.no_grad():
                self.constrain_(critic)
        return critic

    def constrain_(self, critic: nn.Module) -> None:
        for name, parameter in critic.named_parameters():
            is_bias = name.rpartition(".")[2] == "bias"
            if parameter.requires_grad and (self.biases or not is_bias):
                parameter.clamp_(-self.clip, self.clip)
