"""Property tests of parsing, decoding, numbers and fingerprints."""

import struct
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelfile.catalog.parameters import Kind
from modelfile.catalog.versions import Version
from modelfile.characters import is_unprintable
from modelfile.differ.models import compare_models
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Message, Recipe
from modelfile.recipe.values import ParameterValue, parse_value
from modelfile.source import Source, Span
from modelfile.syntax import nodes
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, Incomplete, Instruction, Node, Parameter, Unknown, Word

WORDS = [
    "FROM",
    "from",
    "PARAMETER",
    "MESSAGE",
    "SYSTEM",
    "TEMPLATE",
    "LICENSE",
    "ADAPTER",
    "DRAFT",
    "FORMAT",
    "REQUIRES",
]
PIECES = [
    *WORDS,
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    '"',
    '""',
    '"""',
    "'",
    "#",
    "\\",
    "x",
    "user",
    "stop",
    "0.7",
    ":",
    "=",
]
UNUSUAL = [
    "\0",
    "\x01",
    "\xa0",
    "\u200b",
    "\ufeff",
    "\u3000",
    "\u2028",
    "\x85",
    "é",
    "中",
    "😀",
    "\u017f",
    "{{ .Prompt }}",
]
texts = st.lists(st.sampled_from([*PIECES, *UNUSUAL]), max_size=40).map("".join) | st.text(max_size=60)
digests = st.integers(0, 3).map(lambda number: f"sha256:{number:064x}")
values = st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.tuples(st.text()) | st.integers(-9, 9)
models = st.builds(
    Model,
    weights=st.tuples(digests),
    system=st.text(),
    license=st.text(),
    parameters=st.dictionaries(st.text(min_size=1), values, max_size=4),
    messages=st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), st.text())).map(tuple),
)


def leaves(node: Node) -> list[Span]:
    match node:
        case Comment():
            return [node.span]
        case Unknown(word=word):
            assert word.span.start == node.span.start
            return [node.span]
        case Incomplete(keyword=first, rest=second):
            return [first.span, second.span]
        case Parameter():
            return [node.keyword.span, node.name.span, node.value.span]
        case nodes.Message():
            return [node.keyword.span, node.role.span, node.value.span]
        case Instruction():
            return [node.keyword.span, node.value.span]


@given(texts)
def test_leaves_are_in_order_with_only_whitespace_between(text: str) -> None:
    source = Source(text=text)
    end = 0
    for node in Modelfile.parse(source).nodes:
        for span in leaves(node):
            assert end <= span.start <= span.end
            assert all(character in " \t\r\n" or is_unprintable(character) for character in text[end : span.start])
            end = span.end
    assert all(character in " \t\r\n" or is_unprintable(character) for character in text[end:])
    lint(Context(modelfile=Modelfile.parse(source)))


@given(texts)
def test_words_match_the_text_at_their_spans(text: str) -> None:
    for node in Modelfile.parse(Source(text=text)).nodes:
        for word in (getattr(node, slot, None) for slot in ("keyword", "name", "role", "word")):
            if isinstance(word, Word):
                assert text[word.span.start : word.span.end] == word.text


