"""Rule MF503."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span, span_around
from modelfile.syntax.nodes import Instruction, Message, Parameter, Quoting, System, Template
from modelfile.syntax.quoting import choose_quoting, quote

_INTENDED: Final = {"n": "\n", "t": "\t", '"': '"'}
_ESCAPE: Final = r'\\{1,2}([nt"])'
_NUMBERS: Final = {2: "two", 3: "three", 6: "six"}
_STOP: Final = r"\\{1,2}[nt]"
_BREAK: Final = re.compile(r'(?<!\\)\\n(?=\Z|[ \t]|\\n|["#*\d-]|[A-Z])|(?<=[.!?;)] )\\n|(?<=[.!?;)])\\n')
_DOUBLED_BREAK: Final = re.compile(r"(?:\\\\n){2,}|(?<=[.!?:;)])\\\\n(?=\Z|[A-Z\d#*-])")
_QUOTE: Final = re.compile(r'\\{1,2}"')
_TRIPLE: Final = r'(?:\\{1,2}"){3}'
_TURN: Final = re.compile(
    r"(?<=[}>\]])(?:\\{1,2}n)+|(?:\\{1,2}n)+(?=\{\{|<|\[)|(?:\\{1,2}n){2,}|^(?:\\{1,2}n)+|(?<!\\)(?:\\{1,2}n)+$",
    re.MULTILINE,
)
_MARKER: Final = r"(<[^<>\s]+>|<</?SYS>>|\[/?[A-Z_]+\])(?:\\{1,2}n)+"
"""A turn marker with newlines after it: with line breaks in their place, it is stop-with-newline."""
_WINDOWS: Final = r"[A-Za-z]:\\"
_NEWLINE: Final = r"[\r\n]"
_JSON: Final = r"(?<!\\)(?:\\u(?!0000)[0-9a-fA-F]{4})+"
_ABOUT_ESCAPES: Final = r"\b(?:unicode|escape\w*|json|regex\w*|code ?points?|python|javascript|java)\b"


@rule("MF503", "unescaped-sequence", on=Instruction, severity=Severity.WARNING)
def unescaped_sequence(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r'''`\n`, `\t` or `\"` stays two characters.

    Ollama knows no escapes in a Modelfile. The model receives a backslash and an n instead of a newline, and a `stop`
    with one never stops. Inside quotes, break the line itself, and write a quote as it is. Go reads escapes only in the
    strings of a template's actions, as in `{{ "\n" }}`.

    The rule reports stops, breaks next to the markers of a template, and texts on one line in which a sentence or
    paragraph ends with `\n`; but not code, paths, LaTeX, or a `\n` that the text itself puts in quotes.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM "You answer questions on billing.\nBe brief."
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM """You answer questions on billing.
    Be brief."""
    ```
    '''
    value, text = instruction.value, instruction.value.text
    if not value.closed or "\\" not in text:
        return
    places = [*_places(instruction)]
    if not places:
        return
    first = places[0]
    at = context.modelfile.locate(value, first.start())
    escape = re.match(_ESCAPE, first[0])
    written = escape[0] if escape else first[0][: len(r"\u0000")]
    length = len(written)
    times = sum(len(re.findall(_ESCAPE, place[0])) if escape else len(place[0]) // length for place in places)
    hint = "break the line there, and put the text in quotes"
    if not escape:  # of JSON
        hint = f"write the character itself: `{_plain(first[0])}`"
    elif escape[1] == '"':
        hint = "write the quote alone"
    fix = _fix(instruction, places)
    if isinstance(instruction, Parameter) and (ending := re.fullmatch(_MARKER, text)):
        hint = f"write `{ending[1]}` alone: no model writes a newline after it"
        fix = Fix(edits=(Edit(value.span, quote(ending[1])),))
    more = f" ({times} times)" if times > 1 else ""
    message = f"`{written}` is sent as {_NUMBERS[length]} characters{more}: Ollama knows no escapes"
    yield Finding(Span(at, at + length), message, hint, fix)


def _places(instruction: Instruction) -> Iterator[re.Match[str]]:
    text = instruction.value.text
    match instruction:
        case Parameter(name=name) if name.text == "stop" and '"' not in text:
            yield from re.finditer(_STOP, text)
        case Template():
            actions = _actions(text)
            for match in _TURN.finditer(text):
                if not span_around(match.start(), actions):
                    yield match
        case System() | Message() if r"\u" in text and (found := _json_escapes(text)):
            yield from found
        case System() | Message():
            is_on_a_line = not re.search(_NEWLINE, text) and not re.search(_WINDOWS, text)
            found = [*_breaks(instruction)] if is_on_a_line else []
            yield from found or _quotes(text)
        case _:
            pass


def _json_escapes(text: str) -> list[re.Match[str]]:
    r"""Return the escapes of JSON, such as `\u00e9`, in a text that is not about escapes."""
    if re.search(_ABOUT_ESCAPES, text, re.IGNORECASE):
        return []
    found = re.finditer(_JSON, text)
    return [match for match in found if _plain(match[0]).isprintable()]


def _plain(escapes: str) -> str:
    """Return the characters that escapes stand for; those of JSON may be halves of one."""
    if escapes.startswith(r"\u"):
        units = bytes.fromhex("".join(escapes.split(r"\u")))
        return units.decode("utf-16-be", "replace")
    return re.sub(_ESCAPE, lambda escape: _INTENDED[escape[1]], escapes)


def _actions(text: str) -> list[Span]:
    spans: list[Span] = []
    end = 0
    while (start := text.find("{{", end)) >= 0 and (closing := text.find("}}", start + 2)) >= 0:
        end = closing + 2
        spans.append(Span(start, end))
    return spans


def _breaks(instruction: Instruction) -> Iterator[re.Match[str]]:
    """Yield the escapes in a text on one line that does not quote them itself."""
    text = instruction.value.text
    pattern = _DOUBLED_BREAK if r"\\" in text else _BREAK
    if instruction.value.quoting is Quoting.DOUBLE and text.count('"') == len(re.findall(_QUOTE, text)):
        found = (*pattern.finditer(text), *_quotes(text))
        yield from sorted(found, key=lambda match: match.start())
        return
    quotes = backquotes = before = 0
    for match in pattern.finditer(text):
        quotes += text.count('"', before, match.start())
        backquotes += text.count("`", before, match.start())
        before = match.start()
        if quotes % 2 == 0 and backquotes % 2 == 0:
            yield match


def _quotes(text: str) -> list[re.Match[str]]:
    """Return the escaped quotes of a text that escapes all of its quotes: a text on escapes has others too."""
    if re.search(_TRIPLE, text):  # which would end the value if they were written alone
        return []
    found = [*re.finditer(_QUOTE, text)] if r"\"" in text else []
    return found if len(found) == text.count('"') and "`" not in text else []


def _fix(instruction: Instruction, places: list[re.Match[str]]) -> Fix | None:
    value, end = instruction.value, 0
    pieces: list[str] = []
    for place in places:
        pieces += value.text[end : place.start()], _plain(place[0])
        end = place.end()
    intended = "".join((*pieces, value.text[end:]))
    has_unprintable = len(value.text) != value.content.end - value.content.start
    return (
        None if has_unprintable or choose_quoting(intended) is None else Fix(edits=(Edit(value.span, quote(intended)),))
    )
