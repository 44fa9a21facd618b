"""Compiled tables of the grammars: the same trees and errors as Lark's parser, loaded without executing anything."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import lark
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark.lexer import Lexer
from tests.laws.test_laws import texts
from tests.support.paths import ROOT, VECTORS
from tests.unit.gotemplate.test_parser import PIECES

from modelfile.gotemplate.lexer import TemplateLexer
from modelfile.gotemplate.literals import TokenError
from modelfile.grammar import Automaton, Grammar, Token, UnexpectedToken, compile_tables, load_grammar, write_tables

SOURCES = ROOT / "src" / "modelfile"
MODELFILE = SOURCES / "syntax" / "modelfile.lark"
TEMPLATE = SOURCES / "gotemplate" / "template.lark"
GRAMMARS = (MODELFILE, TEMPLATE)
templates = st.lists(
    st.sampled_from([*PIECES, " ", "\n", "{{ if .A }}", "{{ end }}", "{{ range $x, $y := .B }}", "{{ else }}"]),
    max_size=25,
).map("".join) | st.lists(st.sampled_from(PIECES), max_size=9).map(lambda pieces: f"{{{{ {' '.join(pieces)} }}}}")
INPUTS = {
    path: [json.loads(line).get("input", "") for line in (VECTORS / name).read_text("utf-8").splitlines()]
    for path, name in ((MODELFILE, "parser.jsonl"), (TEMPLATE, "template.jsonl"))
}


def parse(path: Path, grammar: Grammar, text: str) -> Any:
    """Return the tree of a text, as pairs and tokens, or where it is wrong."""
    try:
        if path.name == MODELFILE.name:
            return spell(grammar.parse(text))
        automaton = Automaton(grammar)
        for token in TemplateLexer(grammar).lex(text):
            automaton.feed(token)
        return spell(automaton.finish(len(text)))
    except UnexpectedToken as error:
        return error.token.start, error.token.type if path.name == TEMPLATE.name else ""
    except TokenError as error:
        return str(error), error.span


def spell(part: Any) -> Any:
    """Return a part of a tree with tokens as they compare: all three of their facts."""
    if isinstance(part, Token):
        return part.type, str(part), part.start
    name, children = part
    return name, [spell(child) for child in children]


class Adapter(Lexer):
    """Our lexer of templates, as Lark takes it."""

    def __init__(self, _: object) -> None: ...

    def lex(self, text: str) -> Iterator[lark.Token]:  # type: ignore[override]  # Lark's simple interface
        """Yield the tokens of a text."""
        for token in TemplateLexer(current(TEMPLATE)).lex(text):
            yield lark.Token(token.type, str(token), token.start)


@cache
def current(path: Path) -> Grammar:
    return load_grammar(path)


@cache
def oracle(path: Path) -> lark.Lark:
    text = path.read_text(encoding="utf-8")
    return lark.Lark(text, parser="lalr", lexer=Adapter if path == TEMPLATE else "contextual")


def parse_by_lark(path: Path, text: str) -> Any:
    """Return what `parse` should return."""
    try:
        return spell_lark(oracle(path).parse(text))
    except lark.UnexpectedCharacters as error:
        return error.pos_in_stream, ""
    except lark.UnexpectedToken as error:
        if path == MODELFILE:
            return error.token.start_pos, ""
        end = error.token.type == "$END"
        return len(text) if end else error.token.start_pos, error.token.type
    except TokenError as error:
        return str(error), error.span


def spell_lark(part: Any) -> Any:
    if isinstance(part, lark.Token):
        return part.type, str(part), part.start_pos
    return str(part.data), [spell_lark(child) for child in part.children]


@given(texts)
def test_modelfiles_are_parsed_as_lark_does(text: str) -> None:
    assert parse(MODELFILE, current(MODELFILE), text) == parse_by_lark(MODELFILE, text)


@given(templates | st.text())
def test_templates_are_parsed_as_lark_does(text: str) -> None:
    assert parse(TEMPLATE, current(TEMPLATE), text) == parse_by_lark(TEMPLATE, text)


@pytest.mark.parametrize("path", GRAMMARS, ids=lambda path: path.stem)
def test_vectors_are_parsed_as_lark_does(path: Path) -> None:
    for text in INPUTS[path]:
        assert parse(path, current(path), text) == parse_by_lark(path, text), text


ODD = """
start: (item | twice)* tail?
?item: A | _B _inner "," C -> pair | "(" item ")" | single
?single: C | "<" C A? ">"
_inner: (A | D)*
twice: "[" _inner "!" _inner "]"
tail: E
A: "a"
_B: "b"
C: "c"
D.1: "ad"
E: "e"
"""


@cache
def compiled_odd() -> tuple[Grammar, lark.Lark]:
    return Grammar(json.loads(json.dumps(compile_tables(ODD))), {}), lark.Lark(ODD, parser="lalr")


odd_texts = st.lists(st.sampled_from([*"abcde,()<>[]!", "[a!da]", "[!]", "bad,c", "<ca>", "((a))"]), max_size=9)


@given(odd_texts.map("".join))
def test_all_kinds_of_rules_are_parsed_as_lark_does(text: str) -> None:
    grammar, parser = compiled_odd()
    try:
        parsed = spell(grammar.parse(text))
    except UnexpectedToken as error:
        parsed = error.token.start
    try:
        expected = spell_lark(parser.parse(text))
    except lark.UnexpectedCharacters as error:
        expected = error.pos_in_stream
    except lark.UnexpectedToken as error:
        expected = len(text) if error.token.type == "$END" else error.token.start_pos
    assert parsed == expected


def test_callbacks_replace_rules_and_tokens() -> None:
    def joined(children: list[str]) -> str:
        return "".join(children)

    callbacks: dict[str, Callable[[Any], Any]] = {"A": str.upper, "pair": joined, "start": tuple}
    assert Grammar(compile_tables(ODD), callbacks).parse("abaad,c") == ("A", "Aadc")


@pytest.fixture(params=GRAMMARS, ids=lambda path: path.stem)
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a copy of a grammar without its tables."""
    copy: Path = shutil.copy(request.param, tmp_path / request.param.name)
    return copy


