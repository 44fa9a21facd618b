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
    r"|sparingly|default|prefer\w*|other than|apart from|outside|beyond|within|inside|code|comments?"
    r"|(?<!markdown )headings?|titles?"
    r"|long|nested|too many|unnecessary|excessive|endless|translat\w*|example|in (?:case|(?:an )?emergenc\w+))\b"
    r"|\A\W*+(?!(?:\w+ )?(?:important|note|rules?|formats?|formatting|length|style|tone|language|output|answers?"
    r"|responses?"
    r"|guidelines?|instructions?|remember)\b)\w[\w'-]*(?: [\w'-]+){0,3}:\s"
)
"""Words, and labels such as `Version A:`, of sentences that hold for some answers only."""
_QUOTED: Final = r'"[^"\r\n]{1,400}"|\u201c[^\u201c\u201d\r\n]{1,400}\u201d'
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
_PART: Final = (
    r"\b(?:in|for|during|on) (?!(?:[\w'\u2019-]+ ){0,3}?(?:answers?|responses?|repl(?:y|ies)|outputs?|messages?|texts?"
    r"|conversations?|chats?|general|cases?|times|circumstances|languages?|person|details?|words?|sentences?"
    r"|paragraphs?"
    rf"|lists?|bullets?|points?|tables?|degrees|inches|miles|pounds|units|{_USERS}s?)\b)"
    r"(?:(?:the|your|its|an?|each|every|all|any|this|that|these|those) [a-z]|(?:\w+ )?[a-z-]{3,30}s\b)"
)
"""A part of the answers, such as `in the greeting`, or one kind of them, such as `in stories`."""
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
_PLAIN: Final = r"\A(?!.*\b(?:no|not|never|without|avoid|neither)\b)(?!.*n't\b).*"
"""The start of a sentence without a negation."""
_STYLE: Final = (
    rf"{_PLAIN}\b(?:use|keep|speak|write|answer|respond|reply|be|stay|remain|maintain|adopt)\b(?:\W+\w+){{0,6}}?\W+"
)
_AT_END: Final = (
    r"(?:\W+(?:tone|language|style|register|manner|voice))?(?=\W*\Z|\s*,|\W+(?:always|throughout|at all times)\b)"
)
"""The end of a demand that holds for all: none with a part such as `with customers`."""
_GERMAN: Final = r"\A(?!.*\b(?:wenn|falls|bei|au\u00dfer|nur|nie|nicht|niemals|Kinder\w*|Kolleg\w*|Freund\w*)\b).*"
_NO_TABLES: Final = rf"{_NOT} (?:any )?tables\b"
_TABLES: Final = rf"{_ORDER}(?:\W+{_WORD}){{0,6}}?\W+(?:markdown )?tables?\b"
_JSON_ONLY: Final = (
    r"\A(?!.*\b(?:not|never|without|avoid|neither|no(?! (?:other|extra|additional|further|prose|text"
    r"|explanations?)\b))\b)"
    r"(?!.*n't\b).*(?:\b(?:only|exclusively)\b(?:\W+\w+){0,4}?\W+json\b|\bjson\W+only\b)"
)
_NO_FIELD: Final = r"\A(?!.*\b(?:fields?|keys?|values?|strings?|propert\w+|comments?)\b)"
_NO_JSON: Final = (
    rf"{_NO_FIELD}{_PLAIN}"
    r"\b(?:answers?|responses?|output|respond|reply|format|present|return|write)\b"
    r"(?:\W+\w+){0,6}?\W+(?:in|as|be)\W+(?:an?\W+)?(?:valid\W+)?"
    r"(?:yaml|xml|html|markdown(?: table)?|prose|plain text)\b"
)
_BESIDE_JSON: Final = (
    rf"{_NO_FIELD}{_PLAIN}\b(?:start|begin|end|finish|open|close|add|wrap|put|give|write|return|show)\b(?: \w+){{0,3}}?"
    r" (?:answers?|responses?|repl(?:y|ies)|outputs?|messages?) with (?:an? )?(?:\w+ ){0,2}?"
    r"(?:markdown headings?|greetings?|bullet lists?|tables?|prose)\b"
)
_METRIC: Final = (
    rf"{_PLAIN}\b(?:metric units only|only (?:use )?(?:the )?metric|(?:always|only) (?:use|give) (?:the )?metric)\b"
)
_UNITS: Final = r"in (?:degrees )?(?:fahrenheit|feet|inches|miles|pounds|imperial)"
_IMPERIAL: Final = rf"{_PLAIN}\b(?:give|use|state|write)\b(?:\W+\w+){{0,5}}?\W+(?:{_UNITS}|imperial units)\b"
_FORMS: Final = (
    (("no lists", _NO_LISTS, ("list", "bullet")), ("a list", _LISTS, ("list", "bullet"))),
    (("no emoji", _NO_EMOJI, ("emoji", "emoticon")), ("emoji", _EMOJI, ("emoji", "emoticon"))),
    (
        ("no Markdown", _NO_MARKDOWN, ("markdown", "plain text")),
        ("Markdown", _MARKDOWN, ("markdown", "bold", "bullet")),
    ),
    (("one sentence", _ONE_SENTENCE, ("sentence",)), ("long answers", _LONG, ("at least", "detail", "length"))),
    (("no tables", _NO_TABLES, ("table",)), ("a table", _TABLES, ("table",))),
    (
        (
            "a casual tone",
            rf"{_STYLE}(?:casual(?:ly)?|informal(?:ly)?|colloquial|slang)\b{_AT_END}",
            ("casual", "informal", "colloquial", "slang"),
        ),
        ("a formal tone", rf"{_STYLE}(?<!in)(?<!in-)formal(?:ly)?\b{_AT_END}", ("formal",)),
    ),
    (
        ("formal address", rf"{_GERMAN}\bsiez\w*", ("siez",)),
        ("informal address", rf"{_GERMAN}\bduz\w*", ("duz",)),
    ),
    (
        ("the third person", rf"{_STYLE}third person\b(?=\W*\Z|\s*,)", ("third person",)),
        ("the first person", rf"{_STYLE}first person\b(?=\W*\Z|\s*,)", ("first person",)),
    ),
    (
        ("JSON only", _JSON_ONLY, ("json",)),
        (
            "another format",
            rf"{_NO_JSON}|{_BESIDE_JSON}",
            ("yaml", "xml", "html", "markdown", "prose", "plain text", "greeting", "bullet", "table"),
        ),
    ),
    (
        ("metric units", _METRIC, ("metric",)),
        ("other units", _IMPERIAL, ("fahrenheit", "feet", "inches", "miles", "pounds", "imperial")),
    ),
    (
        ("one language for all answers", _ONE_LANGUAGE, (" in ",)),
        ("the language of the user", _ANY_LANGUAGE, ("language",)),
    ),
)
"""Two opposite forms, each with its pattern, and texts in lower case of which such a sentence has one."""


