"""What two pieces of advice on training WGANs come to in numbers: norms in the critic, and strong critics.

Rows are endings of runs with a column `factor`; which quality counts is the studies' affair. Nothing here trains.
"""

import pandas as pd

from ...engine.contract import Measure, Part, Row, reproduces
from ...measures.quotients import ratio

NORMS = ("none", "batch", "layer")
WORSE, STEADY = 2.0, 1.2


def worst_norm(ends: pd.DataFrame, quality: str) -> Row:
    """Of one seed: whether batch norm has the largest value (`bn_worst`), and layer norm's over none's."""
    own = ends[ends["factor"] == "norm"].set_index("norm")[quality]
    worst = int(own["batch"] > max(own["none"], own["layer"]))
    return {"bn_worst": worst, "ln_to_none": ratio(own["layer"], own["none"])}


def strength(ends: pd.DataFrame, quality: str) -> Row:
    """Of one seed: the value with the most critic steps over that with the fewest, minimax and GP (of whatever λ)."""
    own = ends[ends["factor"] == "n_critic"].sort_values("n_critic")
    by_name = own.groupby(own["objective"].str.split().str[0])[quality]
    return {f"strong_{name}": ratio(float(values.iloc[-1]), float(values.iloc[0])) for name, values in by_name}


def norms_part(quality: str) -> Part:
    """Batch norm is the worst in more than half of the seeds."""
    text = f"share of seeds in which batch norm has the largest {quality}"
    return reproduces(
        Measure.share("bn_worst", text).above(0.5),
        name="batch norm in the critic hurts, layer norm does not",
        reported=(Measure.median("ln_to_none", f"{quality} with layer norm over {quality} without"),),
    )


def strength_part(quality: str) -> Part:
    """A strong critic at least doubles minimax's value and leaves GP's within a fifth."""
    text = f"{quality} with the most critic steps over {quality} with 1"
    worse = Measure.median("strong_minimax", f"{text}, minimax").at_least(WORSE)
    steady = Measure.median("strong_GP", f"{text}, GP").at_most(STEADY)
    return reproduces(worse, steady, name="a strong discriminator overpowers a GAN, not a WGAN")
