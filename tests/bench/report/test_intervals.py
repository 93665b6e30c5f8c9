"""What is said of intervals."""

from math import comb

from lipbench.bench.report.intervals import range_notes


def test_range_notes_tell_what_the_range_of_few_values_covers() -> None:
    found = range_notes([0, 4, 2, 3, 6, 3, 5], "repeats")
    assert found[0] == (
        "With 3 repeats an interval is their range, which holds the median of all possible repeats with a probability "
        "of 75 %, not 95 %."
    )
    # the median is outside if all values fall on one side of it: as heads alone, or tails
    inside = [sum(comb(n, heads) for heads in range(1, n)) / 2**n for n in (3, 4, 5)]
    assert [f" {100 * share:.0f} %, not" in note for share, note in zip(inside, found, strict=True)] == [True] * 3


def test_range_notes_have_nothing_to_say_of_real_intervals_and_of_none() -> None:
    assert range_notes([0, 1, 2, 6, 100]) == []