_PERSONA: Final = r"\s*(?:You are(?= [A-Z][a-z]+,)|Your name is) ([A-Z][a-z]+)"
_NUMBER_WORDS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER: Final = rf"(\d{{1,5}}|{'|'.join(_NUMBER_WORDS)})"
_MOST: Final = (
    r"\b(?:at most|no more than|not more than|(?:a )?maximum(?: of)?|under|fewer than|less than|within) "
    rf"{_NUMBER} (word|sentence)s?\b"
)
_MOST_SIGNS: Final = ("at most", "more than", "maximum", "under", "fewer than", "less than", "within")
_LEAST_SIGNS: Final = ("at least", "minimum", "fewer than", "less than", "more than")
"""Texts of which each match of `_MOST` or `_LEAST` has one in lower case."""
_LEAST: Final = rf"\b(?:at least|(?:a )?minimum(?: of)?|no (?:fewer|less) than|more than) {_NUMBER} (word|sentence)s?\b"
_BRIEF: Final = (
    r"\b(?:keep (?:all |your |the )*(?:answers?|responses?|repl(?:y|ies)) (?:very )?(?:short|brief)|be (?:very )?brief"
    r"|answer (?:very )?briefly)\b"
)
_SHOWN: Final = 60
"""Characters of a sentence that a message shows."""
_MANY_WORDS: Final = 300
"""Number of words of an answer that nobody calls short."""
_EXACTLY: Final = rf"\bexactly {_NUMBER} ((?!words?\b|sentences?\b)[a-z]{{4,20}})\b"
_MOST_EXACT: Final = 20
"""Exact numbers of a prompt that are compared."""
_OF_ANSWERS: Final = (
    r"\A\W*(?:\w+(?: \w+)?: )?(?:(?:always|please|only|you|must|should|will|shall|try|to) )*(?:answer|respond"
    r"|reply|write|use|keep|limit|give"
    r"|provide|produce|be|do|make|include|return|generate|explain|say|speak|aim|stay|list|offer|name|propose"
    r"|suggest|ask"
    r"|show|stick|never|no|not|at|exactly|in|under|fewer|less|more|maximum|minimum|(?:all|your|the|each|every|any|an) "
    r"(?:\w+ )?(?:answers?|responses?|repl(?:y|ies)|outputs?|messages?)|(?:answers?|responses?|repl(?:y|ies)"
    r"|outputs?))\b"
)
"""The start of a sentence on the answers, rather than on a document or a part of it."""
_KINDS: Final = (
    r"\b(?:abstract|essay|article|document|e-?mail|post|tweet|caption|report|letter|poem|note|story|stories"
    r"|chat|comment"
    r"|slogan|blog|newsletter|script)"
)
_PARTS: Final = (
    r"\b(?:summar\w+|titles?|headlines?|introduction|(?:each|every|per) (?!answer|response|reply)\w+|paragraphs?"
    r"|section|first|then|description)\b"
)
_NEVER: Final = (
    r"(?i)\A\W*(?:you (?:must |should )?)?(?:never|do not|don't) (?P<verb>[a-z]+) (?P<object>[a-z' -]+?)\s*\Z"
)
_ALWAYS: Final = (
    r"(?i)\A\W*(?:you (?:must |should )?)?always (?P<verb>[a-z]+) (?P<object>[a-z' -]+?)"
    r"(?:\s+(?:of|for|in|at|with|about|to|on|by|from|as|and|before|after)\b.*)?\Z"
)
_SHOW: Final = frozenset(
    {"give", "mention", "state", "name", "show", "include", "add", "write", "use", "provide", "tell"}
)
"""Verbs of which one may stand for the other before the same object."""

