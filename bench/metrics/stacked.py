"""Modes of stacked MNIST: a classifier reads each colour as a digit, three digits are the mode. No data here."""

import torch
from torch import Tensor

from .classifier import mnist_cnn
from .points import kl_to_uniform

MODES = 1000
BATCH = 512  # digits per pass of the classifier


class StackedModes:
    """How many of the 1,000 modes the images of a generator fall into, and KL(their shares ‖ uniform) in nats.

    As in VEEGAN (Srivastava et al. 2017, section 5.2), with the shipped classifier of MNIST: any image counts. The
    values depend on the number of images: 26,000 there.
    """

    def __init__(self, n: int, device: torch.device | str = "cpu") -> None:
        self.n = n
        self.classifier = mnist_cnn().to(device)

    def __call__(self, images: Tensor) -> dict[str, float]:
        """{"modes", "mode_kl"} of the first n images [≥ n, 3, 28, 28] in [-1, 1]; those not finite are in no mode.

        Without a finite image `mode_kl` is undefined, and log 1000 is returned, its largest value.
        """
        images = images[: self.n]
        images = images[images.flatten(1).isfinite().all(dim=1)]
        counts = torch.bincount(self.modes(images), minlength=MODES)
        return {"modes": int((counts > 0).sum()), "mode_kl": kl_to_uniform(counts.double())}

    def modes(self, images: Tensor) -> Tensor:
        """[N] int64, 0 … 999, of images [N, 3, H, W]: red, green and blue digit read as a number."""
        grey = images.flatten(0, 1).unsqueeze(1)
        read = torch.cat([self.classifier(part)[1].argmax(dim=1).cpu() for part in grey.split(BATCH)])
        return (read.view(-1, 3) * torch.tensor([100, 10, 1])).sum(dim=1)

    @property
    def protocol(self) -> dict[str, dict[str, str | int]]:
        """Per metric, all that two values must share to stand in one column."""
        shared: dict[str, str | int] = {
            "classifier": self.classifier.name,
            "sha256": self.classifier.sha256,
            "n_fake": self.n,
        }
        return {"modes": shared, "mode_kl": shared}
