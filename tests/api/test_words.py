"""Tests of STYLE.md: how docstrings open, and words that were replaced by the field's own."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.paths import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))
PROGRAMS = [
    path
    for folder in ("src", "tests", "bench", "docs", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path not in {Path(__file__), ROOT / "tests" / "rules" / "test_pages.py"}  # they list the words
]
PAGES = [
    *(path for path in sorted(ROOT.glob("*.md")) if path.name != "STYLE.md"),
    *(ROOT / name for name in ("Makefile", "pyproject.toml")),
    *(path for folder in ("docs", "examples", "tests") for path in sorted((ROOT / folder).rglob("*.md"))),
]

OPENERS = {"What", "Which", "Where", "Who", "Whether", "So", "That"}
NAMES = re.compile(
    r"_*(?:"
    # classes and constants
    r"Asked|Copy|Job|Keep|Listed|Locked|NoRoom|Order|Outside|Patience|Pinned|Refused|Saved|Stored|Sweep|Turn|Unfailing"
    r"|Unreachable|Way|World|HARMLESS|HEAVY|ONCE"
    # functions, variables and keys
    r"|alone|brought_along|check_buildable|beyond|copy_over|culprit|drift_of_ground|gives|held|is_ours|lets_go|loses"
    r"|not_looked|orders|proved|refuse_another|taken|to_come|tries_of_strangers|unknown_until"
    # rules
    r"|double-blank|several-from|no-effect|not-in-lock|hf-without-quantisation)"
)
MODULES = re.compile(
    r"alone|checked|counted|differing|dropped|expected|faults|glance|orders|quick|records|saved|scratch|strays"
    r"|surroundings|template_build|template_go|together"
)
PARTS = re.compile(
    r"blanks?|blind|foreseen|gate|ground|heard?|lest|leftovers?|listen|meanwhile|mend(?:ed)?|patience|promised"
    r"|scratch|surroundings|sweep|swept|tell|told|unheard"
)
"""Words that were replaced, wherever they stand in a name."""
PHRASES = re.compile(
    r"\b(?:lest|mend(?:ed|s|ing)?|unheard|swept|leftovers?|lets go|let go of|is told|told of|tells of|hears of"
    r"|what it held)\b"
)
BRITISH = re.compile(
    r"\b\w*(?:licence|colour|behaviour|catalogue|favour|honour|neighbour|modelled|labelled|dialled|travelled|cancelled"
    r"|(?:capital|final|general|initial|local|material|minim|normal|optim|organ|quant|recogn|serial|summar|synchron"
    r"|token|util|visual)is(?:e|es|ed|ing|ations?)\b)",
    re.IGNORECASE,
)
PENDING: Mapping[str, str] = {}
"""Words still to be replaced, by file; the list only shrinks."""


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module, its classes, functions and attributes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def identifiers(path: Path) -> Iterator[str]:
    """Yield the names of classes, functions, variables, attributes and keys that a module defines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.Dict(keys=keys):
                yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
            case _:
                pass


def words(name: str) -> set[str]:
    """Return the words of a name in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def prose(path: Path) -> Iterator[str]:
    """Yield the texts of a page, or the comments, strings and names of functions of a program."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        rules = path.is_relative_to(ROOT / "docs" / "rules")
        yield re.sub(r"(?ms)^```.*?^```", "", text) if rules else text
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or tokenize.tok_name[token.type] in {"STRING", "FSTRING_MIDDLE"}:
            yield token.string
        elif token.type == tokenize.NAME and token.string.startswith("test_"):
            yield token.string.replace("_", " ")


def pending(path: Path) -> set[str]:
    """Return the words that a file may still have."""
    return {*PENDING.get(path.relative_to(ROOT).as_posix(), "").split(", ")}


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), text.partition("\n")[0])
        for path in PROGRAMS
        for text in docstrings(path)
        if re.split(r"\W", text, maxsplit=1)[0] in OPENERS - pending(path)
    }
    assert not found


def test_names_have_no_replaced_word() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in SOURCES
        for name in {*identifiers(path)} - pending(path)
        if NAMES.fullmatch(name) or any(map(PARTS.fullmatch, words(name)))
    }
    assert not found


def test_modules_have_no_replaced_name() -> None:
    assert not {path for path in SOURCES if MODULES.fullmatch(path.stem)}


def test_prose_has_no_replaced_word() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), match[0])
        for path in [*PROGRAMS, *PAGES]
        for text in prose(path)
        for pattern in (PHRASES, BRITISH)
        for match in pattern.finditer(re.sub(r"\s+", " ", text))
        if match[0] not in pending(path)
    }
    assert not found
