"""What a reader of the tables must know: what the numbers are, and every reservation about them, a sentence each."""

import math
from collections.abc import Sequence

from ..records.quantities import number
from .blocks import Block, codes_of, has_few_modes
from .few_images import few_images
from .intervals import coverage_notes
from .noise import evaluation_sd
from .pairs import judges_critics, published_note
from .published import published_on, published_packing
from .statistics import MIN_SEEDS, median

NAMED = 5  # missing runs
MISSING = "runs are missing, and not in the tables"
MEANING = (
    "Each value is the median over seeds of the tail mean (the mean over the last 20 % of a run's evaluations), "
    "in brackets its interval over seeds; diverged runs are included. Bold (*): the best median, and whatever its "
    "seeds do not tell from it (the 95 % interval of P(better) holds 1/2); nothing is bold below 3 seeds, or where "
    "that would be every objective.",
    "The floor is real data's own value, in the generator's place: a floor where lower is better, a ceiling where "
    "higher is better.",
)

TERMS = {  # of the page, which has more columns than the printed tables
    "better by": "By how much the best is better than another objective: the median over the seeds that both have of "
    "the difference at each, with its interval. None below 3 seeds.",
    "P(better)": "How often a run of the best beats a run of the other (Mann–Whitney, Newcombe's 95 % interval). None "
    "below 3 seeds.",
    "sign test p": "Two-sided, over the seeds that both have, corrected for the number of comparisons by Holm's "
    "method. The best was chosen on the same seeds, which no p here allows for.",
    "failure rate": "Share of the runs that diverged or failed, with its 95 % interval (Wilson).",
    "few modes": "Of the runs that were trained to their end, the share whose tail has at most half of the data set's "
    "modes, with its 95 % interval (Wilson). A smaller loss of modes shows in the columns of the modes alone; where no "
    "modes are known, look at recall and at the samples.",
    "interquartile mean": "The mean without the lowest and the highest quarter of the seeds; below 4 seeds all of them "
    "stay. Its bootstrap interval covers some 75 % with 3 seeds and 90 % with 5, not 95 %.",
    "regret": "What stopping at the end rather than at the best evaluation costs: final less best value, 0 or more.",
    "noise": "Of the tail mean that the tables show. One evaluation: the finished generator, evaluated again on fresh "
    "samples; the tail mean averages several, so less of it is left there. Without it: √(variance between seeds − "
    "variance of the evaluation). A negative difference is chance, counts as 0 and stands beside it.",
    "infinitely many samples": "Extrapolated linearly in 1/samples, both sides shrunk alike (after Chong & Forsyth "
    "2020); median over seeds. Its standard error is a seed's, from the scatter between disjoint parts of its samples.",
    "units": "Data units are those of the points' coordinates. Shares lie between 0 and 1. Nats: natural logarithms, "
    "0.69 nats are a factor of 2. 1/data unit: the critic's output per data unit. Where none stands, the quantity is a "
    "pure number.",
}
OF_CRITICS = (
    "On pairs a critic alone is trained, and its floor is an optimal critic's value: cost is W1 there. What is divided "
    "by the critic's own slope says which part of an error is only one of scale."
)


def notes(blocks: Sequence[Block], unfinished: Sequence[str] = ()) -> list[str]:
    """The notes below the tables of these blocks; `unfinished` names the runs that are not in them."""
    lines = [*MEANING, *_interval_notes(blocks)]
    if any(map(judges_critics, blocks)):
        lines.append(OF_CRITICS)
    if any(map(_has_lost_values, blocks)):
        lines.append("A seed that diverged without a final value counts as the worst possible: ∞, no modes, IS 1.")
    if any(has_few_modes(run) for block in blocks for run in block.runs):
        lines.append(
            "Few modes: trained to the end, but the tail has at most half of the data set's modes: they were left out, "
            "or the samples lie too far from them."
        )
    noise = _evaluation_noise(blocks)
    if noise:
        lines.append(
            "Noise of one evaluation (sd between fresh samples of the same generator, pooled over an objective's runs, "
            f"median over objectives; an interval holds it and the seeds' own spread): {noise}."
        )
    few = [line for block in blocks for line in few_images(block)]
    lines += dict.fromkeys(few)  # blocks of one data set say the same
    # Others' Fréchet distances are Inception's.
    lines += published_on(b.dataset for b in blocks if b.protocol.get("fd", {}).get("extractor") == "inception")
    for block in blocks:
        lines += [note for note in [published_note(block), _packing_note(block)] if note]
        lines += _code_notes(block)
    if unfinished:
        more = f" and {len(unfinished) - NAMED} more" if len(unfinished) > NAMED else ""
        named = ", ".join(unfinished[:NAMED]) + more
        made = sum(len(block.runs) for block in blocks)
        lines.append(f"{len(unfinished)} of {len(unfinished) + made} {MISSING}: {named}.")
    return lines


def _packing_note(block: Block) -> str | None:
    networks = block.runs[0].spec.get("architecture_spec") or {}
    return published_packing(block.dataset, networks["packing"]) if networks.get("name") == "pacgan-mlp" else None


def _interval_notes(blocks: Sequence[Block]) -> list[str]:
    counts = {n for block in blocks for n in block.seed_counts}
    lines = coverage_notes(counts)
    if any(0 < n < MIN_SEEDS for n in counts):
        few = f"No interval where fewer than {MIN_SEEDS} seeds have a value: too few to say anything about spread."
        return [few, *lines]
    return lines


def _has_lost_values(block: Block) -> bool:
    """Whether a run diverged and left no value of a metric."""
    for run in block.runs:
        values = [run.metrics.get(metric.key, {}).get("tail_mean") for metric in block.quality]
        if run.status == "diverged" and any(value is None or not math.isfinite(value) for value in values):
            return True
    return False


def _evaluation_noise(blocks: Sequence[Block]) -> str:
    """Such as "W1 0.011 on 8gaussians, FD(mnist-cnn) 0.31 on mnist5k": the first quality metric of each dataset."""
    by_metric: dict[tuple[str, str], list[float]] = {}
    for block in (block for block in blocks if block.quality):
        sds = [evaluation_sd(group, block.quality[0]) for group in block.groups]
        by_metric.setdefault((block.quality[0].name, block.dataset), []).extend(sd for sd in sds if sd is not None)
    known = {key: median(sds) for key, sds in by_metric.items() if sds}
    return ", ".join(f"{name} {number(sd, 2)} on {dataset}" for (name, dataset), sd in known.items())


def _code_notes(block: Block) -> list[str]:
    """Runs that differ in their seeds alone are made by one code."""
    lines = []
    for group in block.groups:
        codes = codes_of(group.runs)
        if len(codes) > 1:
            versions = f"runs of {len(codes)} versions of the code: {', '.join(codes)}."
            lines.append(f"{group.objective} on {block.dataset}: {versions}")
    return lines
