"""The hint in a message about an unknown name: slips of the pen get one, other words do not."""

import pytest

from lipbench.objectives import unknown


@pytest.mark.parametrize(
    ("given", "meant"),
    [("mpl", "mlp"), ("linaer", "linear"), ("qick", "quick"), ("minst", "mnist"), ("adm", "adam"), ("wgan", "wgan-gp")],
)
def test_unknown_hints_at_the_name_that_was_meant(given: str, meant: str) -> None:
    line = str(unknown("name", given, [meant, "other"]))
    assert line == f"unknown name '{given}' (did you mean '{meant}'?); known: {', '.join(sorted([meant, 'other']))}"


@pytest.mark.parametrize(("given", "known"), [("cosine", "none"), ("sgd", "adam"), ("constant", "linear")])
def test_unknown_hints_at_nothing_that_is_not_close(given: str, known: str) -> None:
    assert str(unknown("decay", given, [known])) == f"unknown decay '{given}'; known: {known}"
