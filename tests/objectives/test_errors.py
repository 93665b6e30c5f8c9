"""The hint in a message about an unknown name: slips of the pen get one, other words do not."""

import pytest

from lipbench.objectives import BadInput, unknown


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


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines \r\n and\u2028three", "two lines and three"),
        ("\x1b[31mred\x1b[0m \x07", r"\x1b[31mred\x1b[0m \x07"),
        ("half \ud800, turned \u202e, nothing \0", r"half \ud800, turned \u202e, nothing \x00"),
        ("two  spaces, é, 漢, W₁", "two  spaces, é, 漢, W₁"),
    ],
)
def test_bad_input_is_one_line_that_a_terminal_only_shows(text: str, line: str) -> None:
    assert str(BadInput(text)) == line


def test_bad_input_of_any_length_keeps_its_ends() -> None:
    told = str(BadInput("steps: " + "9" * 200_000 + ": must be less"))
    assert told.startswith("steps: 9") and told.endswith("9: must be less") and len(told) <= 1000
