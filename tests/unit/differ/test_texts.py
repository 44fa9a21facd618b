"""Differences of texts by line and word."""

import pytest

from modelfile.differ.texts import LineBlock, compare_lines, compare_texts, find_hunks


def words(old: str, new: str, *, is_template: bool = False) -> str:
    """Return the pieces of the one block that differs."""
    blocks = [block for block in compare_texts(old, new, is_template=is_template).blocks if not block.is_same]
    marks = {"=": ("", ""), "-": ("[", "]"), "+": ("{", "}")}
    return "".join(f"{marks[mark][0]}{text}{marks[mark][1]}" for mark, text in blocks[0].pieces)


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("Be brief and nice.", "Be brief and honest.", "Be brief and [nice]{honest}."),
        ("Be brief.", "Be brief!", "Be brief[.]{!}"),
        ("You are a friendly bot.", "You are a very kind bot.", "You are a [friendly]{very kind} bot."),
        ("one two three four", "one 2 3 four", "one [two three]{2 3} four"),
        ("one two  three four", "one two three four", "one two [ ]three four"),
        ("a b c d\ne f", "a b c d e f", "a b c d[\n]{ }e f"),
        (
            "Sei nett zu Müller und Söhnen.",
            "Sei nett zu Möller und Söhnen.",
            "Sei nett zu [Müller]{Möller} und Söhnen.",
        ),
        ("Nothing stays here", "All is other", ""),
    ],
)
def test_words_are_compared_within_lines(old: str, new: str, shown: str) -> None:
    assert words(old, new) == shown


def test_an_action_of_a_template_is_one_word() -> None:
    old, new = "{{ if .System }}{{ .System }} {{ .Prompt }}", "{{ if .System }}{{ .Suffix }} {{ .Prompt }}"
    assert words(old, new, is_template=True) == "{{ if .System }}[{{ .System }}]{{{ .Suffix }}} {{ .Prompt }}"
    assert words(old, new) == "{{ if .System }}{{ .[System]{Suffix} }} {{ .Prompt }}"


def test_lines_that_stay_are_no_part_of_a_block_that_differs() -> None:
    blocks = compare_texts("a\nb\nc", "a\nx\nc").blocks
    assert [(block.old, block.new) for block in blocks] == [(("a",), ("a",)), (("b",), ("x",)), (("c",), ("c",))]
    assert compare_texts(None, "a\n").blocks == (LineBlock(old=(), new=("a", "")),)
    assert compare_texts("a", "a").blocks == (LineBlock(old=("a",), new=("a",)),)


def test_hunks_have_lines_around_them_and_their_numbers() -> None:
    old = [str(number) for number in range(30)]
    new = [*old[:10], "x", *old[11:15], "y", *old[15:], "z"]
    hunks = [*find_hunks(compare_lines(old, new))]
    assert [hunk.heading for hunk in hunks] == ["@@ -8,11 +8,12 @@", "@@ -28,3 +29,4 @@"]
    assert hunks[0].blocks[0].old == ("7", "8", "9")
    assert not [*find_hunks(compare_lines(old, old))]


@pytest.mark.parametrize("separator", ["\n", " "])
def test_long_texts_are_compared_by_line(separator: str) -> None:
    sides = [separator.join(f"{side} {number % 977} {number}" for number in range(60_000)) for side in "ab"]
    assert compare_texts(*sides).is_by_line
    assert not compare_texts(*(side[:2_000] for side in sides)).is_by_line


def test_a_change_in_a_very_long_line_is_found_by_its_ends() -> None:
    start, end = "so many words " * 100_000, " and so on" * 100_000
    diff = compare_texts(f"{start}here{end}", f"{start}there{end}")
    assert not diff.is_by_line
    assert [piece.text for piece in diff.blocks[0].pieces if piece.mark != "="] == ["here", "there"]
