"""Demands of a system prompt: the format, length and style of answers that it asks for without a condition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from modelfile.immutable import record
from modelfile.linter.prose import hide_code

_SENTENCE: Final = r"[^.!?;\r\n]+"
_CONDITION: Final = (
    r"\b(?:if|when|whenever|unless|except|where|for|during|while|not|never|avoid|once|after|tools?)\b|n't\b"
)
_NEGATION: Final = r"\b(?:not|never|avoid|without|no)\b|n't\b"
_MODES: Final = r"\b(?:if|when)\s+(?:you\s+are\s+)?(?:asked|requested|the\s+user)\b|\bmodes?\b"
_JSON_ONLY: Final = (
    r"\b(?:respond|reply|answer|output|return|write|speak)s?\b(?:\W+\w+){0,4}?\W+"
    r"(?:(?:only|exclusively|strictly)\b(?:\W+\w+){0,4}?\W+json\b"
    r"|json\b(?:\W+\w+){0,1}?\W+(?:only|exclusively)\b)"
    r"|\b(?:only|always)\W+(?:respond|reply|answer|output|return|write)\b(?:\W+\w+){0,4}?\W+json\b"
    r"|\b(?:response|answer|output|reply)s?\W+must\W+(?:always\W+)?be\b(?:\W+\w+){0,3}?\W+json\b"
)
_NEVER_PROSE: Final = (
    r"(?:,|(?<!\s))\s*(?:and )?(?:never|not|no|without) (?:with |in |as )?(?:any )?"
    r"(?:prose|explanations?|text|other text)\b"
)
_JSON: Final = (
    rf"{_JSON_ONLY}|\b(?:respond|reply|answer|output|return|write|produce|generate|emit)s?\b(?:\W+\w+){{0,6}}?\W+json\b"
    r"|\b(?:turn|convert|transform|parse|extract|map)s?\b(?:\W+\w+){1,10}?\W+(?:(?:in)?to|as)\W+(?:\w+\W+){0,2}?json\b"
    r"|\bjson\W+(?:object|array|format|output|response)s?\b"
)
_ONE_LINE: Final = r"\b(?:(?:one|single|1)[- ]lines?|minified|compact|jsonl|ndjson|per line)\b"
_ORDER: Final = (
    r"\b(?:be|stay|remain|respond|answer|reply|output|produce|give|return|provide|generate|ensure"
    r"|must|should|keep|always|are)\b"
)
_SAME: Final = (
    rf"{_ORDER}[^.]{{0,80}}?\b(?:deterministic(?:ally)?|reproducibl[ey]|(?:exactly |exact )?the (?:exact(?:ly)? )?same"
    r" (?:answer|output|response|result|reply)|identical (?:answer|output|response|result|repl)|repeatable\b)"
    r"|\bthe same \w+ (?:(?:must|should|will|has to|always) )+(?:give|get|yield|return|produce|lead to|result in)s?"
    r" (?:back )?(?:exactly )?the same\b"
)
_FACTUAL: Final = (
    r"\b(?:strictly factual|only facts|never (?:invent|make up|improvise|speculate|hallucinate|be creative)"
    r"|(?:do not|don't) (?:invent|make up|improvise|speculate|hallucinate|be creative)|no creativity|no speculation)\b"
)
_VARIED: Final = (
    r"\b(?:be (?:very |highly |wildly |extremely |as )?(?:creative|imaginative|unpredictable|surprising)"
    r"|different (?:answer |story |reply |response |result )?(?:every|each) time"
    r"|never repeat yourself|vary your (?:answers|wording)"
    r"|(?:every|each) time\b[^.!?;\r\n]{0,60}?\b(?:must|should|shall|will|has to) be (?:\w+ ){0,2}?(?:different|new"
    r"|original|unique)"
    r"|(?:entirely|completely|always|totally) (?:different|new) (?:\w+ ){0,3}?(?:each|every) time"
    r"|maximum creativity|surprise the (?:user|reader))\b"
)
_LONG_TEXTS: Final = (
    r"sonnets?|ballads?|essays?|stor(?:y|ies)|articles?|novels?|chapters?|blog ?posts?|cover letters?|screenplays?"
    r"|speeches|fairy ?tales?|lesson plans?"
)
_LONG: Final = (
    r"\b(?:long|lengthy|detailed|comprehensive|in-depth|exhaustive|extensive|elaborate"
    r"|full-length)\b,?\s+(?:\w+,?\s+){0,3}?"
    r"(?:answers?|responses?|repl(?:y|ies)|explanations?|essays?|articles?|stor(?:y|ies)|reports?"
    r"|analys[ie]s|descriptions?"
    r"|guides?|documents?|texts?|posts?|chapters?)\b"
    rf"|\b(?:write|compose|tell|draft)s?\b(?:\W+\w+){{0,3}}?\W+(?:{_LONG_TEXTS})\b"
    r"|\b(?:explain|answer|respond|reply|describe|write"
    r"|elaborate)\b(?:\W+\w+){0,5}?\W+(?:in (?:great |full |much )?(?:detail|depth)"
    r"|at length|at great length|thoroughly|comprehensively|extensively|exhaustively)\b"
)
_SHORT_TEXTS: Final = (
    r"\b(?:short|brief|concise|input|given|read|rather|titles?|headlines?|summar\w+|slogans?|ideas?|tweets?|flash"
    r"|sentences?|words?|names?|tags?|prompts?|captions?|(?:one|two|three|1|2|3)[- ]lines?)\b"
)
_AT_LEAST: Final = (
    r"\b(?:at least|minimum(?: of)?|no less than|not less than|no fewer than|more than|over)\s+(\d[\d,]{1,6})\s+words\b"
    r"|\b(\d[\d,]{2,6})[- ]words?\s+(?:essays?|articles?|stor(?:y|ies)|posts?|reports?|answers?|responses?|texts?)\b"
    r"|\b(\d[\d,]{1,6})\s*(?:to|-|\u2013|and)\s*\d[\d,]{1,6}\s+words\b"
    r"|\b(?:mindestens|wenigstens|au moins|al menos)\s+(\d{2,6})\s+(?:w\u00f6rter|mots|palabras)\b"
    r"|\b(?:of|in|with|to)\s+(?:about\s+|around\s+|roughly\s+)?(\d[\d,]{2,6})\s+words\b"
)
_NUMBERS: Final = {
    **dict(zip(("a", "one", "two", "three", "four", "five", "six", "seven", "eight"), (1, *range(1, 9)), strict=True)),
    "single": 1,
    "ten": 10,
    "twelve": 12,
    "twenty": 20,
}
_AT_MOST: Final = (
    r"\b(?:under|at most|no more than|not more than|never more than|maximum(?: of)?|max\.?|fewer than"
    r"|less than|within|up to"
    r"|limit(?:ed)? (?:\w+ ){0,3}to|exceed|in|with|using|is|of)\s+(?:exactly |only |just )?(?:a )?"
    r"(\d{1,4}|one|two|three|four|five|single)[- ](word|sentence|character|line)s?\b"
    r"|\b(?:only|just)\s+(one|a single|1)\s+(word|sentence|line)\b"
)
_PART: Final = (
    r"\b(?:summar\w+|titles?|headlines?|headings?|first|each|every|per|bullets?|steps?|intro\w*"
    r"|questions?|begin|start|end|finish"
    r"|then|after|before|comments?|commit|subject|description|reason|explain\w*|paragraphs?|examples?|least)\b"
)
_YES_OR_NO: Final = (
    r"\b(?:only|just|exclusively|always)\b(?:\W+\w+){0,4}?\W+[\"'`]?yes[\"'`]?\s+or\s+[\"'`]?no\b"
    r"|\byes[\"'`]?\s+or\s+[\"'`]?no[\"'`]?\s+only\b"
)
_BRIEF: Final = (
    r"\b(?:be|stay|remain|keep (?:it|them|(?:your |all |the )?(?:answers?|responses?|repl(?:y|ies)))"
    r"|(?:answers?|responses?|repl(?:y|ies))"
    r"(?: must be| should be| are)?|answer|respond|reply)\s+(?:very |extremely |always "
    r"|as )?(?:brief(?:ly)?|short|concise(?:ly)?|terse(?:ly)?"
    r"|succinct(?:ly)?)\b|\b(?:one|a)[- ]word answers?\b"
)
_TOOLS: Final = r"\b(?:use|call|invoke|using)\b(?:\W+\w+){0,4}?\W+(?:tools?|functions?)\b"
_OWN_PROTOCOL: Final = r"action:|<tool|tool_call|```|\{\s*\"|function_call|\bjson\b|\bxml\b|\breact\b|observation:"
_NO_EMOJI: Final = r"\b(?:no|never use|do not use|don't use|without|avoid)\s+(?:any\s+)?(?:emojis?|emoticons?)\b"
_WRITE: Final = (
    r"\b(?:answer|respond|reply|format|output|return|write|use|structure|put|wrap|present|enclose|give)\w*\b"
)
_MARKDOWN: Final = rf"{_WRITE}(?:\W+\w+){{0,6}}?\W+markdown\b"
_HEADINGS: Final = r"\b(?:headings?|headers?|sections?)\b[^.\r\n]{0,40}?[ \"'`]#{1,4} \w"
_TABLES: Final = rf"{_WRITE}(?:\W+\w+){{0,5}}?\W+(?:markdown )?tables?\b"
_CODE_BLOCKS: Final = rf"{_WRITE}(?:\W+\w+){{0,8}}?\W+(?:code[- ](?:blocks?|fences?)|fenced|triple backticks)\b"
_FENCED: Final = r"\b(?:in|with|inside|into|between|use) (?:an? )?(?:\w+ )?```\w*(?: fence| block| code|s\b)"
_LIST: Final = (
    rf"{_WRITE}(?:\W+\w+){{0,6}}?\W+"
    r"(?:bullet(?:ed)?(?:[- ](?:points?|lists?))|bullets|numbered (?:lists?|steps)|tables?)\b"
)
_UNWANTED: Final = rf"\b(?:if|when|whenever|unless|except)\b|{_NEGATION}"
_NO_MARKDOWN: Final = (
    r"\b(?:no|never use|do not use|don't use|without|avoid)\s+(?:any\s+)?markdown\b"
    r"|\bplain text only\b|\bonly plain text\b"
)
_IF: Final = r"\b(?:if|when|unless|without|not|never|cannot)\b|n't\b"
_PICTURES: Final = r"(?:photos?|photographs?|images?|pictures?|screenshots?)"
_IMAGES: Final = (
    rf"\byou\s+(?:are|will be|get|receive|are being)\s+(?:(?:shown|given|sent|handed)\s+)?"
    rf"(?:\w+\s+){{0,3}}?{_PICTURES}\b"
    rf"|\b(?:analy[sz]e|describe|inspect|examine|look at|interpret|caption|classify|read)s?\s+(?:the\s+|each\s+"
    rf"|every\s+|any\s+|all\s+"
    rf"|users?'?s?\s+|uploaded\s+|attached\s+|given\s+|provided\s+)*{_PICTURES}\b"
    rf"|\b(?:for|in|on|of|from)\s+(?:each|every)\s+{_PICTURES}\b"
)
_OTHER_IMAGES: Final = (
    r"\b(?:generat\w+|prompts?|midjourney|diffusion|dall|flux|docker|container|draw|url|alt[ -]text|html|css"
    r"|markdown|links?|filenames?)\b"
)
_MANY: Final = r"\d{2,}(?:\s*(?:-|to|\u2013)\s*\d+)?"
_MADE: Final = (
    r"\b(?:craft|create|generate|write|produce|compose|draft|build|provide|must be|is|publish|review)s?\W+"
    r"(?:\w+\W+){0,2}?\Z"
)
"""Words right before a text that the answer is, rather than the question."""
_LONG_INPUT: Final = (
    r"\b(?:long|lengthy|entire|whole|full|large)\s+(?:\w+\s+){0,2}?(?:documents?|books?|novels?"
    r"|transcripts?|code ?bases?"
    r"|repositor(?:y|ies)|reports?|contracts?|minutes|meetings|papers?|articles?|manuals?|pdfs?|logs?|threads?"
    r"|chapters?)\b"
    rf"|\b(?:of|with|have|has|to|over|about|around|than)\s+{_MANY}[- ]pages?\b"
    rf"|\b{_MANY}[- ]pages?\s+(?:\w+\s+)?(?:long|documents?|books?|novels?|pdfs?|reports?|contracts?|transcripts?"
    r"|manuals?|papers?|files?|minutes|articles?|texts?|thes[ei]s)\b"
    r"|\b(?:passages|excerpts|chunks|snippets)\s+(?:from|between|below|above|given|provided|retrieved)\b"
    r"|\b(?:retrieved|provided)\s+(?:passages?|documents?|context|chunks?|excerpts?)\b"
    r"|\bsummari[sz]es?\s+(?:\w+\s+){0,4}?(?:documents|minutes|transcripts?|papers|articles|reports|meetings"
    r"|contracts|books?|threads)\b"
)
_INPUTS: Final = (
    r"\b(\d{1,4}|two|three|four|five|six|seven|eight|ten|twelve|twenty) (?:\w+ ){0,2}?"
    r"(?:chunks?|passages?|documents?|snippets?|excerpts?|sections?|articles?|turns|messages|examples)"
    r"(?: \w+){0,2}? (?:of|with|at|having) (?:(?:about|around|roughly|up to|some|circa|ca\.) |~ ?)?"
    r"(\d{1,3}(?:,\d{3})+|\d{1,7}) ?(k)?[ -]?tokens?\b"
)
_FUNCTIONS: Final = (
    r"\bcall\s+(?:a|the|these|one of (?:the|these|your))\s+(?:\w+\s+)?(?:functions?|tools?)\b"
    r"|\byou (?:have|can use|may use) (?:access to )?(?:the following|these) (?:functions|tools)\b"
)
_CODE: Final = (
    r"\b(?:code|coding|program\w*|developer|javascript|python|mathematic\w*)\b|action:|<tool|tool_call|```|\{\s*\""
    r"|\bjson\b|\bxml\b"
)
_OTHER_LENGTHS: Final = (
    r"\b(?:no|longer than|conduct\w*|prompts?|rewrite|images?|avatars?"
    r"|summari[sz]e|titled?|a list|steps to|users?'? stor(?:y|ies)|let me|knowledge|csv|slides?)\b"
)
"""Words of sentences in which a length is limited, or is that of the question, of thoughts, or of prompts."""
SIGNS: Final = {
    _SAME: ("determinist", "reproducib", "same", "identical", "repeatable"),
    _FACTUAL: ("fact", "invent", "make up", "improvise", "speculat", "hallucinat", "creativ"),
    _VARIED: ("creativ", "imaginative", "unpredictable", "surpris", "different", "repeat", "vary", "time"),
    _LONG: (
        "write",
        "compose",
        "tell",
        "draft",
        "long",
        "length",
        "detail",
        "comprehensive",
        "depth",
        "exhaustive",
        "extensive",
        "elaborate",
        "thorough",
    ),
    _AT_LEAST: ("word", "w\u00f6rter", "mots", "palabras"),
    _AT_MOST: ("word", "sentence", "character", "line"),
    _YES_OR_NO: ("yes",),
    _BRIEF: ("brief", "short", "concise", "terse", "succinct", "word"),
    _TOOLS: ("tool", "function"),
    _NO_EMOJI: ("emoji", "emoticon"),
    _MARKDOWN: ("markdown",),
    _CODE_BLOCKS: ("code", "fence", "backtick"),
    _TABLES: ("table",),
    _LIST: ("bullet", "numbered", "table"),
    _IMAGES: ("photo", "image", "picture", "screenshot"),
    _LONG_INPUT: (
        *("document", "book", "novel", "transcript", "base", "repositor", "report", "contract", "minutes", "meeting"),
        *("paper", "article", "manual", "pdf", "log", "thread", "chapter", "page", "passage", "excerpt", "chunk"),
        *("snippet", "context"),
    ),
    _INPUTS: ("token",),
    _FUNCTIONS: ("function", "tool"),
    _NO_MARKDOWN: ("markdown", "plain text"),
}
"""Texts of which each match has one, in lower case: most prompts have none, and the pattern need not be compiled.

