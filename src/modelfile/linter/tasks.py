"""Tasks that a system prompt sets: exact, creative and long ones, and the forms of their answers."""

from __future__ import annotations

import re
from typing import Final

_SENTENCE: Final = r"[^.!?;\r\n]+"
_UNSURE: Final = r"\b(?:if|when|whenever|unless|not|never|without|avoid|cannot|rather than|instead)\b|n't\b"
_ROLE: Final = r"\byou\s+are\s+(?:an?\s+|the\s+|our\s+)?(?:[\w'+#-]+,?\s+){0,4}?"
_EXACT: Final = (
    (
        "SQL",
        ("sql", "cypher"),
        (
            r"\b(?:translat|convert|turn|writ|generat|produc|creat)\w*\b(?:\W+\w+){0,8}?\W+"
            r"(?:\w*sql|cypher)\b(?:\W+(?:quer(?:y|ies)|statements?))?"
        ),
    ),
    (
        "labels",
        ("class", "categor", "label"),
        (
            r"\b(?:classif(?:y|ies)|categori[sz]es?|labels?)\b[^.]{0,200}"
            r"\b(?:as|into|in|with) (?:exactly )?(?:one|1) of\b"
            r"|\b(?:with|return|output|only) (?:only )?the (?:label|category|class)(?: only)?\b"
        ),
    ),
    (
        "code",
        ("program", "develop", "coding", "code", "engineer"),
        (
            rf"{_ROLE}(?:programmer|software (?:engineer|developer)|coding assistant|code (?:reviewer|assistant)"
            r"|pair[- ]programmer"
            r"|(?:python|java|rust|go|c\+\+|c#|javascript|typescript|php|backend|frontend) developer)\b"
        ),
    ),
    ("calculations", ("math",), rf"{_ROLE}math(?:s|ematics)? (?:tutor|teacher|solver|assistant)\b"),
)
"""The kinds of answers that are right or wrong, words of which a prompt for them has one, and their patterns."""
_CREATIVE: Final = (
    rf"{_ROLE}(?:story-?teller|novelist|poet|songwriter|lyricist|comedian|brainstorming (?:partner|assistant|coach)"
    r"|creative writer|(?:dungeon|game) master)\b"
)
_CREATIVE_SIGNS: Final = (
    "storyteller",
    "story-teller",
    "novelist",
    "poet",
    "writer",
    "comedian",
    "brainstorm",
    "lyric",
)
_LONG: Final = (
    rf"{_ROLE}(?:story-?teller|novelist|essayist|screenwriter|(?:report|essay|novel|story|long-form) writer)\b"
    r"|\b(?:write|compose|tell|draft)s?\b(?:\W+\w+){0,5}?\W+(?:sonnets?|ballads?|essays?|stor(?:y|ies)|novels?"
    r"|chapters?|screenplays?|fairy ?tales?|blog ?posts?|reports?)\b"
)
_DRAWS: Final = (
    r"\byou (?:can |will |also )?(?:generate|create|draw|paint|render|produce)s?\b(?:\W+\w+){0,3}?\W+"
    r"(?:images?|pictures?|photos?|illustrations?)\b"
)
_HEARS: Final = (
    r"\b(?:transcribe|listen to)s?\b(?:\W+\w+){0,4}?\W+(?:audio|recordings?|voice (?:messages?|notes?)|podcasts?)\b"
)
_IN_WORDS: Final = (
    r"\b(?:prompts?|descriptions? of (?:images?|pictures?|photos?)"
    r"|svg|ascii|html|css|code|mermaid|dall|midjourney|diffusion|flux|tools?|apis?|captions?"
    r"|alt[ -]text|ideas?|of words|docker|container|disk|iso|backup)\b"
)
"""Words of sentences about images that a program makes of the answer, or that are none."""
_SHORT: Final = (
    r"\b(?:short|brief|concise|one|two|three|\d+|titles?|headlines?|slogans?|ideas?|sentences?|words?|lines?|prompts?"
    r"|tweets?|user stor(?:y|ies)|summar\w+(?![\w,])|bug reports?|micro\w*|flash)\b"
)
_KEYS: Final = r"\b(?:keys?|fields?|properties|attributes)\b[^.\r\n]*"
_TOKENS_PER_KEY: Final = 5
"""The fewest tokens of a key with a value: the key, its quotes with the colon, the value and the comma."""
_WORD: Final = r"[\"'`]?[\w/-]+[\"'`]?"
_LABELS: Final = (
    r"(?i:\b(?:one word|one of(?: the(?:se)?)?(?: following)?(?: words| labels| categories| classes| values)?"
    r"|only(?: with)?(?: one of)?(?: the)? (?:word|label|category|class))\b[^:.\r\n]{0,30}):\s*"
    rf"((?:{_WORD},\s+){{0,12}}{_WORD},?\s+(?:or|and)\s+{_WORD}|(?:{_WORD},\s+){{1,12}}{_WORD})\s*(?:[.\r\n]|\Z)"
)
_LABEL_SIGNS: Final = ("one word", "one of", "only")
"""Texts of which each match has one in lower case: a search for them is quicker. The next signs are such texts, too."""
_PERSONA_SIGNS: Final = ("ou are", "our name is", "u bist", "u hei\u00dft")
_PERSONA: Final = (
    r"\b(?:[Yy]ou are(?: called| named)?|[Yy]our name is|[Dd]u bist|[Dd]u hei\u00dft) "
    r"([A-Z][a-z\u00df-\u00ff]+)(?=[ ,.\r\n]|\Z)"
)
_OWN_NAME: Final = (
    r"\b(?:(?:[Mm]y name is|[Mm]ein Name ist|[Ii]ch hei\u00dfe) ([A-Z][a-z\u00df-\u00ff]+)"
    r"|(?:I am|I'm|I\u2019m|[Ii]ch bin) ([A-Z][a-z\u00df-\u00ff]+)(?=[,.!]))"
)


