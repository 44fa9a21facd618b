"""Matches of long sequences."""

from modelfile.differ.sequences import find_matches


def test_lines_that_are_unique_are_found_in_a_long_text() -> None:
    old = [f"line {number}" for number in range(50_000)]
    new = [*old[:10], "x", *old[10:30_000], *old[30_005:], "y"]
    assert find_matches(old, new) == [(0, 0, 10), (10, 11, 29_990), (30_005, 30_001, 19_995), (50_000, 49_997, 0)]


def test_lines_that_repeat_are_found_between_unique_ones() -> None:
    old = [text for number in range(5_000) for text in ("", f"line {number}", "", "  }")]
    new = [text for text in old if text != "line 2500"]
    assert sum(match.length for match in find_matches(old, new)) == len(new)