A test makes matches of each, and looks for a sign.
"""


@record()
class Limit:
    """The length that answers may have at most."""

    number: int
    unit: str
    """`word`, `sentence`, `line` or `character`."""


@lru_cache(maxsize=4)
def _lowered(text: str) -> str:
    return text.lower()


@lru_cache(maxsize=4)
def _sentences(text: str) -> tuple[str, ...]:
    return tuple(re.findall(_SENTENCE, hide_code(text)))


def _find(pattern: str, text: str, excluded: str) -> Iterator[re.Match[str]]:
    """Yield the matches in sentences that have none of the excluded words."""
    if pattern in SIGNS and not any(map(_lowered(text).__contains__, SIGNS[pattern])):
        return
    compiled, without = re.compile(pattern, re.IGNORECASE), re.compile(excluded, re.IGNORECASE)
    for sentence in _sentences(text):
        match = compiled.search(sentence)
        if match and not without.search(sentence):
            yield match


def demands_json(text: str, *, only: bool) -> bool:
    """Return whether a prompt asks for JSON: with `only`, for nothing else."""
    if "json" not in text.lower() or re.search(_MODES, text, re.IGNORECASE):
        return False
    text = re.sub(_NEVER_PROSE, "", text) if only else text
    return any(_find(_JSON_ONLY if only else _JSON, text, _CONDITION))


def demands_one_line(text: str) -> bool:
    """Return whether a prompt asks for answers on one line."""
    return re.search(_ONE_LINE, text, re.IGNORECASE) is not None


def demands_same_answers(text: str) -> bool:
    """Return whether a prompt asks for the same answer each time."""
    return any(_find(_SAME, text, _CONDITION))


def demands_facts(text: str) -> bool:
    """Return whether a prompt forbids inventions."""
    return any(_find(_FACTUAL, text, r"\b(?:if|when|unless)\b"))


def demands_variety(text: str) -> bool:
    """Return whether a prompt asks for creative answers, or other ones each time."""
    excluded = _CONDITION.replace("not|never|", "not|")
    return any(_find(_VARIED, text, rf"{excluded}|\b(?:freedom|free|try|trying|from|scale|level)\b"))


def fewest_words(text: str) -> int | None:
    """Return the number of words that a prompt asks for at least; None if it names none."""
    numbers = (
        int(re.sub(r"\D", "", next(filter(None, match.groups()))))
        for match in _find(_AT_LEAST, text, r"\b(?:if|when|unless|most|under|maximum|fewer|less|up to|wenn|falls|si)\b")
    )
    return max(numbers, default=None)


def demands_long_answers(text: str) -> bool:
    """Return whether a prompt asks for long texts, without a number."""
    return any(_find(_LONG, text, f"{_CONDITION}|{_SHORT_TEXTS}|{_OTHER_LENGTHS}"))


def answer_limit(text: str) -> Limit | None:
    """Return the length of answers that a prompt allows; None if it names none."""
    for match in _find(_AT_MOST, text, f"{_PART}|\\b(?:if|when|unless|for)\\b"):
        number, unit = (part for part in match.groups() if part)
        return Limit(_NUMBERS.get(number.lower().removeprefix("a "), 0) or int(number), unit.lower())
    return None


def demands_tools_of_functions(text: str) -> bool:
    """Return whether a prompt names functions that requests bring along, and orders to call them."""
    return (
        "function" in text.lower()
        and any(_find(_FUNCTIONS, text, _NEGATION))
        and not re.search(_CODE, text, re.IGNORECASE)
    )


def demands_images(text: str) -> bool:
    """Return whether a prompt is about images that each request brings along."""
    return any(_find(_IMAGES, text, _IF)) and not re.search(_OTHER_IMAGES, text, re.IGNORECASE)


def demands_long_inputs(text: str) -> bool:
    """Return whether a prompt is about long texts, or texts found for a question, that each request brings along."""
    return any(
        not re.search(_MADE, match.string[: match.start()], re.IGNORECASE) for match in _find(_LONG_INPUT, text, _IF)
    )


def tokens_of_inputs(text: str) -> int:
    """Return the number of tokens of the passages that a text counts; 0 if it counts none.

    >>> tokens_of_inputs("The retriever sends 12 chunks of about 800 tokens.")
    9600
    """
    tokens = 0
    for match in _find(_INPUTS, text, r"\b(?:if|not|never|summar\w+)\b"):
        count, each, thousands = match.groups()
        number = _NUMBERS.get(count.lower()) or int(count)
        tokens = max(tokens, number * int(each.replace(",", "")) * (1000 if thousands else 1))
    return tokens


def demands_yes_or_no(text: str) -> bool:
    """Return whether a prompt allows no answer but yes and no."""
    return any(_find(_YES_OR_NO, text, _CONDITION))


def demands_brief_answers(text: str) -> bool:
    """Return whether a prompt asks for short answers, without a number."""
    return any(_find(_BRIEF, text, f"{_CONDITION}|\\bbut\\b"))


def demands_tools(text: str) -> bool:
    """Return whether a prompt orders the use of tools that are not described in it."""
    return any(_find(_TOOLS, text, _NEGATION)) and not re.search(_OWN_PROTOCOL, text, re.IGNORECASE)


def demands_markdown(text: str) -> bool:
    """Return whether a prompt asks for Markdown."""
    return "markdown" in text.lower() and any(_find(_MARKDOWN, text, _UNWANTED))


def demands_headings(text: str) -> bool:
    """Return whether a prompt names headings of Markdown that answers have."""
    return "#" in text and re.search(_HEADINGS, text, re.IGNORECASE) is not None


def demands_tables(text: str) -> bool:
    """Return whether a prompt asks for tables of Markdown."""
    return any(_find(_TABLES, text, _CONDITION))


def demands_code_blocks(text: str) -> bool:
    """Return whether a prompt asks for blocks of code between fences."""
    return re.search(_FENCED, text, re.IGNORECASE) is not None or any(_find(_CODE_BLOCKS, text, _UNWANTED))


def demands_list(text: str) -> bool:
    """Return whether a prompt asks for lists or tables, which have several lines."""
    return any(_find(_LIST, text, _CONDITION)) and not demands_one_line(text)


def forbids_emoji(text: str) -> bool:
    """Return whether a prompt forbids emoji."""
    return any(_find(_NO_EMOJI, text, r"\b(?:if|when|unless)\b"))


def forbids_markdown(text: str) -> bool:
    """Return whether a prompt forbids Markdown."""
    return any(_find(_NO_MARKDOWN, text, r"\b(?:if|when|unless)\b"))
