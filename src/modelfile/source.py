"""Decoded texts, spans and positions in them."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Final

from modelfile.immutable import field, record

_NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_BLOCK: Final = 1024
"""Distance of the offsets whose bytes are counted ahead, in code points."""

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@record()
class Span:
    """A half-open range of a text, in code points from its start."""

    start: int
    end: int


def start_of(span: Span) -> int:
    """Return the start of a span, to sort spans by."""
    return span.start


def span_around(offset: int, spans: Sequence[Span]) -> Span | None:
    """Return the span that an offset is in, of spans in order and without overlap; None if there is none."""
    before = bisect_right(spans, offset, key=start_of) - 1
    return spans[before] if before >= 0 and offset < spans[before].end else None


@record(kw_only=True)
class Position:
    """A position in a text as people and editors count."""

    line: int
    """The line, from 1; `\\n`, `\\r\\n` and `\\r` are newlines."""
    column: int
    """The column in code points, from 1; a tab is one."""
    byte: int
    """The offset in the file, from 0, including a byte order mark."""


@record(kw_only=True, slots=False)
class Source:
    """A decoded text, its path and its encoding."""

    text: str
    path: str = "-"
    """The path in messages; `-` is standard input."""
    encoding: str = "utf-8"
    bom: bytes = b""
    malformed: bool = field(default=False)
    """True if some bytes could not be decoded and are U+FFFD in `text`."""

    @classmethod
    def decode(cls, data: bytes, path: str = "-") -> Source:
        """Decode as Ollama does: respect a UTF-8 or UTF-16 byte order mark, replace malformed bytes by U+FFFD."""
        bom, encoding = next(
            ((mark, name) for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), (b"", "utf-8")
        )
        body = data[len(bom) :]
        try:
            return cls(text=body.decode(encoding), path=path, encoding=encoding, bom=bom)
        except UnicodeDecodeError:
            return cls(text=body.decode(encoding, "replace"), path=path, encoding=encoding, bom=bom, malformed=True)

    def encode(self, text: str) -> bytes:
        """Encode a text in this source's encoding, with its byte order mark."""
        return self.bom + text.encode(self.encoding)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _NEWLINE.finditer(self.text))]

    @cached_property
    def _block_bytes(self) -> list[int]:
        """The offset of each block of characters in the file, in bytes."""
        starts = range(0, len(self.text), _BLOCK)
        lengths = (len(self._encoded(start, start + _BLOCK)) for start in starts)
        return list(accumulate(lengths, initial=len(self.bom)))

    def _encoded(self, start: int, end: int) -> bytes:
        return self.text[start:end].encode(self.encoding, "surrogatepass")

    def position(self, offset: int) -> Position:
        """Return the position of a code point offset."""
        line = self.line_of(offset)
        if self.text.isascii() and self.encoding == "utf-8":
            byte = len(self.bom) + offset
        else:
            block = offset // _BLOCK
            byte = self._block_bytes[block] + len(self._encoded(block * _BLOCK, offset))
        return Position(line=line, column=offset - self._line_starts[line - 1] + 1, byte=byte)

    def line_of(self, offset: int) -> int:
        """Return the line number of a code point offset, from 1."""
        return bisect_right(self._line_starts, offset)

    def line_start(self, offset: int) -> int:
        """Return the offset at which the line of a code point offset starts."""
        return self._line_starts[self.line_of(offset) - 1]

    def line(self, number: int, start: int = 0, length: int | None = None) -> str:
        """Return a line, counted from 1, without its newline; or a part of it, in code points from its start."""
        first = self._line_starts[number - 1]
        end = self._line_starts[number] if number < len(self._line_starts) else len(self.text)
        while end > first and self.text[end - 1] in "\r\n":
            end -= 1
        return self.text[first + start : end if length is None else min(first + start + length, end)]
