"""Named protocols of image metrics: values for keys of a suite's `evaluation`; keys that it gives itself come first."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # Heusel et al. 2017 (FID: 50,000 generated images against the statistics of the training set) and Salimans et al.
    # 2016 (IS: 10 parts of 5,000); what pytorch-gan-collections and mimicry report on CIFAR-10.
    "50k-train": {"images": 50_000, "split": "train", "is_splits": 10},
    # Lucic et al. 2018, section 4: 10,000 generated images against the test set.
    "10k-test": {"images": 10_000, "split": "test", "is_splits": 10},
    # Miyato et al. 2018, appendix B.1: FID of 5,000 generated against 10,000 real images, which the paper does not say
    # from where (here: the training set); IS over 10 times 5,000 generated images.
    "sngan": {"images": 5_000, "reals": 10_000, "split": "train", "is_images": 50_000, "is_splits": 10},
}
