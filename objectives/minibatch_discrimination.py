"""Minibatch discrimination: the critic sees how close the samples of a batch are (Salimans et al. 2016)."""

import torch
from torch import Tensor, nn

from .base import Objective
from .checks import at_least_zero, positive_integer
from .layers import head, no_hidden_layer


class MinibatchDiscrimination(Objective):
    """The head also sees o(xᵢ)_b = 1/n·Σⱼ exp(−‖M_ib − M_jb‖₁), M_i = T·h(xᵢ) in R^(B×C) (Salimans et al. 2016, 3.2).

    h is what enters the critic's head. The paper has the sum over the n samples of the batch; the mean lets the head
    learn the same functions, at one scale whatever n is (the authors' code scales T by the first batch instead).
    The logits depend on the whole batch by design, real and generated apart, so no slope per sample is defined.

    Args:
        loss: see `Objective`.
        kernels: B, the number of similarities, ≥ 1.
        kernel_dims: C, the dimension each is measured in, ≥ 1.
        weight: scale of o before it enters the head, ≥ 0; n for the paper's sum.

    Raises:
        BadInput: for B or C that are not integers above zero, or a negative weight.
    """

    name = "minibatch-discrimination"
    reference = "Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498"

    def __init__(
        self, *, loss: str = "non_saturating", kernels: int = 100, kernel_dims: int = 5, weight: float = 1.0
    ) -> None:
        super().__init__(loss=loss)
        self.weight = at_least_zero("weight", weight)
        self.kernels = positive_integer("kernels", kernels)
        self.kernel_dims = positive_integer("kernel_dims", kernel_dims)

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        missing = no_hidden_layer(critic)
        if missing is None and not isinstance(head(critic)[1], nn.Linear):
            return "the critic's last layer is not linear, so nothing can be concatenated to its features"
        return missing

    def prepare_critic(self, critic: nn.Module) -> nn.Module:
        name, linear = head(critic)
        assert isinstance(linear, nn.Linear), "skip_reason is asked first"
        critic.set_submodule(name, MinibatchHead(linear, self.kernels, self.kernel_dims, self.weight))
        return critic


class MinibatchHead(nn.Module):
    """head(h) + V·(weight·o(h)): the linear head on the concatenation of h [n, A] and similarities o(h) [n, kernels].

    T starts with columns of about unit length, as in the authors' code, and V at zero.
    """

    def __init__(self, head: nn.Linear, kernels: int, kernel_dims: int, weight: float) -> None:
        super().__init__()
        like = {"device": head.weight.device, "dtype": head.weight.dtype}
        self.head = head
        self.project = nn.Linear(head.in_features, kernels * kernel_dims, bias=False, **like)
        self.on_similarities = nn.Linear(kernels, head.out_features, bias=False, **like)
        self.kernels, self.weight = kernels, weight
        nn.init.normal_(self.project.weight, std=head.in_features**-0.5)
        nn.init.zeros_(self.on_similarities.weight)

    def similarities(self, h: Tensor) -> Tensor:
        """o(h), [n, kernels], each within [1/n, 1]: a sample is similar to itself."""
        m = self.project(h).unflatten(1, (self.kernels, -1)).transpose(0, 1)
        return torch.cdist(m, m, p=1).neg().exp().mean(2).T

    def forward(self, h: Tensor) -> Tensor:
        return self.head(h) + self.on_similarities(self.weight * self.similarities(h))
