"""No regular expression takes much longer than in proportion to its text, whatever the text.

Each pattern is tried on texts made to mislead it: what leads up to a repeat, then what it repeats, many times, then
something else. Patterns that need two different repeats to be slow are not found.
"""

import contextlib
import importlib
import pkgutil
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from re import _constants as op
from re import _parser
from typing import Any, Final

import pytest

import modelfile
from modelfile.immutable import field_names

LENGTH: Final = 8_000
LIMIT: Final = 75
"""How many times as long as `LINEAR` a pattern may take on a text; to the square it takes some hundred times as long.

Matching cannot be counted, and so is compared with matching, on the same processor and at its best of `TRIES`.
"""
LINEAR: Final = re.compile(r"\w|.", re.DOTALL)
TRIES: Final = 5

SHORT: Final = {"weights.checks._SHARD": 255}
"""Patterns whose texts are shorter: names of files."""
REPEATS: Final = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}
CATEGORIES: Final = {
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_SPACE: "a",
    op.CATEGORY_WORD: "a",
    op.CATEGORY_NOT_WORD: "-",
    op.CATEGORY_DIGIT: "1",
    op.CATEGORY_NOT_DIGIT: "a",
}
CHARACTERS: Final = "a A1-_.\"'\n\0<[{(`#\\:=,\u200d\U000e0041"
_METHODS: Final = "search|finditer|findall|sub|split|match|fullmatch"
USED: Final = (
    re.compile(rf"\b(?P<name>_?[A-Z]\w*)\.(?P<method>{_METHODS})\("),
    re.compile(rf"\bre\.(?P<method>{_METHODS})\((?P<name>_?[A-Z]\w*)\b"),
)
"""How a pattern is used: compiled, and as a string that is compiled on first use."""
REPEATED: Final = re.compile(r"[)\]\w.][+*{]")
JOINED: Final = {"syntax.remains._KINDS": {"match"}}
"""How tables are used whose patterns are joined to one."""
TEXTS: Final = {"DEFAULT_IMMUTABLE", "SHAPES"}
"""Tables of texts that look like patterns."""
ANCHORED: Final = {"match", "fullmatch"}


