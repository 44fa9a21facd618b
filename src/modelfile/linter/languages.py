"""Languages: the one that a text is written in, and the one that a prompt asks for."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache
from typing import Final

from modelfile.linter.prose import hide_code

_NAMES: Final = {
    "English": (
        "english|englisch|anglais|ingl[eé]s|inglese|inglês|engels|英文|英语"
        "|\u0430\u043d\u0433\u043b\u0438\u0439\u0441\u043a\u043e\u043c"
    ),
    "German": (
        "german|deutsch|allemand|alem[aá]n|tedesco|alemão|duits|德语|\u043d\u0435\u043c\u0435\u0446\u043a\u043e\u043c"
    ),
    "French": (
        "french|französisch|français|franc[eé]s|francese|francês|frans|法语"
        "|\u0444\u0440\u0430\u043d\u0446\u0443\u0437\u0441\u043a\u043e\u043c"
    ),
    "Spanish": (
        "spanish|spanisch|espagnol|español|castellano|spagnolo|espanhol|spaans|西班牙语"
        "|\u0438\u0441\u043f\u0430\u043d\u0441\u043a\u043e\u043c"
    ),
    "Italian": "italian|italienisch|italien|italiano|italiaans",
    "Portuguese": "portuguese|portugiesisch|portugais|portugu[eéê]s|portoghese",
    "Dutch": "dutch|niederländisch|néerlandais|nederlands|olandese",
    "Polish": "polish|polnisch|polonais|polski|polsku",
    "Turkish": "turkish|türkisch|turc|türkçe",
    "Russian": "russian|russisch|russe|ruso|russo|\u0440\u0443\u0441\u0441\u043a\u043e\u043c|俄语",
    "Chinese": "chinese|mandarin|chinesisch|chinois|chino|cinese|中文|汉语|漢語|普通话",
    "Japanese": "japanese|japanisch|japonais|japon[eé]s|日本語|日语",
    "Korean": "korean|koreanisch|coréen|한국어",
    "Arabic": "arabic|arabisch|arabe|العربية",
    "Greek": "greek|griechisch|grec",
    "Hebrew": "hebrew|hebräisch|hébreu",
    "Hindi": "hindi",
    "Thai": "thai",
}
_WORDS: Final = {
    "English": ("the and is are you of to in that it for with this your have not be can we on as from will what"),
    "German": (
        "der die das und ist sind nicht ein eine ich sie wir zu mit auf für von den dem des auch wird kann haben"
    ),
    "French": ("le la les et est sont pas un une je vous nous de des du que qui pour dans avec sur cette votre être"),
    "Spanish": ("el la los las y es son no un una yo usted de del que para en con por su este está puede como más"),
    "Italian": ("il la gli e è sono non un una di del che per in con su questo questa può come della nella più lo"),
    "Portuguese": ("o a os as e é são não um uma de do da que para em com por seu este está pode como mais você"),
    "Dutch": "de het en is zijn niet een ik u wij van dat voor met op aan deze dit kan worden ook naar uw je",
    "Polish": "i w nie na jest się z do to że o jak ale po co tak za od dla czy przez są może",
    "Turkish": "ve bir bu için ile de da ne olarak çok daha var gibi kadar olan sonra ama değil en",
}
_SCRIPTS: Final = {
    "Japanese": "\u3040-\u30ff",
    "Chinese": "\u4e00-\u9fff",
    "Korean": "\uac00-\ud7af",
    "Russian": "\u0400-\u04ff",
    "Arabic": "\u0600-\u06ff",
    "Greek": "\u0370-\u03ff",
    "Hebrew": "\u0590-\u05ff",
    "Hindi": "\u0900-\u097f",
    "Thai": "\u0e00-\u0e7f",
}
"""Languages whose letters tell them apart. Japanese comes first, because it has Chinese letters too."""
_FEWEST_LETTERS: Final = 4
_FEWEST_WORDS: Final = 3
"""Number of frequent words of a language from which on a text is surely in it, if it has half as many of others."""
_ASKED: Final = (
    r"(?:(?:respond|reply|answer|speak|write|communicate|talk|converse|output)\w*(?:\W+[\w']+){0,5}?\W+in\s+(?:the\s+)?"
    r"|(?:answers?|responses?|repl(?:y|ies)|output)\s+(?:must|should|shall)\s+(?:always\s+"
    r"|only\s+)?be\s+(?:\w+\s+)?in\s+"
    r"|(?:antworte|sprich|schreibe?|antworten|sprechen)\w*(?:\W+\w+){0,5}?\W+(?:auf|in)\s+"
    r"|répond\w*(?:\W+\w+){0,5}?\W+en\s+"
    r"|respond\w*(?:\W+\w+){0,5}?\W+(?:en|em)\s+"
    r"|(?:antwoord|spreek|schrijf)\w*(?:\W+\w+){0,5}?\W+in\s+(?:het\s+)?"
    r"|rispond\w*(?:\W+\w+){0,5}?\W+in\s+"
    r"|\u043e\u0442\u0432\u0435\u0447\w*(?:\W+\w+){0,5}?\W+\u043d\u0430\s+"
    r"|(?:用|使用|以))"
)
_CONDITION: Final = (
    r"\b(?:if|when|whenever|unless|except|translat\w*|\u00fcbersetz\w*|tradu\w*|same language"
    r"|user'?s language|wenn|falls|si|se"
    r"|not|never|n't)\b|\u7ffb\u8bd1"
)

_ALWAYS: Final = r"\b(?:always|only|exclusively|altijd|immer|nur|toujours|siempre|sempre)\b"
_ANSWER: Final = (
    r"(?:respond|reply|answer|speak|antworte|sprich|antwoord|spreek|r\u00e9pond|rispond)\w*(?:\W+[\w']+){0,3}?"
    r"\W+(?:in|auf|en|em)\s+(?:the\s+|het\s+)?"
)
_ORDER: Final = rf"\W*(?:you\s+(?:must\s+|should\s+)?)?(?:{_ALWAYS}\W+)?{_ANSWER}"
_PART_OR_CONDITION: Final = (
    rf"{_CONDITION}|\b(?:or|and|both|also|then|first|second|comments?|code|titles?|summar\w+|for|to|by default|als"
    r"|indien|wanneer)\b"
)


@cache
def _names() -> re.Pattern[str]:
    named = "|".join(f"(?P<{name}>{pattern})" for name, pattern in _NAMES.items())
    return re.compile(rf"(?<![a-z])(?:{named})(?![a-z])", re.IGNORECASE)


@cache
def _signs() -> frozenset[str]:
    """Return texts of which each name of a language has one, in lower case."""
    return frozenset(name.partition("[")[0] for names in _NAMES.values() for name in names.split("|"))


@lru_cache(maxsize=4)
def _names_none(prompt: str) -> bool:
    """Return whether a prompt surely names no language, so that the long pattern of all names is not needed."""
    lowered = prompt.lower()
    return not any(sign in lowered for sign in _signs())


def asked_language(prompt: str) -> str | None:
    """Return the one language that a prompt asks answers in; None if there is none, several, or a condition.

    >>> asked_language("You help. Always answer in German.")
    'German'
    """
    if _names_none(prompt):
        return None
    named = {match.lastgroup for match in _names().finditer(prompt)}
    if len(named) != 1:
        return None
    for sentence in re.findall(r"[^.!?;\r\n\u3002]+", prompt):
        asked = re.search(f"{_ASKED}(?={_names().pattern})", sentence, re.IGNORECASE)
        if asked and not re.search(_CONDITION, sentence, re.IGNORECASE):
            return named.pop()
    return None


def asked_languages(prompt: str) -> tuple[str, str, int] | None:
    """Return two languages that a prompt asks all answers in, and the offset of the second demand.

    None if it asks for one, or under a condition.

    >>> asked_languages("Always answer in Dutch. Be kind. Always reply in English.")
    ('Dutch', 'English', 33)
    """
    if _names_none(prompt):
        return None
    asked: list[str] = []
    always = False
    second = 0
    for found in re.finditer(r"[^.!?;\r\n\u3002]+", prompt):
        sentence = found[0]
        match = re.match(f"{_ORDER}(?={_names().pattern})", sentence, re.IGNORECASE)
        clause = sentence[: match.end()] + sentence[match.end() :].partition(",")[0] if match else ""
        if not match or re.search(_PART_OR_CONDITION, clause, re.IGNORECASE):
            continue
        named = [each.lastgroup for each in _names().finditer(clause, match.end())]
        always = always or re.search(_ALWAYS, clause, re.IGNORECASE) is not None
        if named[0] and named[0] not in asked:
            asked.append(named[0])
            second = found.start() + len(sentence) - len(sentence.lstrip())
    return (asked[0], asked[1], second) if always and len(asked) == 2 else None  # noqa: PLR2004  # languages


def language_of(text: str) -> str | None:
    """Return the language that a text is surely written in, apart from its code; None if it is not sure.

    >>> language_of("The bill is due on the first of the month.")
    'English'
    """
    text = hide_code(text).lower()
    letters = sum(map(str.isalpha, text))
    for language, characters in _SCRIPTS.items() if not text.isascii() else ():
        found = len(re.findall(f"[{characters}]", text))
        if found >= _FEWEST_LETTERS and (found * 2 > letters or (language == "Japanese" and found * 4 > letters)):
            return language
    words = Counter(re.findall(r"[^\W\d_]+", text))
    counts = Counter({language: sum(words[word] for word in frequent.split()) for language, frequent in _WORDS.items()})
    (first, most), (_, next_most) = counts.most_common(2)
    return first if most >= _FEWEST_WORDS and most >= 2 * next_most else None
