"""Rule MF424."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from modelfile.characters import is_homoglyph
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, base_family, parsed_template, rule
from modelfile.linter.rules.template import effective_template
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter, Template

if TYPE_CHECKING:
    from modelfile.catalog.families import Family, TurnFormat

_BAR: Final = "\uff5c"
"""The bar of DeepSeek's markers."""
_CANDIDATE: Final = (
    r"<[|\uff5c]? ?[^\s<>|\uff5c{}](?:[^<>|\uff5c{}\n]{0,38}[^\s<>|\uff5c{}])? ?[|\uff5c]?>|\[[/\\]? ?INST ?[/\\]?\]"
)
"""Texts in the form of a marker, or close to it."""
_ENTITIES: Final = (
    r"&lt;[|\uff5c]?\w{1,40}[|\uff5c]?&gt;|&lt;[|\uff5c]\w{1,40}[|\uff5c]>|<[|\uff5c]\w{1,40}[|\uff5c]&gt;"
)
_OTHERS: Final = frozenset(
    {"<|begin_of_text|>", "<|end_of_text|>", "<|endoftext|>", "<|startoftext|>", "<|eom_id|>", "<|endofturn|>"}
    | {"<|begin_of_sentence|>", "<|end_of_sentence|>", "<|im_user|>", "<|im_system|>", "<|im_middle|>", "<|user_end|>"}
)
"""Tokens of other formats that look like misspelled markers, but are not."""
_LONG: Final = 5
"""Letters from which a marker with one wrong letter is recognized."""
_VERY_LONG: Final = 9
"""Letters from which a marker with several wrong letters is recognized, if it is similar enough."""
_SIMILAR: Final = 0.85
_MOST_MISSING: Final = 2
"""Letters that may be missing, or be there in addition."""


