"""What may be asked of a training, by name. Imports no torch."""

from ..objectives.errors import BadInput

ACCELERATIONS = ("none", "graph", "compile")
PRECISIONS = ("32", "tf32", "bf16")


def check_device(accelerate: str, precision: str, device: str) -> None:
    """Raises BadInput for what this kind of device cannot do."""
    for key, value in (("accelerate", accelerate), ("precision", precision)):
        if value in ("graph", "tf32") and not device.startswith("cuda"):
            raise BadInput(f"{key} '{value}': needs a CUDA GPU, and the device is {device}")
