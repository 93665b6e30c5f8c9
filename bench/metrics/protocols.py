"""How a data set's reals are divided into reference and floor, as a suite's `evaluation` asks for."""

from pathlib import Path

import torch
from torch import Tensor

from ...objectives.errors import BadInput, naming
from ..data.dataset import Dataset
from .catalog import FAMILIES, load_extractor
from .classes import CLASSIFIERS, Labelling
from .extractors import Extractor
from .features import NEIGHBOURS
from .images import ImageMetrics, Sizes
from .labels import CLASS_METRICS
from .settings import NOTHING, Brought, Evaluation

FLOOR_SEED = 1


def image_metrics(
    data: Dataset,
    evaluation: Evaluation,
    device: torch.device | str,
    weights: Path | None = None,
    brought: Extractor | None = None,
    conditional: bool = False,
) -> tuple[ImageMetrics, dict[str, float]]:
    """The metrics that a suite's `evaluation` asks for on these images, and their floors.

    Without a split the reference and the floor's other side are two disjoint, fixed draws of held-out reals of the same
    size: `images`, or half of a smaller held-out set; of the reference only `reals`, if given. With one the reference
    comes from that set, and the floor is what as many images of the other set get, or all of fewer; no floor where
    there is no other set, or too small a one for the neighbours of precision and recall.

    Args:
        data: images.
        evaluation: what is asked for.
        device: where the extractor runs.
        weights: of inception, where they are not in torch hub's cache.
        brought: the extractor, where it is a plug-in.
        conditional: whether the fakes are asked for by class.

    Raises:
        BadInput: the extractor is not at hand, gives no logits for "is", or there are too few reals, or no labels.
    """
    extractor = _extractor(data, evaluation, weights, brought)
    reference, other, sizes = _divided(data, evaluation, torch.device(device))
    split = evaluation.split
    labelling, others = _labels(data, evaluation, extractor, len(reference), torch.device(device))
    metrics = ImageMetrics(
        reference,
        extractor,
        sizes,
        split=split or data.held_out_from,
        labelling=None if labelling is None else Labelling(data.classes, labelling, conditional),
        device=device,
    )
    if other is not None and split is not None:
        other, others = (None if part is None else _drawn(part, sizes.n_fake) for part in (other, others))
    return metrics, {} if other is None else metrics.floor(other, others)


def check_evaluation(
    data: Dataset, evaluation: Evaluation, weights: Path | None = None, brought: Brought = NOTHING
) -> None:
    """Raises what `image_metrics` would, without looking at an image; tries out metrics that are brought, on reals."""
    device = torch.device("cpu")
    if data.is_images:
        reference = _divided(data, evaluation, device)[0]
        if evaluation.of_images:
            extractor = _extractor(data, evaluation, weights, brought.extractor)
            _labels(data, evaluation, extractor, len(reference), device)
    if brought.metrics and data.pair is None:
        FAMILIES["brought"](None, data, evaluation, device, brought.metrics)


def _labels(
    data: Dataset, evaluation: Evaluation, extractor: Extractor, n: int, device: torch.device
) -> tuple[Tensor | None, Tensor | None]:
    """Labels of the n reference images and of the floor's; None without a metric that asks for them.

    Raises BadInput where there are none, or the extractor does not tell these classes.
    """
    asked = [name for name in evaluation.of_images if name in CLASS_METRICS]
    if not asked:
        return None, None
    if not data.classes or data.held_out_labels is None:
        raise BadInput(f"metrics: {asked[0]}: {data.name} has no labels, or none of its held-out samples")
    fit = extractor.classes == data.classes or data.name in CLASSIFIERS.get(extractor.name, ())
    if asked != ["intra_fd"] and not fit:
        name = next(name for name in asked if name != "intra_fd")
        known = "; ".join(f"{key} tells those of {', '.join(names)}" for key, names in CLASSIFIERS.items())
        raise BadInput(f"metrics: {name}: the extractor {extractor.name} does not tell {data.name}'s classes: {known}")
    if evaluation.split is None:
        both = data.held_out_labelled(2 * n, torch.Generator(device).manual_seed(0))[1]  # the images that _halves draws
        return both[:n], both[n:]
    of_train, of_test = data.labels, data.test_labels
    return (of_train, of_test) if evaluation.split == "train" else (of_test, of_train)


def sides(data: Dataset, evaluation: Evaluation, device: torch.device) -> tuple[Tensor, Tensor | None, int]:
    """Reals to hold samples against, others for a floor, and how many samples are looked at; for somebody's metrics."""
    if not data.is_images:
        reference, other = _halves(data, evaluation.points, device)
        return reference, other, len(reference)
    reference, other, sizes = _divided(data, evaluation, device)
    if sizes.n_real is not None:
        reference = _drawn(reference, sizes.n_real)
    drawn = other if other is None or evaluation.split is None else _drawn(other, sizes.n_fake)
    return reference, drawn, sizes.n_fake


def _extractor(data: Dataset, evaluation: Evaluation, weights: Path | None, brought: Extractor | None) -> Extractor:
    name = evaluation.extractor or data.extractor
    if brought is None:
        assert isinstance(name, str)
        return load_extractor(name, weights if name == "inception" else None)
    if brought.classes == 0 and "is" in evaluation.of_images:
        rest = ", ".join(metric for metric in evaluation.of_images if metric != "is")
        raise BadInput(f"extractor {brought.name}: gives no logits, which 'is' needs; give metrics: [{rest}]")
    return brought


def _divided(data: Dataset, evaluation: Evaluation, device: torch.device) -> tuple[Tensor, Tensor | None, Sizes]:
    """Reference, the floor's other side, and the sizes, of which there are enough."""
    if evaluation.split is None:
        reference, other = _halves(data, evaluation.images, device)
        sizes = _sizes(evaluation, len(reference))
    else:
        reference, other = _sets(data, evaluation.split)
        sizes = _sizes(evaluation, evaluation.images)
    with naming(f"dataset {data.name}"):
        sizes.check(len(reference))
    return reference, other, sizes


def _sizes(evaluation: Evaluation, n_fake: int) -> Sizes:
    return Sizes(
        n_fake=n_fake,
        n_real=evaluation.reals,
        n_scored=evaluation.is_images,
        splits=evaluation.is_splits,
        held=evaluation.held_images,
        subsets=evaluation.kid_subsets,
        subset_size=evaluation.kid_subset_size,
        metrics=evaluation.of_images,
    )


def _halves(data: Dataset, images: int, device: torch.device) -> tuple[Tensor, Tensor]:
    pool = data.finite_held_out
    n = images if pool is None else min(images, len(pool) // 2)  # a stream has no end
    fixed = torch.Generator(device).manual_seed(0)  # the same reference for every run on these data
    reference, other = data.held_out(2 * n, fixed).split(n)
    return reference, other


def _sets(data: Dataset, split: str) -> tuple[Tensor, Tensor | None]:
    wanted, other = (data.train, data.test) if split == "train" else (data.test, data.train)
    if wanted is None:
        raise BadInput(f"dataset {data.name}: evaluation.split: {split}, but it has no {split} set of fixed images")
    return wanted, None if other is None or len(other) <= NEIGHBOURS else other


def _drawn(images: Tensor, n: int) -> Tensor:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(FLOOR_SEED))
    return images[order[:n].to(images.device)]