@rule("MF424", "misspelled-marker", on=Modelfile, severity=Severity.WARNING)
def misspelled_marker(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''A turn marker is misspelled.

    A marker such as `<|im_start|>` is one token of the model, and only in exactly this spelling. With a letter
    missing, two swapped, or a bar left out, it is ordinary text: in a TEMPLATE, the model does not see where a turn
    begins or ends; as a stop, it never comes.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_strat|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    PARAMETER stop <|im_end>
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    PARAMETER stop <|im_end|>
    ```
    '''
    found = effective_template(modelfile, context)
    if template := found[0] if found else _broken_template(modelfile):
        family = base_family(modelfile, context)
        wide = _has_wide_bars(family)
        yield from _entities(template, context)
        for wrong, (right, starts) in misspelled(template.value.text, wide=wide).items():
            places = [modelfile.locate_span(template.value, start, start + len(wrong)) for start in starts]
            yield _finding(wrong, _of_base(wrong, right, family), places)
    for node in modelfile.of_type(Parameter):
        text = node.value.text.strip()
        if node.name.text != "stop" or not node.value.closed:
            continue
        if "&" in text and re.fullmatch(_ENTITIES, text):
            yield from _entities(node, context)
        elif found_stop := misspelled(text, wide=_has_wide_bars(base_family(modelfile, context))).get(text):
            start = modelfile.locate(node.value, node.value.text.index(text))
            right = _of_base(text, found_stop[0], base_family(modelfile, context))
            yield _finding(text, right, [Span(start, start + len(text))])


def _has_wide_bars(family: Family | None) -> bool:
    return family is not None and family.turns is not None and _BAR in family.turns.markers[0]


def _broken_template(modelfile: Modelfile) -> Template | None:
    """Return the TEMPLATE if Ollama rejects it for a syntax error, so that one attempt fixes both; not one in Jinja."""
    last = modelfile.last(Template)
    if last is None or not last.value.closed or "{%" in last.value.text:
        return None
    return last if last.value.text and parsed_template(last.value.text).diagnostics else None


def _finding(wrong: str, right: str, places: list[Span]) -> Finding:
    fix = Fix(edits=tuple(Edit(place, right) for place in places), safety=Safety.UNSAFE)
    return Finding(
        places[0], f"`{wrong}` is not a turn marker: it is ordinary text to the model", f"write `{right}`", fix
    )


def _of_base(wrong: str, right: str, family: Family | None) -> str:
    """Return the marker that is intended: one of the base, if it is as close."""
    turns = family.turns if family else None
    close = [each for each in (*turns.markers, *turns.ends) if _letters(each) == _letters(wrong)] if turns else []
    return close[0] if close and right not in close else right


def _entities(node: Template | Parameter, context: Context) -> Iterator[Finding]:
    """Yield a finding on markers that are written for HTML."""
    found = [*re.finditer(_ENTITIES, node.value.text)] if "&" in node.value.text else []
    if found:
        modelfile, value = context.modelfile, node.value
        spans = [modelfile.locate_span(value, *match.span()) for match in found]
        right = found[0][0].replace("&lt;", "<").replace("&gt;", ">")
        message = f"`{found[0][0]}` is not a turn marker: `&lt;` and `&gt;` are written for HTML"
        edits = (
            Edit(span, match[0].replace("&lt;", "<").replace("&gt;", ">"))
            for span, match in zip(spans, found, strict=True)
        )
        yield Finding(spans[0], message, f"write `{right}`", Fix(edits=tuple(edits), safety=Safety.UNSAFE))


@lru_cache(maxsize=32)
def misspelled(text: str, *, wide: bool = False) -> Mapping[str, tuple[str, list[int]]]:
    """Return the misspelled markers in a text, with the intended marker and their offsets.

    Args:
        text: The text.
        wide: Whether the base has the wide bars of DeepSeek; a text that has some is of that family, too.
    """
    known, wide = _known(), wide or _BAR in text
    found: dict[str, tuple[str, list[int]]] = {}
    for match in re.finditer(_CANDIDATE, text):
        wrong = match[0]
        if wrong in found:
            found[wrong][1].append(match.start())
        elif wide and (right := _widened(wrong)):
            found[wrong] = right, [match.start()]
        elif wrong not in known and wrong not in _OTHERS and (intended := _intended(wrong)):
            found[wrong] = intended, [match.start()]
    return found


def _widened(wrong: str) -> str | None:
    """Return the marker of DeepSeek that has the same text, but wide bars and its own underscores."""
    right = wrong.replace("|", _BAR)
    return next((each for each in (right, right.replace("_", "\u2581")) if each != wrong and each in _known()), None)


@lru_cache(maxsize=1 << 10)
def _intended(wrong: str) -> str | None:
    """Return the marker that a text is a misspelling of; None if it may be anything else, such as a tag of XML."""
    letters = _letters(wrong)
    if is_homoglyph(wrong):
        return None  # homoglyph
    if letters == "inst":
        right = "[/INST]" if re.search(r"[/\\]", wrong) else "[INST]"
        return None if wrong == right else right
    if same := _by_letters().get(letters):
        return same if "_" in same or "\u2581" in same else None
    if "|" not in wrong and _BAR not in wrong:
        return None
    return next((right for own, right in _by_letters().items() if len(own) >= _LONG and _is_close(letters, own)), None)


def _letters(marker: str) -> str:
    return "".join(filter(str.isalnum, marker)).lower()


def _is_close(one: str, other: str) -> bool:
    """Return whether two texts differ by one letter or by two that are swapped, or long ones by a few."""
    if not one or abs(len(one) - len(other)) > _MOST_MISSING or one[0] != other[0]:
        return False
    if min(len(one), len(other)) >= _VERY_LONG:
        from difflib import SequenceMatcher

        return SequenceMatcher(None, one, other).ratio() >= _SIMILAR
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    swapped = one[1:2] + one[:1] + one[2:] == other
    return swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]


@cache
def _known() -> frozenset[str]:
    return frozenset(marker for each in _formats() for marker in (*each.markers, *each.ends))


@cache
def _by_letters() -> Mapping[str, str]:
    """Return the markers by their letters: of several, the first in angle brackets and with ordinary bars."""
    markers = [marker for each in _formats() for marker in (*each.markers, *each.ends)]
    return {_letters(marker): marker for marker in sorted(markers, key=_is_rare)[::-1]}


def _is_rare(marker: str) -> bool:
    return _BAR in marker or marker.startswith("[")


@cache
def _formats() -> tuple[TurnFormat, ...]:
    from modelfile.catalog.families import turn_formats

    return tuple(each for each in turn_formats().values() if not each.plain)
