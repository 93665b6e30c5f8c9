"""Reading YAML of bounded size: the values that everybody expects, and one line for what is no plain data."""

import time
from pathlib import Path
from typing import Any

import pytest

from lipbench.bench.config.suite import key_value, load_suite
from lipbench.bench.config.yaml_reader import MAX_DEPTH, parse_yaml
from lipbench.objectives import BadInput

LAUGHS = "\n".join(
    ["a0: &a0 [lol, lol]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 11))],
)

MERGED_LAUGHS = "\n".join(
    ["a0: &a0 {k: 1}", *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 11))]
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("0100", 100),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("[1, 2.5, true, null]", [1, 2.5, True, None]),
        ("['no', False, \"on\"]", ["no", False, "on"]),
        ("{a: &x [1], b: *x}", {"a": [1], "b": [1]}),
        ("", None),
        ("١", "١"),
    ],
)
def test_plain_values_are_read_as_they_are_written(text: str, value: Any) -> None:
    assert parse_yaml(text, "here") == value


REFUSED = {
    "a name that is a truth value for some": "name: no",
    "a key that is a truth value for some": "on: 1",
    "a setting that is a truth value for some": "biases: Yes",
    "a tag for an integer": "steps: !!int x",
    "a tag for a truth value": "steps: !!bool maybe",
    "a date that is none": "steps: !!timestamp 9999-99-99",
    "a tag for bytes": "steps: !!binary '='",
    "a set": "steps: !!set {a, b}",
    "a tag of Python": "steps: !!python/object/apply:os.getcwd []",
    "a tag of somebody's": "steps: !mine 1",
    "a long integer": f"steps: {'9' * 5000}",
    "a long negative integer": f"steps: -{'9' * 5000}",
    "half a character": r'steps: "\ud800"',
    "half a character in a key": r'"\udfff": 1',
    "deep lists": "[" * 1000 + "]" * 1000,
    "deep mappings": "{a: " * 1000 + "}" * 1000,
    "deep blocks": "\n".join("  " * depth + "a:" for depth in range(1000)),
    "an anchor within itself": "a: &x [*x]",
    "an anchor within itself further down": "a: &x {b: [{c: *x}]}",
    "billions of values": LAUGHS,
    "billions of values by merging": "\n".join(
        [
            "a0: &a0 {k: 1}",
            *(f"a{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(10))}}}" for i in range(1, 11)),
        ]
    ),
    "an unknown anchor": "a: *x",
    "a key twice": "a: 1\na: 2",
    "a key that is a list": "{[1]: 2}",
    "a control character": "a: \x01",
    "a control character of two digits": "a: \x1b",
    "a colour of a terminal": r'a: "\e[31m"',
    "nothing": r'a: "\0"',
    "a tab": "a:\n\t- 1",
    "two documents": "a: 1\n---\nb: 2",
    "a long text": "#" * 100_001,
    "many values": f"[{'1,' * 20_001}]",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_plain_data_is_one_line_at_once(text: str) -> None:
    start = time.monotonic()
    with pytest.raises(BadInput) as caught:
        parse_yaml(text, "suite.yaml")
    assert time.monotonic() - start < 10
    message = str(caught.value)
    assert message.startswith("suite.yaml: ")
    assert "\n" not in message and len(message) < 200
    assert "unicode string" not in message


def test_nesting_up_to_the_bound_is_read() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "here")


def test_a_problem_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("objectives: minimax\ndatasets: 8gaussians\nsteps: !!int x\n")
    with pytest.raises(BadInput, match=r"a\.yaml: not valid YAML: line 3: .*!!int"):
        load_suite(str(path))


@pytest.mark.parametrize("value", ["!!int x", '"\\ud800"', "&x [*x]"])
def test_options_are_bounded_too(value: str) -> None:
    with pytest.raises(BadInput, match="steps="):
        key_value(f"steps={value}")


def test_a_suite_of_very_many_runs_is_refused_unless_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("objectives: [minimax, wgan-gp]\ndatasets: [8gaussians, 25gaussians]\nseeds: 2000\n")
    with pytest.raises(BadInput, match="8,000 runs"):
        load_suite(str(path))
    suite, _ = load_suite(str(path), ["max_runs=8000"])
    assert suite.size() == sum(1 for _ in suite.cells()) == 8000


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "a: 1\nname: no",
            r"here: not valid YAML: line 2: no is a text or a truth value: write true or false, or 'no' in quotes",
        ),
        ("a: 1\n---\nb: 2", r"here: not valid YAML: line 2: expected a single document .* but found another document"),
    ],
)
def test_refusal_says_what_to_write(text: str, line: str) -> None:
    with pytest.raises(BadInput, match=f"^{line}$"):
        parse_yaml(text, "here")