def patterns() -> Iterator[tuple[str, re.Pattern[str], set[str]]]:
    """Yield the patterns of all modules, each with its name and the methods that its module uses it with."""
    for info in pkgutil.walk_packages(modelfile.__path__, "modelfile."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        used: dict[str, set[str]] = {}
        source = Path(module.__file__ or "").read_text(encoding="utf-8")
        for found in (match for use in USED for match in use.finditer(source)):
            used.setdefault(found["name"], set()).add(found["method"])
        for key, value in vars(module).items():
            name = f"{info.name.removeprefix('modelfile.')}.{key}"
            pattern = re.compile(value) if isinstance(value, str) and key in used else value
            if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
                yield name, pattern, used.get(key, {"search", "fullmatch"})
            elif not isinstance(value, str) and not key.startswith("__") and key not in TEXTS:
                for where, each in in_table(value, name):
                    yield where, each, JOINED.get(name) or methods_of_table(key, source)


def methods_of_table(key: str, source: str) -> set[str]:
    """Return the methods that the loops over a table use its patterns with."""
    loops = re.findall(rf"\bfor ([\w, ]+) in {key}\b|\b(\w+) = {key}\.get\(", source)
    names = "|".join({*re.findall(r"\w+", " ".join(map(" ".join, loops))), rf"{key}\["})
    used = re.finditer(rf"\bre\.({_METHODS})\((?:{names})|\b(?:{names})\.({_METHODS})\(", source)
    return {found[1] or found[2] for found in used} or {"search", "fullmatch"}


def in_table(value: object, name: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the patterns in a value of a module, with their places: all texts with what looks like a repeat."""
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield name, value
    elif isinstance(value, str) and REPEATED.search(value):
        with contextlib.suppress(re.error):
            yield name, re.compile(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from in_table(key, f"{name}.keys")
            yield from in_table(item, f"{name}[{str(key)[:20]}]")
    elif isinstance(value, tuple | list | frozenset | set):
        for number, item in enumerate(value):
            yield from in_table(item, f"{name}[{number}]")
    elif not isinstance(value, type):
        for field in field_names(value.__class__):
            yield from in_table(getattr(value, field, None), f"{name}.{field}")


def samples(tree: Iterable[tuple[Any, Any]]) -> list[str]:
    """Return a few short texts that a part of a pattern matches, lookarounds aside."""
    texts = [""]
    for kind, value in tree:
        texts = [text + more for text in texts for more in _samples(kind, value)][:4]
    return texts


def _samples(kind: Any, value: Any) -> list[str]:  # noqa: PLR0911  # one for each kind
    if kind is op.LITERAL:
        return [chr(value)]
    if kind is op.NOT_LITERAL:
        return [character for character in CHARACTERS if ord(character) != value][:3]
    if kind is op.ANY:
        return ["a", " "]
    if kind is op.IN:
        return [character for character in _candidates(value) if _is_in(value, character)][:4]
    if kind is op.BRANCH:
        return [text for branch in value[1] for text in samples(branch)][:12]
    if kind in REPEATS:
        return [text * max(value[0], 1) for text in samples(value[2])]
    if kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
        return samples(value[-1] if kind is op.SUBPATTERN else value)
    return [""]


def _candidates(members: Any) -> str:
    own = (chr(value if kind is op.LITERAL else value[0]) for kind, value in members if kind in (op.LITERAL, op.RANGE))
    return "".join(own) + CHARACTERS


def _is_in(members: Any, character: str) -> bool:
    negated = members[0][0] is op.NEGATE
    return negated != any(
        (kind is op.LITERAL and ord(character) == value)
        or (kind is op.RANGE and value[0] <= ord(character) <= value[1])
        or (kind is op.CATEGORY and re.match(_CLASSES[value], character) is not None)
        for kind, value in members
    )


_CLASSES: Final = {
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
}


def repeats(tree: Iterable[tuple[Any, Any]], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield what leads up to each repeat of a pattern, and what it repeats."""
    for kind, value in tree:
        if kind in REPEATS:
            if value[1] > 1:
                yield from ((prefix, body) for body in samples(value[2]) if body)
            yield from repeats(value[2], prefix)
        elif kind is op.SUBPATTERN:
            yield from repeats(value[-1], prefix)
        elif kind is op.ATOMIC_GROUP:
            yield from repeats(value, prefix)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from repeats(branch, prefix)
        prefix += (samples([(kind, value)]) or [""])[0]


def attacks(pattern: re.Pattern[str], length: int = LENGTH) -> set[str]:
    """Return the texts that may take a pattern long."""
    texts: set[str] = set()
    for prefix, body in {*repeats(_parser.parse(pattern.pattern, pattern.flags))}:
        for ending in ("", "\0", "a", "!\n"):
            texts.add(prefix + body * (length // len(body)) + ending)
        for unit in (prefix + body, prefix + body * 2, body + " "):
            texts.add(unit * (length // len(unit)) + "\0")
    return texts


def run(pattern: re.Pattern[str], methods: set[str], text: str) -> float:
    """Return the time that the uses of a pattern take on a text, in seconds."""
    started = time.process_time()
    if methods & ANCHORED:
        pattern.match(text)
        pattern.fullmatch(text)
    if methods - ANCHORED:
        for _ in pattern.finditer(text):
            pass
    return time.process_time() - started


def longest() -> float:
    """Return the limit of the time for a text, in seconds of this processor."""
    return LIMIT * min(run(LINEAR, {"finditer"}, "a" * LENGTH) for _ in range(TRIES))


@pytest.fixture(scope="module")
def limit() -> float:
    return longest()


def is_slow(pattern: re.Pattern[str], methods: set[str], text: str, limit: float) -> bool:
    """Return whether a pattern takes longer on a text than in proportion to its length, each time that it is tried."""
    return run(pattern, methods, text) > limit and all(run(pattern, methods, text) > longest() for _ in range(TRIES))


@pytest.mark.parametrize(("name", "pattern", "methods"), [pytest.param(*each, id=each[0]) for each in patterns()])
def test_pattern_takes_linear_time(name: str, pattern: re.Pattern[str], methods: set[str], limit: float) -> None:
    texts = attacks(pattern, SHORT.get(name, LENGTH))
    assert not [text[:60] for text in texts if is_slow(pattern, methods, text, limit)]


@pytest.mark.parametrize(("slow", "method"), [(r"[0-9_]+\.?[0-9_]*", "fullmatch"), (r"\s+$", "search")])
def test_slow_patterns_are_found(slow: str, method: str, limit: float) -> None:
    pattern = re.compile(slow)
    assert any(is_slow(pattern, {method}, text, limit) for text in attacks(pattern))