@given(st.text(), st.sampled_from(["", "\ufeff"]), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
def test_decoding_and_encoding_round_trip(text: str, mark: str, encoding: str) -> None:
    if not mark and encoding != "utf-8":
        return
    data = (mark + text).encode(encoding)
    source = Source.decode(data)
    assert source.encode(source.text) == data
    assert source.position(len(source.text)).byte == len(data)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_round_trips_through_its_shortest_decimal(number: float) -> None:
    shortest = parse_value(Kind.FLOAT, repr(number))
    assert isinstance(shortest, float)
    assert struct.pack("<f", shortest) == struct.pack("<f", number)
    assert float(f"{shortest:.9g}") == shortest


@given(st.integers(0, 2**31), st.integers(0, 2**31 - 1))
@example(19777653, 19)  # found by `make fuzz`
def test_decimal_is_rounded_once(whole: int, fraction: int) -> None:
    text = f"{whole}.{fraction:010d}"
    value = parse_value(Kind.FLOAT, text)
    assert isinstance(value, float)
    (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    bits = struct.unpack("<I", struct.pack("<f", rounded))[0]
    neighbors = [struct.unpack("<f", struct.pack("<I", bits + step))[0] for step in (-1, 1) if bits + step >= 0]
    distance = abs(Fraction(rounded) - Fraction(text))
    assert all(distance <= abs(Fraction(other) - Fraction(text)) for other in neighbors)


@pytest.mark.parametrize(
    "text", ["1.000000059604644775390624", "16777217.00000000000000001", "1.00000017881393432617187499"]
)
def test_tie_between_two_float32_is_decided_by_the_decimal(text: str) -> None:
    value = parse_value(Kind.FLOAT, text)
    exact = Fraction(text)
    (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    twice = struct.unpack("<f", struct.pack("<f", float(text)))[0]
    assert abs(Fraction(rounded) - exact) <= abs(Fraction(twice) - exact)


CHANGED = {
    "weights": ("sha256:x",),
    "adapters": ("sha256:x",),
    "drafts": ("sha256:x",),
    "template": "other",
    "system": "other \x00",
    "license": "other",
    "parameters": {"other": 1},
    "messages": (Message("system", "other"),),
    "renderer": "other",
    "parser": "other",
    "requires": "9.9.9",
}
SIMILAR = [
    ({"a": 1}, {"a": True}),
    ({"a": 1}, {"a": ("1",)}),
    ({"a": ("x",)}, {"a": ("x", "")}),
    ({"a": ("x", "y")}, {"a": ("y", "x")}),
    ({"a": 2**53}, {"a": 2**53 + 2}),
]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1.0000010000000001p0", 1.0000001),
        ("-0x1.0000010000000001P0", -1.0000001),
        ("0x1.000001p0", 1.0),
        ("8894.711425781251", 8894.712),
        ("1385765.8125000002", 1385765.9),
        ("16777217.0000000019", 16777218),
        ("3.4028235677973366163753939545814256844e38", 3.4028235e38),
        ("0xffffff.7fffffffffffffp104", 3.4028235e38),
        (f"0x1.0000010000000001p{'0' * 5000}1", 2.0000002),
        ("1e-46", 0),
        (f"1.000000059604644775390625{'0' * 100_000}1", 1.0000001),
        (f"1.000000059604644775390625{'0' * 100_000}", 1.0),
        (f"0x1.000001{'0' * 100_000}1p0", 1.0000001),
        (f"1{'0' * 100_000}e-100000", 1),
        (f"0.{'0' * 100_000}1e100001", 1),
    ],
)
def test_rounding_matches_go(text: str, value: float) -> None:
    """Check values found by comparing a million with Go 1.26's ParseFloat."""
    assert parse_value(Kind.FLOAT, text) == value


@given(models, st.sampled_from(sorted(CHANGED)))
def test_every_part_of_a_model_changes_its_fingerprint(model: Model, part: str) -> None:
    other = replace(model, **{part: CHANGED[part]})  # type: ignore[arg-type]  # each of its part's type
    assert fingerprint(other) != fingerprint(model)
    assert compare_models(model, other) != ()
    assert fingerprint(replace(model)) == fingerprint(model)
    assert compare_models(model, replace(model)) == ()


@pytest.mark.parametrize(("one", "other"), SIMILAR)
def test_similar_parameters_have_different_fingerprints(
    one: dict[str, ParameterValue], other: dict[str, ParameterValue]
) -> None:
    assert fingerprint(Model(parameters=one)) != fingerprint(Model(parameters=other))
    assert compare_models(Model(parameters=one), Model(parameters=other)) != ()


@pytest.mark.parametrize(("one", "other"), [(4096, 4096.0), (2**63 - 1, float(2**63)), (0, -0.0)])
def test_numbers_that_a_server_stores_alike_have_one_fingerprint(one: int, other: float) -> None:
    assert fingerprint(Model(parameters={"a": one})) == fingerprint(Model(parameters={"a": other}))
    assert compare_models(Model(parameters={"a": one}), Model(parameters={"a": other})) == ()


def test_messages_with_the_same_text_have_different_fingerprints() -> None:
    one = Model(messages=(Message("user", "a\nassistant: b"),))
    other = Model(messages=(Message("user", "a"), Message("assistant", "b")))
    assert [change.new for change in compare_models(one, other)] == [*other.messages]
    assert fingerprint(one) != fingerprint(other)


@given(models)
def test_order_of_parameters_does_not_change_the_fingerprint(model: Model) -> None:
    reordered = replace(model, parameters=dict(reversed(list(model.parameters.items()))))
    assert fingerprint(reordered) == fingerprint(model)


@given(models)
def test_empty_recipe_keeps_the_fingerprint(model: Model) -> None:
    assert fingerprint(model.with_recipe(Recipe(base="x:y"), {})) == fingerprint(model)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (Version(0, 9, 3), ("", "", "")),
        (Version(0, 12, 6), ("", "", "")),
        (Version(0, 12, 7), ("r", "p", "")),
        (Version(0, 14, 0), ("r", "p", "0.14.0")),
        (None, ("r", "p", "0.14.0")),
    ],
)
def test_older_versions_drop_the_renderer_of_a_base(version: Version | None, expected: tuple[str, ...]) -> None:
    base = Model(weights=("sha256:1",), renderer="r", parser="p", requires="0.14.0")
    made = base.with_recipe(Recipe(base="x:y"), {}, version)
    assert (made.renderer, made.parser, made.requires) == expected
    own = base.with_recipe(Recipe(base="x:y", renderer="a", parser="b", requires="0.1.0"), {}, version)
    assert (own.renderer, own.parser, own.requires) == ("a", "b", "0.1.0")
    of_files = base.with_recipe(Recipe(system="s"), {}, version)
    assert (of_files.renderer, of_files.parser, of_files.requires) == ("r", "p", "0.14.0")


@pytest.mark.parametrize(
    ("family", "version", "own", "expected"),
    [
        ("gemma4", None, {}, ("gemma4", "gemma4", ("<turn|>",))),
        ("gemma4", Version(0, 19, 0), {}, ("", "", ("a",))),
        ("gemma4", None, {"renderer": "x"}, ("x", "gemma4", ("<turn|>",))),
        ("gemma4", None, {"renderer": "x", "parser": "y"}, ("x", "y", ("a",))),
        ("gemma4", None, {"parameters": {"stop": ("b",)}}, ("gemma4", "gemma4", ("b",))),
        ("laguna", Version(0, 22, 0), {}, ("laguna", "laguna", ("a",))),
        ("llama", None, {}, ("", "", ("a",))),
    ],
)
def test_an_architecture_may_bring_a_renderer(
    family: str, version: Version | None, own: dict[str, Any], expected: tuple[object, ...]
) -> None:
    base = Model(weights=("sha256:1",), parameters={"stop": ("a",)}, family=family)
    assert fingerprint(base) == fingerprint(replace(base, family=""))
    made = base.with_recipe(Recipe(base="x:y", **own), {}, version)
    assert (made.renderer, made.parser, made.parameters["stop"]) == expected
    assert made.family == family