_ARTICLES: Final = frozenset({"the", "a", "an", "any", "your", "all"})


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
    for (form, pattern, signs), (opposite, other_pattern, other_signs) in _FORMS:
        if not any(map(lowered.__contains__, signs)) or not any(map(lowered.__contains__, other_signs)):
            continue
        prose = prose or _hide_quoted(prompt)
        is_ban = form.startswith("no ")
        one = _find(pattern, prose, signs, f"{_CONDITION}|{_PART}")
        excluded = _CONDITION if is_ban else f"{_CONDITION}|{_PART}"
        other = _find(other_pattern, prose, other_signs, excluded) if one else None
        if not one or not other or one == other:
            continue
        if one < other:
            yield Conflict(one, other, opposite, form)
        else:
            yield Conflict(other, one, form, opposite)
    yield from _of_numbers(prompt, lowered)
    if lowered.count("you are ") > 1:
        yield from _of_personas(prompt)
    if "never" in lowered or "n't" in lowered or "not" in lowered:
        yield from _of_orders(prompt, lowered)


def _of_numbers(prompt: str, lowered: str) -> Iterator[Conflict]:
    """Yield the conflict of a limit with a minimum, and of two exact numbers of the same."""
    counts = " word" in lowered or " sentence" in lowered
    most = _numbered(_MOST, prompt) if counts and any(map(lowered.__contains__, _MOST_SIGNS)) else []
    may_ask = any(map(lowered.__contains__, _LEAST_SIGNS)) and (most or "brief" in lowered or "short" in lowered)
    least = _numbered(_LEAST, prompt) if may_ask else []
    pairs = [
        (first, second, f"at most {limit} {unit}s", f"at least {minimum} {unit}s")
        for first, limit, unit in most
        for second, minimum, other in least
        if unit == other and minimum > limit and not _differ(prompt[slice(*first)], prompt[slice(*second)])
    ]
    if not pairs and least and (brief := _find(_BRIEF, _hide_quoted(prompt))):
        pairs = [
            (brief, second, "short answers", f"at least {minimum} words")
            for second, minimum, unit in least
            if unit == "word" and minimum >= _MANY_WORDS
        ]
    if "exactly" in lowered:
        exact = _numbered(_EXACTLY, prompt)
        pairs += [
            (first, second, f"exactly {number} {noun}", f"exactly {other} {noun}")
            for at, (first, number, noun) in enumerate(exact[:_MOST_EXACT])
            for second, other, same in exact[at + 1 : _MOST_EXACT]
            if noun == same and number != other
        ]
    for one, other, form, opposite in pairs[:1]:
        yield Conflict(one, other, opposite, form) if one < other else Conflict(other, one, form, opposite)


