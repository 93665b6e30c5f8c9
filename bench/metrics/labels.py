"""What metrics of images are called. Imports no torch."""

from ...objectives.errors import unknown

LABELS = {  # metric -> (with Inception, with anything else)
    "fd": ("FID", "FD"),
    "is": ("IS", "IS"),
    "kid": ("KID", "KID"),
    "precision": ("precision", "precision"),
    "recall": ("recall", "recall"),
    "class_accuracy": ("class accuracy", "class accuracy"),
    "intra_fd": ("intra-FID", "intra-FD"),
    "class_kl": ("class KL", "class KL"),
}
CLASS_METRICS = ("class_accuracy", "intra_fd", "class_kl")  # of data with labels, where a suite asks for them
METRICS = tuple(name for name in LABELS if name not in CLASS_METRICS)


def label(metric: str, extractor: str) -> str:
    """How a table calls a metric of `LABELS`: "FID" or "KID" for inception alone, else "FD(mnist-cnn)" and so on."""
    if metric not in LABELS:
        raise unknown("image metric", metric, list(LABELS))
    inception, other = LABELS[metric]
    return inception if extractor == "inception" else f"{other}({extractor})"