def exact_task(prompt: str) -> str | None:
    """Return the kind of answers that a prompt asks for, if they are right or wrong; None if not.

    >>> exact_task("You translate questions into SQL for PostgreSQL.")
    'SQL'
    """
    lowered = prompt.lower()
    for kind, signs, pattern in _EXACT:
        if any(sign in lowered for sign in signs) and _asks(pattern, prompt, _UNSURE):
            return kind
    return None


def is_creative_task(prompt: str) -> bool:
    """Return whether a prompt makes the model a poet, a storyteller or the like."""
    lowered = prompt.lower()
    return any(sign in lowered for sign in _CREATIVE_SIGNS) and _asks(_CREATIVE, prompt, _UNSURE)


def is_long_task(prompt: str) -> bool:
    """Return whether a prompt asks for texts that are never short, such as stories and reports."""
    return _asks(_LONG, prompt, f"{_UNSURE}|{_SHORT}")


def demanded_media(prompt: str) -> str | None:
    """Return `pictures` or `audio` if a prompt asks for what only models of these can do; None if it does not."""
    lowered = prompt.lower()
    is_drawn = any(sign in lowered for sign in ("image", "picture", "photo", "illustration"))
    if is_drawn and _asks(_DRAWS, prompt, f"{_UNSURE}|{_IN_WORDS}"):
        return "pictures"
    is_audio = "transcri" in lowered or "listen" in lowered
    return "audio" if is_audio and _asks(_HEARS, prompt, f"{_UNSURE}|{_IN_WORDS}") else None


def tokens_of_json(prompt: str) -> int:
    """Return the number of tokens that the JSON of a prompt has at least; 0 if it describes none.

    >>> tokens_of_json('Answer with {"city": "...", "zip": "..."}')
    8
    """
    example = max(_objects(prompt), key=len, default="")
    written = len(re.findall(r"\w+|[^\w\s]+", example))
    keys = max((len(re.findall(r"[\"'`]\w+[\"'`]", found)) for found in re.findall(_KEYS, prompt)), default=0)
    return max(written, keys * _TOKENS_PER_KEY)


def _objects(text: str) -> list[str]:
    """Return the outermost parts in braces that have a key of JSON."""
    found, depth, start = [], 0, 0
    for match in re.finditer(r"[{}]", text):
        if match[0] == "{":
            start = match.start() if depth == 0 else start
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0 and re.search(r"\"\s*:", text[start : match.end()]):
                found.append(text[start : match.end()])
    return found


def allowed_answers(prompt: str) -> tuple[str, ...]:
    """Return the only answers that a prompt allows; empty if it names none.

    >>> allowed_answers("Answer with exactly one word: positive, negative or neutral.")
    ('positive', 'negative', 'neutral')
    """
    match = re.search(_LABELS, prompt) if any(map(prompt.lower().__contains__, _LABEL_SIGNS)) else None
    if match is None or re.search(
        _UNSURE, prompt[prompt.rfind("\n", 0, match.start()) + 1 : match.start()], re.IGNORECASE
    ):
        return ()
    words = re.findall(r"[\w/-]+", match[1])
    return tuple(word for word in words if word.lower() not in ("or", "and"))


def persona_name(prompt: str) -> str | None:
    """Return the name that a prompt gives the model."""
    match = re.search(_PERSONA, prompt) if any(map(prompt.__contains__, _PERSONA_SIGNS)) else None
    return match[1] if match else None


def own_name(answer: str) -> str | None:
    """Return the name that the model calls itself by in an answer."""
    match = re.search(_OWN_NAME, answer)
    return (match[1] or match[2]) if match else None


def _asks(pattern: str, prompt: str, excluded: str) -> bool:
    compiled = re.compile(pattern, re.IGNORECASE)
    return any(
        compiled.search(sentence) and not re.search(excluded, sentence, re.IGNORECASE)
        for sentence in re.findall(_SENTENCE, prompt)
    )
