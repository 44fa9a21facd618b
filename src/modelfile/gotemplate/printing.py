"""Values as Go's package fmt prints them (Go 1.26, fmt/print.go): print, println and `{{ . }}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from modelfile.gotemplate.govalues import (
    ANY,
    BYTES,
    GoError,
    GoKind,
    GoType,
    GoValue,
    LimitError,
    find_method,
    indirect,
    string,
)
from modelfile.gotemplate.literals import quote
from modelfile.gotemplate.numbers import SHORTEST, Flags, character, count_runes, print_float, print_integer

MOST_BYTES: Final = 16 * 1024 * 1024
"""Number of bytes that a rendering may print, in its output and in its functions."""

Argument: TypeAlias = GoValue | None
"""An argument of type interface{}: a value of another type, or nil."""

_SHORT: Final = 4
"""Number of digits of a code point that is written as `\\u`."""
_FLOAT_PRECISION: Final = {"v": SHORTEST, **dict.fromkeys("bgGxX", SHORTEST), **dict.fromkeys("feEF", 6)}


def printable(value: GoValue | None) -> GoValue:
    """Return the value that `{{ … }}` passes to fmt: behind pointers, or text where it has a String method."""
    if value is not None and value.kind is GoKind.POINTER:
        value, _ = indirect(value)
    if value is None:
        return string(b"<no value>")
    if value.addressable and "String" in value.type.pointer_methods and (method := find_method(value, "String")):
        return method()
    if value.kind is GoKind.FUNC:
        raise GoError(f"can't print a value of type {value.type.name}")
    return value


def sprint(arguments: Sequence[Argument]) -> bytes:
    """Print values with a space between any two that are no strings."""
    printer = Printer()
    after_string = False
    for index, argument in enumerate(arguments):
        is_string = argument is not None and argument.kind is GoKind.STRING
        if index and not is_string and not after_string:
            printer.out += b" "
        printer.print(argument, "v")
        after_string = is_string
    return bytes(printer.out)


def sprintln(arguments: Sequence[Argument]) -> bytes:
    """Print values with spaces between them and a newline after them."""
    printer = Printer()
    for index, argument in enumerate(arguments):
        printer.out += b" " if index else b""
        printer.print(argument, "v")
    return bytes(printer.out) + b"\n"


class Printer:
    """The output of fmt, and the flags of the current verb."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.flags = Flags()
        self._is_erroring = False

    def print(self, value: Argument, verb: str) -> None:
        """Print an argument.

        Raises:
            LimitError: More than `MOST_BYTES` are printed.
        """
        self._check_size()
        if value is None:
            if verb in "Tv":
                self.out += self.flags.pad(b"<nil>")
            else:
                self._reject(None, verb)
        elif verb == "T":
            self._string(value.type.name.encode(), "s")
        elif verb == "p":
            self._address(value, verb)
        elif not self._print_by_method(value, verb):
            self._print(value, verb, 0)

    def _check_size(self) -> None:
        if len(self.out) > MOST_BYTES:
            raise LimitError(f"the template prints more than {MOST_BYTES:,} bytes")

    def _print_by_method(self, value: GoValue, verb: str) -> bool:
        """Print a value by its String method, if it has one and the verb takes text."""
        if self._is_erroring:
            return False
        if verb == "w":
            self._reject(value, verb)
            return True
        if self.flags.sharp_v or verb not in "vsxXq":
            return False
        if value.kind is GoKind.POINTER and value.data is None:
            return False  # no type here has a String method that only its pointer has and that is passed to fmt
        # fmt gets a copy, which has no methods of its pointer
        method = find_method(GoValue(value.type, value.data), "String")
        if method:
            self._string(method().data, verb)
        return method is not None

    def _print(  # noqa: C901, PLR0912  # one case for each kind
        self, value: GoValue, verb: str, depth: int
    ) -> None:
        match value.kind:
            case GoKind.BOOL:
                printed = self.flags.pad(b"true" if value.data else b"false") if verb in "tv" else None
                self._write(printed, value, verb)
            case GoKind.INT | GoKind.UINT8:
                self._integer(value, verb)
            case GoKind.FLOAT:
                self._float(value, value.data, verb)
            case GoKind.COMPLEX:
                self._complex(value, verb)
            case GoKind.STRING:
                if verb == "v" and self.flags.sharp_v:
                    self._string(value.data, "q")
                elif verb in "vsxXq":
                    self._string(value.data, verb)
                else:
                    self._reject(value, verb)
            case GoKind.MAP:
                self._map(value, verb, depth)
            case GoKind.STRUCT:
                self._struct(value, verb, depth)
            case GoKind.SLICE:
                self._slice(value, verb, depth)
            case GoKind.POINTER if depth == 0 and value.data is not None:
                self.out += b"&"
                self._print_inner(value.type.item, value.data.data, verb, depth)
            case _:
                self._address(value, verb)

    def _print_inner(self, of: GoType, data: Any, verb: str, depth: int) -> None:
        """Print a field or an element."""
        self._check_size()
        value: GoValue | None = data if of is ANY else GoValue(of, data)
        if value is None:
            self.out += b"interface {}(nil)" if self.flags.sharp_v else b"<nil>"
        elif not self._print_by_method(value, verb):
            self._print(value, verb, depth + 1)

    def _map(self, value: GoValue, verb: str, depth: int) -> None:
        if self._open(value, b"map["):
            for index, key in enumerate(sorted(value.data or ())):
                self._separate(index)
                self._print(string(key), verb, depth + 1)
                self.out += b":"
                self._print_inner(value.type.item, value.data[key], verb, depth)
            self._close()

    def _struct(self, value: GoValue, verb: str, depth: int) -> None:
        if value.type.is_opaque:
            raise GoError(f"a value of type {value.type.name} is printed with an address, which differs in every run")
        if self.flags.sharp_v:
            self.out += value.type.name.encode()
        self.out += b"{"
        for index, (each, data) in enumerate(zip(value.type.fields, value.data, strict=True)):
            self._separate(index)
            if self.flags.plus_v or self.flags.sharp_v:
                self.out += each.name.encode() + b":"
            self._print_inner(each.type, data, verb, depth)
        self.out += b"}"

    def _slice(self, value: GoValue, verb: str, depth: int) -> None:
        if value.type.item.kind is GoKind.UINT8 and verb in "sqxX":
            self._string(bytes(value.data or ()), verb)
        elif self._open(value, b"["):
            for index, data in enumerate(value.data or ()):
                self._separate(index)
                self._print_inner(value.type.item, data, verb, depth)
            self._close()

    def _open(self, value: GoValue, opening: bytes) -> bool:
        """Print the start of a map or slice; False if that is all, as for nil in Go's syntax."""
        if not self.flags.sharp_v:
            self.out += opening
            return True
        self.out += b"[]byte" if value.type is BYTES else value.type.name.encode()
        self.out += b"(nil)" if value.data is None else b"{"
        return value.data is not None

    def _close(self) -> None:
        self.out += b"}" if self.flags.sharp_v else b"]"

    def _separate(self, index: int) -> None:
        if index:
            self.out += b", " if self.flags.sharp_v else b" "

    def _address(self, value: GoValue, verb: str) -> None:
        """Print a pointer: nil, or an address, which differs in every run."""
        if value.kind not in {GoKind.POINTER, GoKind.FUNC, GoKind.MAP, GoKind.SLICE} or verb not in "vpbodxX":
            self._reject(value, verb)
        elif value.data is not None:
            raise GoError(f"a value of type {value.type.name} is printed as its address, which differs in every run")
        elif verb == "p":
            self.flags.sharp = not self.flags.sharp
            self.out += print_integer(self.flags, 0, "x") or b""
            self.flags.sharp = not self.flags.sharp
        elif verb != "v":
            self.out += print_integer(self.flags, 0, verb) or b""
        elif self.flags.sharp_v:
            self.out += f"({value.type.name})(nil)".encode()
        else:
            self.out += self.flags.pad(b"<nil>")

    def _integer(self, value: GoValue, verb: str) -> None:
        if verb == "q":
            text = quote_bytes(character(value.data).encode(), ascii_only=self.flags.plus)[1:-1]
            text = {b'\\"': b'"', b"'": b"\\'"}.get(text, text)
            self.out += self.flags.pad(b"'" + text + b"'")
        elif verb == "v" and self.flags.sharp_v and value.kind is GoKind.UINT8:
            self.flags.sharp = True
            self.out += print_integer(self.flags, value.data, "x") or b""
            self.flags.sharp = False
        else:
            self._write(print_integer(self.flags, value.data, verb), value, verb)

    def _float(self, value: GoValue, number: float, verb: str) -> None:
        if verb in _FLOAT_PRECISION:
            self.out += print_float(self.flags, number, {"v": "g", "F": "f"}.get(verb, verb), _FLOAT_PRECISION[verb])
        else:
            self._reject(value, verb)

    def _complex(self, value: GoValue, verb: str) -> None:
        if verb not in _FLOAT_PRECISION:
            self._reject(value, verb)
            return
        self.out += b"("
        self._float(value, value.data.real, verb)
        plus, self.flags.plus = self.flags.plus, True
        self._float(value, value.data.imag, verb)
        self.flags.plus = plus
        self.out += b"i)"

    def _string(self, text: bytes, verb: str) -> None:
        flags = self.flags
        if verb in "xX":
            self.out += _hexadecimal(text[: flags.precision], flags, upper=verb == "X")
            return
        if flags.precision is not None and count_runes(text) > flags.precision:
            kept = text.decode("utf-8", "surrogateescape")[: flags.precision]
            text = kept.encode("utf-8", "surrogateescape")
        if verb == "q":
            plain = flags.sharp and _can_backquote(text)
            text = b"`" + text + b"`" if plain else quote_bytes(text, ascii_only=flags.plus)
        self.out += flags.pad(text)

    def _write(self, printed: bytes | None, value: GoValue, verb: str) -> None:
        if printed is None:
            self._reject(value, verb)
        else:
            self.out += printed

    def _reject(self, value: Argument, verb: str) -> None:
        """Print a value whose type the verb does not take."""
        self._is_erroring = True
        self.out += f"%!{verb}(".encode()
        if value is None:
            self.out += b"<nil>"
        else:
            self.out += f"{value.type.name}=".encode()
            self.print(value, "v")
        self.out += b")"
        self._is_erroring = False


def quote_bytes(text: bytes, *, ascii_only: bool = False) -> bytes:
    """Quote bytes as Go's `%q` does, and with `ascii_only` as `%+q` does."""
    parts = []
    for each in text.decode("utf-8", "surrogateescape"):
        if "\udc80" <= each <= "\udcff":
            parts.append(f"\\x{ord(each) - 0xDC00:02x}")
        elif ascii_only and not each.isascii():
            parts.append(f"\\u{ord(each):04x}" if len(f"{ord(each):x}") <= _SHORT else f"\\U{ord(each):08x}")
        else:
            parts.append(quote(each)[1:-1])
    return f'"{"".join(parts)}"'.encode()


def _can_backquote(text: bytes) -> bool:
    decoded = text.decode("utf-8", "surrogateescape")
    return not any(
        each in "\ufeff`\x7f" or (each < " " and each != "\t") or "\udc80" <= each <= "\udcff" for each in decoded
    )


def _hexadecimal(text: bytes, flags: Flags, *, upper: bool) -> bytes:
    digits = text.hex(" ") if flags.space and text else text.hex()
    if flags.sharp and text:
        digits = " ".join(f"0x{each}" for each in digits.split(" "))
    return flags.pad((digits.upper() if upper else digits).encode())
