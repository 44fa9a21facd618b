"""Differences of texts as rows: escaped, secrets redacted, long texts cut, in bounded time."""

import pytest

from modelfile.report.text_diffs import ShownDiff, show_text_diff

KEY = "sk-proj-7f3kQ9xT2mLw8Zr4VbNc5YhJ1pDs6GeA"


def lines(shown: ShownDiff) -> list[str]:
    marks = {"=": "{}", "-": "[-{}-]", "+": "{{+{}+}}"}
    return [
        row.mark + "".join((marks[mark] if row.mark == "!" else "{}").format(text) for mark, text in row.pieces)
        for hunk in shown.hunks
        for row in hunk.rows
    ]


def test_words_that_differ_are_in_one_row() -> None:
    shown = show_text_diff("Be brief.\nBe nice to all of them.\n", "Be brief.\nBe kind to all of them.\n")
    assert [hunk.heading for hunk in shown.hunks] == ["@@ -1,3 +1,3 @@"]
    assert lines(shown) == [" Be brief.", "!Be [-nice-]{+kind+} to all of them.", " "]


def test_lines_with_little_in_common_are_two_rows() -> None:
    assert lines(show_text_diff("Answer in German.", "No greetings!")) == ["-Answer in German.", "+No greetings!"]


def test_a_newline_that_differs_is_a_sign() -> None:
    assert lines(show_text_diff("one two three\nfour five", "one two three four five")) == [
        "!one two three[-↵-]",
        "!{+ +}four five",
    ]


def test_absent_texts_have_no_line() -> None:
    assert lines(show_text_diff(None, "a\n")) == ["+a", "+"]
    assert lines(show_text_diff("a", None)) == ["-a"]
    assert lines(show_text_diff("a", "a")) == []


def test_control_characters_are_escaped() -> None:
    shown = show_text_diff("Say \x1b[31mred\x1b]0;x\x07 now\u202e.", "Say \x1b[32mred\x1b]0;x\x07 now\u202e.\r")
    assert all(line.isprintable() for line in lines(shown))
    assert "<U+001B>" in lines(shown)[0]
    (kept,) = show_text_diff("a\tb", None, keep="\t").hunks[0].rows[0].pieces
    assert kept.text == "a\tb"


@pytest.mark.parametrize("context", ["{}", "The key is {} for all of the servers that we have.", "a\n\n{}\nb"])
def test_secrets_are_redacted_wherever_they_differ(context: str) -> None:
    for old, new in ((KEY, KEY[:-1] + "B"), (KEY, "none"), (None, KEY)):
        sides = [None if side is None else context.format(side) for side in (old, new)]
        text = "\n".join(lines(show_text_diff(*sides)))
        assert KEY[8:20] not in text
        assert "sk-p*" in text


def test_a_private_key_is_redacted_around_the_line_that_differs() -> None:
    body = [f"{number:02}QIBAAKCAQEA7f3kQ9xT2mLw8Zr4VbNc5YhJ1pDs6GeAbCdEfGhIjKlMnOpQrStUv" for number in range(30)]
    key = ["-----BEGIN RSA PRIVATE KEY-----", *body, "-----END RSA PRIVATE KEY-----"]
    changed = [line.replace("20QI", "20QJ") for line in key]
    text = "\n".join(lines(show_text_diff("\n".join(key), "\n".join(changed))))
    assert "QIBAA" not in text
    assert "QJBAA" not in text
    assert "*" * 60 in text


def test_a_secret_in_a_long_line_is_redacted_though_only_its_end_is_near_a_change() -> None:
    old = f"{'so many words ' * 2_000}{KEY} and now here{' and so on' * 2_000}"
    text = "\n".join(lines(show_text_diff(old, old.replace("now here", "now there"))))
    assert KEY[-10:] not in text


def test_of_a_long_line_only_what_is_near_a_change_is_shown() -> None:
    old = f"{'so many words ' * 500}here{' and so on' * 500}"
    (line,) = lines(show_text_diff(old, old.replace("here", "there")))
    assert len(line) < 200
    assert "words [-here-]{+there+} and so on" in line


def test_lines_that_are_not_shown_are_counted() -> None:
    shown = show_text_diff("\n".join(f"a{at}" for at in range(7_000)), "\n".join(f"b{at}" for at in range(7_000)))
    assert shown.notes[-1] == "4,000 more lines differ: `--json` prints both texts"
    assert len(lines(shown)) == 10_000
    (line,) = lines(show_text_diff("x" * 5_000, None))
    assert line.endswith("… (3,000 more)")
