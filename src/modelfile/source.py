"""Decoded texts, spans and positions in them."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Final

_NEWLINE: Final = re.compile(r"\r\n|\r|\n")

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of a text, in code points from its start."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A position in a text as people and editors count."""

    line: int
    """The line, from 1; `\\n`, `\\r\\n` and `\\r` are newlines."""
    column: int
    """The column in code points, from 1; a tab is one."""
    byte: int
    """The offset in the file, from 0, including a byte order mark."""


@dataclass(frozen=True, kw_only=True)
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
    def _line_bytes(self) -> list[int]:
        """The offset of each line in the file, in bytes."""
        starts = [*self._line_starts, len(self.text)]
        lengths = (len(self._encoded(start, end)) for start, end in pairwise(starts))
        return list(accumulate(lengths, initial=len(self.bom)))

    def _encoded(self, start: int, end: int) -> bytes:
        return self.text[start:end].encode(self.encoding, "surrogatepass")

    def position(self, offset: int) -> Position:
        """Return the position of a code point offset."""
        line = self.line_of(offset)
        start = self._line_starts[line - 1]
        byte = self._line_bytes[line - 1] + len(self._encoded(start, offset))
        return Position(line=line, column=offset - start + 1, byte=byte)

    def line_of(self, offset: int) -> int:
        """Return the line number of a code point offset, from 1."""
        return bisect_right(self._line_starts, offset)

    def line(self, number: int) -> str:
        """Return a line, counted from 1, without its newline."""
        start = self._line_starts[number - 1]
        end = self._line_starts[number] if number < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")