def _of_personas(prompt: str) -> Iterator[Conflict]:
    """Yield a conflict of two names for the model."""
    found: dict[str, tuple[int, int]] = {}
    for sentence in re.finditer(_SENTENCE, _hide_quoted(prompt)):
        if (match := re.match(_PERSONA, sentence[0])) and not re.search(_CONDITION, sentence[0], re.IGNORECASE):
            found.setdefault(match[1], _trimmed(sentence))
    (one, first), (other, second) = [*found.items(), ("", (0, 0)), ("", (0, 0))][:2]
    if other:
        yield Conflict(first, second, f"the name {other}", f"the name {one}")


def _numbered(pattern: str, prompt: str) -> list[tuple[tuple[int, int], int, str]]:
    """Return the spans of the sentences with a number of words, sentences or other nouns, that number, and the noun."""
    compiled, found = re.compile(pattern, re.IGNORECASE), []
    for sentence in re.finditer(_SENTENCE, _hide_quoted(prompt)):
        text = sentence[0]
        match = compiled.search(text)
        is_of_answers = match and re.match(_OF_ANSWERS, text, re.IGNORECASE)
        if match and is_of_answers and not re.search(f"{_CONDITION}|{_PARTS}|{_PART}", text, re.IGNORECASE):
            word = match[1].lower()
            number = _NUMBER_WORDS.index(word) + 1 if word in _NUMBER_WORDS else int(word)
            found.append((_trimmed(sentence), number, match[2].lower()))
    return found


def _differ(one: str, other: str) -> bool:
    """Return whether two sentences are about different kinds of texts."""
    kinds, others = ({*re.findall(_KINDS, text.lower())} for text in (one, other))
    return bool(kinds and others and kinds != others)


def _of_orders(prompt: str, lowered: str) -> Iterator[Conflict]:
    """Yield a conflict of "never …" with "always …" of the same."""
    if "always" not in lowered:
        return
    never: dict[tuple[str, str], tuple[re.Match[str], list[str]]] = {}
    always: dict[tuple[str, str], tuple[re.Match[str], list[str]]] = {}
    for sentence in re.finditer(_SENTENCE, _hide_quoted(prompt)):
        for pattern, found in ((_NEVER, never), (_ALWAYS, always)):
            match = re.match(pattern, sentence[0])
            words = _words(match["object"]) if match else []
            if match and words and not re.search(_CONDITION, sentence[0], re.IGNORECASE):
                verb = "show" if match["verb"].lower() in _SHOW else match["verb"].lower()
                found.setdefault((verb, words[-1]), (sentence, words))
    for key in never.keys() & always.keys():
        if not {*never[key][1]} <= {*always[key][1]}:  # such as `medical questions` and `questions`
            continue
        one, other = sorted((never[key][0], always[key][0]), key=lambda each: each.start())
        asked, opposite = (f"`{each[0].strip(' -*#')[:_SHOWN]}`" for each in (other, one))
        yield Conflict(_trimmed(one), _trimmed(other), asked, opposite)
        return


def _words(text: str) -> list[str]:
    """Return the words of the object of an order, without endings and articles."""
    words = [word.rstrip("s") for word in text.lower().split()]
    return [word for word in words if word not in _ARTICLES] or words


def _hide_quoted(prompt: str) -> str:
    """Return a prompt with spaces instead of code and quoted texts."""
    return re.sub(_QUOTED, lambda match: " " * len(match[0]), hide_code(prompt))


def _trimmed(sentence: re.Match[str]) -> tuple[int, int]:
    text = sentence[0]
    return sentence.start() + len(text) - len(text.lstrip(" \t-*#>")), sentence.end()


def _find(
    pattern: str, prose: str, signs: tuple[str, ...] = ("",), excluded: str = _CONDITION
) -> tuple[int, int] | None:
    """Return the span of the first sentence without a condition that has a match."""
    compiled = re.compile(pattern, re.IGNORECASE)
    for sentence in re.finditer(_SENTENCE, prose):
        if not any(map(sentence[0].lower().__contains__, signs)):
            continue
        if compiled.search(sentence[0]) and not re.search(excluded, sentence[0], re.IGNORECASE):
            return _trimmed(sentence)
    return None
