"""Feature matching, added to the generator's loss (Salimans et al. 2016)."""

import torch
from torch import Tensor, nn

from .base import Batch, Objective
from .checks import at_least_zero
from .layers import hidden_features, no_hidden_layer


class FeatureMatching(Objective):
    """The generator's loss + λ·‖E h(x) − E h(G(z))‖², h the critic's last hidden features (Salimans et al. 2016, 3.1).

    h is what enters the critic's head. The paper minimises the second term alone; here it joins the loss.

    Args:
        loss: see `Objective`.
        weight: λ, ≥ 0.

    Raises:
        BadInput: for a negative weight.
    """

    name = "feature-matching"
    reference = "Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498"

    def __init__(self, *, loss: str = "non_saturating", weight: float = 1.0) -> None:
        super().__init__(loss=loss)
        self.weight = at_least_zero("weight", weight)

    def skip_reason(self, critic: nn.Module, shape: tuple[int, ...]) -> str | None:
        return no_hidden_layer(critic)

    def generator_loss(self, critic: nn.Module, batch: Batch) -> Tensor:
        with hidden_features(critic) as features:
            fake = critic(self.transform(batch.fake, batch))
            real = critic(self.transform(batch.real, batch))
        # Under autocast h is in half precision, in which a mean of a batch keeps two or three digits.
        of_fake, of_real = (h.flatten(1).to(torch.promote_types(h.dtype, torch.float32)).mean(0) for h in features)
        return self.loss.generator(fake, real) + self.weight * (of_real - of_fake).square().sum()
