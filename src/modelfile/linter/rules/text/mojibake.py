"""Rule MF514."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, TypeAlias

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.linter.rules.text import characters_beyond_ascii
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile

_PAGES: Final = (
    ("cp1252", "Windows-1252"),
    ("cp437", "code page 437"),
    ("cp850", "code page 850"),
    ("cp1251", "Windows-1251"),
    ("cp866", "code page 866"),
    ("mac_roman", "Mac Roman"),
)
_SIGNS: Final = {
    "cp1252": "\xc2\xc3\xe2\xf0\xc4\xc5\xd0\xd1\xef\xe3\xe4\xe5\xe6\xe7\xe8\xe9",
    "cp437": "\u251c\u252c\u0393\u2261\u2568\u2564\u2500\u253c",
    "cp850": "\u251c\u252c\xd4\xad\xf0\xd0\xd1",
    "cp1251": "\u0420\u0421\u0432\u0440\u045f",
    "cp866": "\u251c\u252c\u0442\u2568\u2564",
    "mac_roman": "\u221a\xac\u201a\xf0",
}
"""The first characters of broken sequences in each code page."""
_FIRST_CHINESE: Final = "\u20ac"
_CHINESE: Final = r"[\u3040-\u30ff\u4e00-\u9fff\u20ac]{4,}"
"""Runs in which UTF-8 that was read as GBK is looked for; shorter ones can be both."""
_SURE: Final = "\xc3\xc2"
_SURE_NEXT: Final = frozenset(map(chr, range(0xA0, 0xC0))) | frozenset("\u0178\u2030\u0153\u0152")
_PUNCTUATION: Final = (*range(0x2010, 0x2300), *range(0x2600, 0x27C0), 0xFEFF, 0xFFFD)
_FEWEST: Final = 3
"""Number of broken characters in a row that cannot be text of their own."""
_LONGEST_CHANCE: Final = 4
"""Number of Chinese characters that can be UTF-8 of one script by chance."""
_LOST: Final = "\ufffd"
_SHOWN: Final = 40


@rule("MF514", "mojibake", on=Modelfile, severity=Severity.WARNING)
def mojibake(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    """Characters were read in the wrong encoding when the file was written.

    A program has read UTF-8 as another code page and saved what it read: `caf\u00e9` became `caf\u00c3\u00a9`. In
    PowerShell 5 and the Windows console, `>` and `Get-Content` do this. The model receives the broken characters. The
    fix writes those that were intended.

    A file in UTF-16 without a byte order mark is reported too; Ollama rejects it.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You work at the caf\u00c3\u00a9.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You work at the caf\u00e9.
    ```
    """
    yield from parser_findings(modelfile, "mojibake")
    text = modelfile.text
    if text.isascii() or "mojibake" in text.lower():  # a prompt about it shows some
        return
    found = _broken(text, characters_beyond_ascii(modelfile, context))
    if found:
        first, page = found[0][0], found[0][2]
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        (start, end), right = first, found[0][1]
        line = modelfile.source.line_of(start)
        message = f"`{_around(text, start, end, text[start:end])}` is UTF-8 that was read as {page}{more}"
        hint = f"write `{_around(text, start, end, right)}` in line {line}, and save the file as UTF-8"
        edits = tuple(Edit(Span(*span), intended) for span, intended, _ in found)
        yield Finding(Span(start, end), message, hint, Fix(edits=edits))
    elif _LOST in text and not modelfile.source.malformed:
        offset = text.index(_LOST)
        hint = "write the character that was intended, and save the file as UTF-8"
        yield Finding(Span(offset, offset + 1), "U+FFFD stands for a character that an earlier program lost", hint)


Broken: TypeAlias = tuple[tuple[int, int], str, str]
"""The span of broken characters, those that were intended, and the name of the code page."""


def _broken(text: str, unusual: frozenset[str]) -> list[Broken]:
    """Return the broken characters of a text by the code page that explains most of them."""
    pages = [page for page, _ in _PAGES if not unusual.isdisjoint(_SIGNS[page])]
    found = [[*_in_page(text, page)] for page in pages]
    if max(unusual) >= _FIRST_CHINESE and re.search(_CHINESE, text):
        runs = ((match.span(), _decode(match[0], "gbk")) for match in re.finditer(_CHINESE, text))
        found.append([(span, to, "GBK") for span, to in runs if to and _is_of_one_script(to)])
    return max(found, key=lambda items: sum(end - start for (start, end), _, _ in items), default=[])


def _is_of_one_script(intended: str) -> bool:
    r"""Return whether a text is East Asian or Cyrillic: by chance, Chinese is UTF-8 of many scripts.

    >>> _is_of_one_script("\u03aa\u02b2\xf4\u047d")  # the UTF-8 that the Chinese for "why?" is, too
    False
    """
    is_cyrillic = len(intended) > _LONGEST_CHANCE and all(0x400 <= ord(one) < 0x530 for one in intended)  # noqa: PLR2004  # the blocks
    return is_cyrillic or all(ord(one) >= 0x2000 for one in intended)  # noqa: PLR2004  # above scripts of two bytes


def _in_page(text: str, page: str) -> Iterator[Broken]:
    for match in _sequences(page).finditer(text):
        intended = _decode(match[0], page)
        if intended and _is_sure(match, intended, page):
            yield match.span(), intended, dict(_PAGES)[page]


@cache
def _sequences(page: str) -> re.Pattern[str]:
    """Return a pattern of the sequences of UTF-8, as a code page shows their bytes."""

    def characters(first: int, last: int) -> str:
        shown = {bytes([byte]).decode(page, "ignore") or chr(byte) for byte in range(first, last + 1)}
        controls = {chr(byte) for byte in range(0x80, 0xA0)} if page == "cp1252" and first == _CONTINUES else set()
        return f"[{re.escape(''.join(sorted(shown | controls)))}]"

    more = characters(_CONTINUES, 0xBF)
    two, three, four = characters(0xC2, 0xDF), characters(0xE0, 0xEF), characters(0xF0, 0xF4)
    return re.compile(f"(?:{two}{more}|{three}{more}{{2}}|{four}{more}{{3}})+")


_CONTINUES: Final = 0x80


def _decode(text: str, page: str) -> str | None:
    """Return the text that was read in a code page; None if it is not UTF-8."""
    try:
        data = b"".join(_bytes(one, page) for one in text)
        intended = data.decode("utf-8")
    except UnicodeError:
        return None
    again = _sequences(page).fullmatch(intended) if page != "gbk" else None
    return (_decode(intended, page) if again else None) or intended  # broken twice


def _bytes(character: str, page: str) -> bytes:
    try:
        return character.encode(page)
    except UnicodeEncodeError:
        return character.encode("latin-1")


def _is_sure(match: re.Match[str], intended: str, page: str) -> bool:
    """Return whether broken characters cannot be text of their own."""
    if page in ("cp1251", "cp866"):  # in Cyrillic text, most of these characters are letters
        is_cyrillic = len(intended) >= _FEWEST and all(0x400 <= ord(one) < 0x530 for one in intended)  # noqa: PLR2004  # the blocks
        return is_cyrillic or 0x1F300 <= ord(intended[0]) < 0x1FB00 or 0x2010 <= ord(intended[0]) < 0x2027  # noqa: PLR2004  # dashes and quotes
    is_east_asian = all(0x3000 <= ord(one) < 0xD7FF for one in intended) and len(intended) > 1  # noqa: PLR2004  # the blocks
    if len(intended) >= _FEWEST or is_east_asian or any(ord(one) > 0xFFFF for one in intended):  # noqa: PLR2004  # emoji and the like
        return True
    text, (start, end) = match.string, match.span()
    if ord(intended[0]) in _PUNCTUATION:
        return True
    after, before = text[end : end + 1].isalpha(), text[start - 1 : start].isalpha()
    if page == "cp1252" and text[start] in _SURE:
        return text[start + 1] in _SURE_NEXT or after
    if ord(intended[0]) > 0x24F:  # noqa: PLR2004  # the end of the Latin blocks
        return False
    return (after and before) if page == "cp1252" else (after or before)


def _around(text: str, start: int, end: int, middle: str) -> str:
    """Return characters with the rest of their word."""
    before, after = text[max(0, start - _SHOWN) : start], text[end : end + _SHOWN]
    head = before[len(before.rstrip(_LETTERS)) :] if before else ""
    return head + middle + after[: len(after) - len(after.lstrip(_LETTERS))]


_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
