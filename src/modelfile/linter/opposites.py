"""Pairs of sentences in a system prompt that ask for opposite forms of answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.immutable import record
from modelfile.linter.prose import hide_code

_SENTENCE: Final = r"[^.!?;\r\n]+"
_CONDITION: Final = (
    r"\b(?:if|when|whenever|unless|except|where|while|once|until|otherwise|but|instead|only for|optional\w*|rather"
    r"|sparingly|default|prefer\w*|other than|apart from|outside|beyond|within|inside|code|comments?|headings?|titles?"
    r"|long|nested|too many|unnecessary|excessive|endless|translat\w*|example)\b"
)
_WORD: Final = r"(?!(?:no|not|never|without|avoid|don)\b)\w+"
_NOT: Final = (
    r"(?:\bno|\bnever (?:use|write|give|make|answer (?:in|with))|\b(?:do not|don't) (?:use|write|make)|\bwithout"
    r"|\bavoid)"
)
_ORDER: Final = (
    rf"\A\W*(?:{_WORD}[ ,:]+){{0,3}}?(?:use|write|give|list|add|include|answer|respond|reply|format|put|present|return"
    r"|structure|end|start|begin|show)\b"
)
_USERS: Final = (
    r"(?:user|guest|customer|visitor|client|reader|caller|patient|student|person|sender|learner|player|traveller)"
)
_LANGUAGE: Final = (
    r"English|German|French|Spanish|Italian|Portuguese|Dutch|Polish|Russian|Chinese|Japanese|Korean|Arabic|Turkish"
    r"|Hindi|Swedish|Norwegian|Danish|Finnish|Czech|Greek"
)
_ANSWER: Final = r"(?:answer|respond|reply|speak|write)"
_NO_LISTS: Final = rf"{_NOT} (?:any )?(?:bullet(?:ed)?[ -]?(?:points?|lists?)|bullets|(?:numbered )?lists)\b"
_LISTS: Final = rf"{_ORDER}(?:\W+{_WORD}){{0,8}}?\W+(?:bullet(?:ed)?[ -](?:points?|lists?)|bullets|numbered lists?)\b"
_NO_EMOJI: Final = rf"{_NOT} (?:any )?(?:emojis?|emoticons?)\b"
_EMOJI: Final = rf"{_ORDER}(?:\W+{_WORD}){{0,6}}?\W+(?:emojis?|emoticons?)\b"
_NO_MARKDOWN: Final = rf"{_NOT} (?:any )?markdown\b|\bplain text only\b|\bonly plain text\b"
_MARKDOWN: Final = rf"{_ORDER}(?:\W+{_WORD}){{0,6}}?\W+(?:markdown|bold(?: text)?|bullet points)\b"
_ONE_SENTENCE: Final = (
    rf"\b{_ANSWER} (?:only |always )?(?:in|with) (?:only |just |exactly )?(?:one|a single) (?:short )?sentence\b"
    r"|\banswers? (?:must|should) be (?:one|a single) sentence\b"
)
_LONG: Final = (
    r"\b(?:at least (?:\d{2,5} words|(?:three|four|five|six|ten|\d+) (?:sentences|paragraphs))"
    rf"|{_ANSWER} (?:\w+ ){{0,4}}?(?:in (?:great|full|much) detail|at length)|long and detailed)\b"
)
_ONE_LANGUAGE: Final = rf"\b(?:(?:always|only) {_ANSWER}|{_ANSWER} (?:always|only|exclusively)) in (?:{_LANGUAGE})\b"
_ANY_LANGUAGE: Final = (
    rf"\b{_ANSWER}\w* (?:\w+ )?in (?:the )?(?:same language as|language of"
    r"|language (?:that |in which )?(?:the|your|each)"
    rf"|(?:the |your |each |every )?{_USERS}(?:s?['\u2019]s?)? (?:own |native )?language"
    r"|(?:his or her|their) (?:own |native )?language)"
)
_FORMS: Final = (
    ("no lists", _NO_LISTS, "a list", _LISTS, ("list", "bullet")),
    ("no emoji", _NO_EMOJI, "emoji", _EMOJI, ("emoji", "emoticon")),
    ("no Markdown", _NO_MARKDOWN, "Markdown", _MARKDOWN, ("markdown", "plain text")),
    ("one sentence", _ONE_SENTENCE, "long answers", _LONG, ("sentence",)),
    ("one language for all answers", _ONE_LANGUAGE, "the language of the user", _ANY_LANGUAGE, ("language",)),
)
"""One form, its pattern, the opposite form, its pattern, and texts in lower case of which such a prompt has one."""


@record()
class Conflict:
    """Two sentences that ask for opposite forms."""

    earlier: tuple[int, int]
    later: tuple[int, int]
    asked: str
    """The form that the later sentence asks for."""
    opposite: str
    """The form that the earlier sentence asks for."""


def find_conflicts(prompt: str) -> Iterator[Conflict]:
    """Yield the conflicts of a prompt, at most one for each form.

    >>> [(each.asked, each.opposite) for each in find_conflicts("No lists. Give dishes as bullet points.")]
    [('a list', 'no lists')]
    """
    lowered = prompt.lower()
    prose = ""
    for form, pattern, opposite, other_pattern, signs in _FORMS:
        if not any(sign in lowered for sign in signs):
            continue
        prose = prose or hide_code(prompt)
        one, other = _find(pattern, prose), _find(other_pattern, prose)
        if not one or not other or one == other:
            continue
        if one < other:
            yield Conflict(one, other, opposite, form)
        else:
            yield Conflict(other, one, form, opposite)


def _find(pattern: str, prose: str) -> tuple[int, int] | None:
    """Return the span of the first sentence without a condition that has a match."""
    compiled = re.compile(pattern, re.IGNORECASE)
    for sentence in re.finditer(_SENTENCE, prose):
        if compiled.search(sentence[0]) and not re.search(_CONDITION, sentence[0], re.IGNORECASE):
            text = sentence[0]
            return sentence.start() + len(text) - len(text.lstrip(" \t-*#>")), sentence.end()
    return None
