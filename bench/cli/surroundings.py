"""What lipbench takes from the environment that it is started in, and what not."""

import logging
import os
import re
import warnings

# Of whoever started this process: a notebook, a queue, a launcher of distributed training. Lightning would take this
# process for one of several, and its own variables for options of the trainer.
OTHERS = (
    r"MPLBACKEND|PYTHONWARNINGS",
    r"(LOCAL_|NODE_|GROUP_|ROLE_)?RANK|(LOCAL_|GROUP_|ROLE_)?WORLD_SIZE|MASTER_ADDR|MASTER_PORT|NODE_RANK",
    r"(PL|PMI|PMIX|OMPI|MV2|MPI|JSM|LSB|LSF|PBS|SUBMITIT|TORCHELASTIC|PET|KUBERNETES|XRT|ACCELERATE)_\w+",
    r"SLURM_(?!CONF$)\w+",  # that one says where the queue is
)
THREADS = r"(OMP|MKL|OPENBLAS|NUMEXPR|VECLIB_MAXIMUM)_(NUM_)?THREADS"


def leave_surroundings() -> None:
    """Forgets what this process and its workers are not to take from the environment; before anything else is imported.

    Thread counts that are no counts go too; those that are stay: a run sets its own.
    """
    if os.environ.get("PYTHONWARNINGS"):
        warnings.resetwarnings()
        warnings.simplefilter("default")
    for name, value in list(os.environ.items()):
        nonsense = re.fullmatch(THREADS, name) and not re.fullmatch(r"[1-9]\d{0,3}", value)
        if nonsense or any(re.fullmatch(pattern, name) for pattern in OTHERS):
            del os.environ[name]
    os.environ["MPLBACKEND"] = "Agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it does without a home, and would say so in two lines
