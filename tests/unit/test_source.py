"""Positions in long texts, found by tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfile.source import Source, Span, span_around

TEXT = "aé😀\r\n" * 500 + "\r" + "x" * 3_000 + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("offset", [0, 1, 1_023, 1_024, 1_025, 2_501, 4_096, len(TEXT)])
def test_byte_of_a_position_is_the_length_of_the_text_before_it(encoding: str, offset: int) -> None:
    source = Source(text=TEXT, encoding=encoding, bom=b"12")
    assert source.position(offset).byte == 2 + len(TEXT[:offset].encode(encoding))


def test_part_of_a_line() -> None:
    source = Source(text="ab\r\nabcdef\n\r")
    assert [source.line(number) for number in (1, 2, 3, 4)] == ["ab", "abcdef", "", ""]
    assert [source.line(2, 1, 2), source.line(2, 4, 9), source.line(1, 3, 2)] == ["bc", "ef", ""]
    assert [source.line_start(offset) for offset in (0, 3, 4, 9, 10, 11)] == [0, 0, 4, 4, 4, 11]


@given(st.lists(st.integers(0, 30), unique=True).map(sorted), st.integers(0, 31))
def test_span_around_an_offset(ends: list[int], offset: int) -> None:
    spans = [Span(*pair) for pair in zip(ends[::2], ends[1::2], strict=False)]
    expected = next((span for span in spans if span.start <= offset < span.end), None)
    assert span_around(offset, spans) == expected