def parses(path: Path) -> list[Any]:
    """Return the trees or the errors of some texts."""
    grammar = load_grammar(path)
    return [parse(path, grammar, text) for inputs in INPUTS.values() for text in inputs[:300]]


@pytest.mark.parametrize("path", GRAMMARS, ids=lambda path: path.stem)
def test_tables_are_current(path: Path) -> None:
    tables = path.with_suffix(".tables.json")
    compiled = compile_tables(path.read_text(encoding="utf-8"))
    assert not tables.exists() or tables.read_text() == json.dumps(compiled, separators=(",", ":")) + "\n", (
        "run `make tables`"
    )


def test_current_tables_are_used_without_lark(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = parses(copied)
    assert [*write_tables(copied.parent)] == [copied.with_suffix(".tables.json")]
    monkeypatch.setitem(sys.modules, "lark", None)  # an import would fail
    assert parses(copied) == compiled


def test_equal_grammars_give_equal_tables(copied: Path) -> None:
    code = "import sys; from modelfile.grammar import compile_tables; print(compile_tables(sys.stdin.read()))"
    environs = ({**os.environ, "PYTHONHASHSEED": seed} for seed in "12")
    command = [sys.executable, "-c", code]
    text = copied.read_bytes()
    written = {
        subprocess.run(command, env=each, input=text, capture_output=True, check=True).stdout for each in environs
    }
    assert len(written) == 1


def cut(text: str) -> str:
    return text[:1000]


def other_grammar(text: str) -> str:
    return json.dumps(json.loads(text) | {"grammar": "start: "})


def other_format(text: str) -> str:
    content = json.loads(text)
    del content["format"]
    content["states"] = []
    return json.dumps(content)


def no_object(_: str) -> str:
    return "[1]"


@pytest.mark.parametrize("damage", [cut, other_grammar, other_format, no_object])
def test_stale_tables_are_not_used(copied: Path, damage: Callable[[str], str]) -> None:
    compiled = parses(copied)
    (tables,) = write_tables(copied.parent)
    tables.write_text(damage(tables.read_text()))
    assert parses(copied) == compiled


def test_nothing_is_unpickled_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "executed"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (marker,)

    cache = tmp_path / "cache" / "modelfile"
    cache.mkdir(parents=True)
    for name in ("modelfile", "template"):
        (cache / f"{name}-{sys.implementation.cache_tag}.lark").write_bytes(b"x\n" + pickle.dumps(Hostile()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    (tmp_path / "Modelfile").write_text("FROM a:b\nTEMPLATE {{ .Prompt }}\n")
    ran = subprocess.run(
        [sys.executable, "-m", "modelfile", "lint", "Modelfile"], cwd=tmp_path, capture_output=True, check=False
    )
    assert ran.returncode in (0, 1)
    assert not marker.exists()
