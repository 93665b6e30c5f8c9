"""What is said of intervals."""

from lipbench.bench.report.intervals import coverage_notes


def test_coverage_notes_tell_what_the_range_of_few_values_covers() -> None:
    found = coverage_notes([0, 4, 2, 3, 3, 5], "repeats")
    assert found[0] == (
        "With 3 repeats an interval is their range, which holds the median of all possible repeats with a probability "
        "of 75 %, not 95 %."
    )
    told = [" 75 %, not 95 %.", " 87.5 %, not 95 %.", " 93.8 %, not 95 %."]
    assert [note.endswith(end) for note, end in zip(found, told, strict=True)] == [True] * 3


def test_coverage_notes_say_of_more_values_which_are_the_ends_and_what_they_cover() -> None:
    six, ten = coverage_notes([10, 6])
    assert "their range" in six and six.endswith(" 96.9 %.")
    assert "from number 2 to number 9 in order" in ten and ten.endswith(" 97.9 %.")
    assert coverage_notes([0, 1, 2]) == []
