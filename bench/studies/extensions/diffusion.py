"""A denoising diffusion model of points, the baseline beside the games: schedule, network, loss and sampling.

Ho, Jain, Abbeel 2020, arXiv:2006.11239, whose equations are cited. No study, data set or metric is named here.
"""

import math

import torch
from torch import Tensor, nn

from ....models.mlp import perceptron

TIMES = 200  # T; the paper's 1,000 with its noise scaled, so that a sample takes a fifth of the passes
FEATURES = 32  # of the time


class Diffusion(nn.Module):
    """Predicts the noise in points of R^d at time t = 1 … T, and draws points by taking it out step by step.

    β_t rises linearly, from 1e-4·1000/T to .02·1000/T (section 4 of the paper, which has T = 1,000). The network is a
    `depth` × `width` ReLU perceptron of the point and of sines and cosines of the time.

    Args:
        dimension: d.
        width, depth: hidden units and layers, as of a generator.
        times: T.
    """

    beta: Tensor
    kept: Tensor
    frequencies: Tensor

    def __init__(self, dimension: int, *, width: int = 128, depth: int = 3, times: int = TIMES) -> None:
        super().__init__()
        beta = torch.linspace(0.1 / times, 20 / times, times, dtype=torch.float64)
        kept = (1 - beta).cumprod(dim=0)  # ᾱ_t, the share of the data's variance that is left
        self.register_buffer("beta", beta.float())
        self.register_buffer("kept", kept.float())
        half = torch.arange(FEATURES // 2) / (FEATURES // 2)
        self.register_buffer("frequencies", 1000 / times * torch.exp(-math.log(1e4) * half))
        self.dimension, self.times = dimension, times
        self.layers = perceptron(dimension + FEATURES, dimension, width=width, depth=depth)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The noise predicted in the points x [B, d] at times t [B], int64 in 1 … T; [B, d]."""
        angle = t[:, None] * self.frequencies
        return self.layers(torch.cat([x, angle.sin(), angle.cos()], dim=1))

    def loss(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """L_simple (eq. 14) on data x [B, d]: mean squared error of the noise, at times drawn evenly; scalar."""
        t = torch.randint(1, self.times + 1, (len(x),), generator=rng, device=x.device)
        noise = torch.randn(x.shape, generator=rng, device=x.device)
        kept = self.kept[t - 1, None]
        return (self(kept.sqrt() * x + (1 - kept).sqrt() * noise, t) - noise).square().mean()

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """[n, d] points by algorithm 2, with the posterior's variance (eq. 7) in each step."""
        x = torch.randn(n, self.dimension, generator=rng, device=rng.device)
        for t in range(self.times, 0, -1):
            beta, kept = self.beta[t - 1], self.kept[t - 1]
            noise = self(x, torch.full((n,), t, device=x.device))
            x = (x - beta / (1 - kept).sqrt() * noise) / (1 - beta).sqrt()  # eq. 11
            if t > 1:
                variance = (1 - self.kept[t - 2]) / (1 - kept) * beta
                x = x + variance.sqrt() * torch.randn(x.shape, generator=rng, device=x.device)
        return x
