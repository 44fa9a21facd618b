"""Format strings as Go's fmt.Sprintf reads them (Go 1.26, fmt/print.go)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from modelfile.gotemplate.govalues import GoKind
from modelfile.gotemplate.numbers import Flags
from modelfile.gotemplate.printing import Argument, Printer

_LARGEST: Final = 1_000_000
"""The largest width and precision."""
_VERB: Final = rb"%([#0+\- ]*)"
_INDEX: Final = rb"\[([^\]]*)\]"
_NUMBER: Final = rb"[0-9]+"


def sprintf(format_: bytes, arguments: Sequence[Argument]) -> bytes:
    """Print values by a format. A wrong one shows in the output, as in Go: `%!d(string=hi)`."""
    return _Format(format_, arguments).run()


class _Format:
    """A format and the next argument."""

    def __init__(self, format_: bytes, arguments: Sequence[Argument]) -> None:
        self._format = format_
        self._arguments = arguments
        self._last_bracket = format_.rfind(b"]")
        self._printer = Printer()
        self._position = 0
        self._next = 0
        self._is_good = True
        self._is_reordered = False

    def run(self) -> bytes:
        out = self._printer.out
        while (percent := self._format.find(b"%", self._position)) >= 0:
            out += self._format[self._position : percent]
            found = re.compile(_VERB).match(self._format, percent)
            self._position = found.end() if found else percent
            marks = found[1].decode() if found else ""
            self._printer.flags = Flags(
                plus="+" in marks, minus="-" in marks, sharp="#" in marks, space=" " in marks, zero="0" in marks
            )
            if not self._print_verb(out):
                return bytes(out)
        out += self._format[self._position :]
        self._print_extra(out)
        return bytes(out)

    def _print_verb(self, out: bytearray) -> bool:  # noqa: C901, PLR0912  # the parts of a verb, in their order
        """Print one verb; False if the format ends before it."""
        self._is_good = True
        flags = self._printer.flags
        after_index = self._index()
        if self._at(b"*"):
            flags.width = self._argument_as_number()
            if flags.width is None:
                out += b"%!(BADWIDTH)"
            elif flags.width < 0:
                flags.width, flags.minus, flags.zero = -flags.width, True, False
            after_index = False
        else:
            flags.width = self._number()
            self._is_good = self._is_good and not (after_index and flags.width is not None)
        if self._position + 1 < len(self._format) and self._at(b"."):
            self._is_good = self._is_good and not after_index
            after_index = self._index()
            if self._at(b"*"):
                flags.precision = self._argument_as_number()
                if flags.precision is None or flags.precision < 0:
                    flags.precision = None
                    out += b"%!(BADPREC)"
                after_index = False
            else:
                flags.precision = self._number() or 0
        if not after_index:
            self._index()
        if self._position >= len(self._format):
            out += b"%!(NOVERB)"
            self._print_extra(out)
            return False
        verb = self._format[self._position : self._position + 4].decode("utf-8", "surrogateescape")[0]
        self._position += len(verb.encode("utf-8", "surrogateescape"))
        verb = "\ufffd" if "\udc80" <= verb <= "\udcff" else verb
        if verb == "%":
            out += b"%"
        elif not self._is_good:
            out += f"%!{verb}(BADINDEX)".encode()
        elif self._next >= len(self._arguments):
            out += f"%!{verb}(MISSING)".encode()
        else:
            if verb in "vw":
                flags.sharp_v, flags.sharp, flags.plus_v, flags.plus = flags.sharp, False, flags.plus, False
            self._printer.print(self._arguments[self._next], verb)
            self._next += 1
        return True

    def _at(self, mark: bytes) -> bool:
        """Skip a mark if it is next."""
        found = self._format.startswith(mark, self._position)
        self._position += found
        return found

    def _number(self) -> int | None:
        found = re.compile(_NUMBER).match(self._format, self._position)
        if found is None:
            return None
        number = _parse_number(found[0])
        self._position = len(self._format) if number is None else found.end()
        return number

    def _index(self) -> bool:
        """Skip an index, `[1]`, and select its argument; True if there is one."""
        if not self._format.startswith(b"[", self._position):
            return False
        self._is_reordered = True
        found = re.compile(_INDEX).match(self._format, self._position) if self._position < self._last_bracket else None
        if found is None or len(self._format) - self._position < len("[1]"):
            self._position += 1
            self._is_good = False
            return False
        self._position = found.end()
        number = _parse_number(found[1]) if re.fullmatch(_NUMBER, found[1]) else None
        if number is not None and 0 < number <= len(self._arguments):
            self._next = number - 1
            return True
        self._is_good = False
        return number is not None

    def _argument_as_number(self) -> int | None:
        if self._next >= len(self._arguments):
            return None
        argument = self._arguments[self._next]
        self._next += 1
        if argument is None or argument.kind not in {GoKind.INT, GoKind.UINT8} or abs(argument.data) > _LARGEST:
            return None
        number: int = argument.data
        return number

    def _print_extra(self, out: bytearray) -> None:
        if self._is_reordered or self._next >= len(self._arguments):
            return
        self._printer.flags = Flags()
        out += b"%!(EXTRA "
        for index, argument in enumerate(self._arguments[self._next :]):
            out += b", " if index else b""
            if argument is None:
                out += b"<nil>"
            else:
                out += f"{argument.type.name}=".encode()
                self._printer.print(argument, "v")
        out += b")"


def _parse_number(digits: bytes) -> int | None:
    """Return a width, a precision or an index; None if it is too large."""
    digits = digits.lstrip(b"0") or b"0"
    if len(digits) > len(str(_LARGEST)) + 1 or int(digits[:-1] or b"0") > _LARGEST:
        return None
    return int(digits)
