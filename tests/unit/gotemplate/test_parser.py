"""Tests of the template parser: Ollama's vectors, Go's error messages, the tree and its spans, hostile input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paths import VECTORS

from modelfile.gotemplate import nodes
from modelfile.gotemplate.parser import ParsedTemplate, parse_template
from modelfile.source import Span

CASES = [json.loads(line) for line in (VECTORS / "template.jsonl").read_text(encoding="utf-8").splitlines()]
_PIECES = """\
{{ }} {{- -}} {{/* */}} /* */ if else end range with define template block break continue nil true . .A .B.C $ $x $y
:= = , | ( ) len json nope "s" "t" `r` 'c' "\\n" "\\q" ' " ` 1 1.5 0x1F 08 1_0 1i 1+2i -1 - + 1e999 @ # ; : é ² text
"""
PIECES = _PIECES.split()


def walk(part: Any) -> Iterator[Any]:
    """Yield a node or the nodes of a tuple, with everything below them."""
    pending = [part]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending += node
        elif is_dataclass(node) and not isinstance(node, Span):
            yield node
            pending += (getattr(node, field.name) for field in fields(node))


def only(text: str) -> Any:
    """Return the only node of a valid template."""
    template = parse_template(text)
    assert not template.diagnostics
    (node,) = template.nodes
    return node


@pytest.mark.parametrize("vector", CASES, ids=map(str, range(len(CASES))))
def test_diagnostics_and_variables_match_ollama(vector: dict[str, Any]) -> None:
    template = parse_template(vector["input"])
    assert [diagnostic.hint for diagnostic in template.diagnostics] == (
        [] if vector["ok"] else [f"Go says: {vector['error']}"]
    )
    assert template.variables == tuple(vector.get("vars", ()))


@pytest.mark.parametrize(
    "text",
    [
        "{{ .A | }}",
        "{{ $x = 1 }}{{ $x }}",
        "{{ ($x := 1) }}{{ $x }}",
        "{{ if .A }}{{ $x := 1 }}{{ else }}{{ $x }}{{ end }}",
        "{{ $b := 1 }}{{ range $a, $b }}{{ $a }}{{ end }}",
        "{{ with .A }}{{ else with .B }}{{ else with .C }}{{ else }}{{ end }}",
        '{{ define "t" }} {{/* c */}}{{ end }}{{ define "t" }}x{{ end }}{{ define "t" }}\n{{ end }}',
        '{{ if (.A).B }}{{ len.A }}{{ end }}{{ (index .A 0).B "x"|json }}',
        "{{ \n .A \n }}{{-\t.B\r\n-}}",
        "{{ print 0x1p-2 0b1 0o7 017 1_000 1_0.5 .5 5. 1i 1+2i -0 18446744073709551615 'é' '\\'' '\\x41' }}",
        "{{ .é }}{{ $٣ := 1 }}{{ $٣.ª }}",
        "{{/* } */}}{{- /**/ -}}",
        "}}",
    ],
)
def test_accepted_like_go(text: str) -> None:
    assert parse_template(text).diagnostics == ()


@pytest.mark.parametrize(
    ("text", "go"),
    [
        ("{{ .A\n", "template: :2: unclosed action started at :1"),
        ('{{ if .A }}\n{{ "x\n', "template: :2: unterminated quoted string"),
        ("{{ if .A }}\n{{/*", "template: :2: unclosed comment in action started at :1"),
        ("{{ if .A }}{{ .B }}\n{{/*", "template: :2: unclosed comment"),
        ("{{ $x\n\n}}", 'template: :3: undefined variable "$x"'),
        ("{{ .A\n$x := 1 }}", 'template: :2: undefined variable "$x"'),
        ("{{ $ $ := 1 }}", 'template: :1: unexpected ":=" in operand'),
        ("{{ range $a, 1 }}", "template: :1: range can only initialize variables"),
        ('{{ range $a, " }}', "template: :1: range can only initialize variables"),
        ("{{ range $a, }}", "template: :1: missing value for range"),
        ("{{ range .A }}{{ else }}{{ break }}{{ end }}", "template: :1: {{break}} outside {{range}}"),
        ('{{ range .A }}{{ block "b" . }}{{ break }}', "template: :1: {{break}} outside {{range}}"),
        ('{{ $x := 1 }}{{ block "b" . }}{{ $x }}', 'template: :1: undefined variable "$x"'),
        ('{{ block "b"\n. }}\n\n{{ else }}', "template: :2: unexpected {{else}} in block clause"),
        ("{{ range .A }}{{ else if .B }}", "template: :1: unexpected <if> in input"),
        ("{{ if .A }}{{ else with .B }}", "template: :1: unexpected <with> in input"),
        ("{{ if .A }}{{ else }}{{ else if .B }}", "template: :1: expected end; found {{else}}"),
        ("{{ if .A }}{{\ndefine 1 }}", "template: :2: unexpected <define> in command"),
        ('{{ define "" }}a{{ end }}b\n', 'template: :2: template: multiple definition of template ""'),
        ("{{ template }}", 'template: :1: unexpected "}}" in template clause'),
        ('{{ "é"\x01 }}', "template: :1: unrecognized character in action: U+0001"),
        ("{{ \u00a0 }}", "template: :1: unrecognized character in action: U+00A0"),
        ("{{ .A² }}", "template: :1: bad character U+00B2 '²'"),
        ("{{ 1é }}", 'template: :1: bad number syntax: "1é"'),
        ('{{ "a long string""b" }}', 'template: :1: unexpected "\\"b\\"" in operand'),
        ('{{ .A"a long string" }}', "template: :1: bad character U+0022 '\"'"),
        ("{{ 08 }}", 'template: :1: integer overflow: "08"'),
        ("{{ 1e999 }}", 'template: :1: illegal number syntax: "1e999"'),
        ("{{ 0x1+2i }}", 'template: :1: strconv.ParseFloat: parsing "0x1": invalid syntax'),
        ("{{ 1+1e999i }}", 'template: :1: strconv.ParseFloat: parsing "+1e999": value out of range'),
        ("{{ 1i+2i }}", "template: :1: syntax error scanning complex number"),
        ("{{ \"s\" 'é'.B }}", "template: :1: unexpected . after term \"'é'\""),
        ('{{ template "t" }}{{ .A }}', "undefined template specified"),
        ("{{.", 'template: :1: illegal number syntax: "."'),
        ("{{ end .", 'template: :1: unexpected "." in end'),
    ],
)
def test_rejected_with_the_message_of_go(text: str, go: str) -> None:
    (diagnostic,) = parse_template(text).diagnostics
    assert diagnostic.hint == f"Go says: {go}"


@pytest.mark.parametrize(
    ("marked", "code"),
    [
        ("a {{ «upper» .A }}", "MF402"),
        ("é {{ .A «$x» }}", "MF401"),
        ("{{ .A«-»}}", "MF401"),
        ("{{ if .A }}«{{ range» .B }}x", "MF401"),
        ("«{{- if» .A }}{{ if .B }}{{ end }}", "MF401"),
        ("«{{» .A ", "MF401"),
        ('{{ .A «"x»\n}}', "MF401"),
        ("{{ (.A «(».B }}", "MF401"),
        ("{{ .A | «3» }}", "MF401"),
        ("{{ if .A }}{{ else }}«{{ else» }}{{ end }}", "MF401"),
        ("«{{ break» }}", "MF401"),
        ('x«{{ template "t" }}»', "MF401"),
    ],
)
def test_diagnostic_has_code_and_span_of_the_error(marked: str, code: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    (diagnostic,) = parse_template(text).diagnostics
    assert diagnostic.span == Span(marked.index("«"), marked.index("»") - 1)
    assert diagnostic.code == code


def test_tree_of_a_pipeline() -> None:
    text = '{{- $x := index .A.B $y.C (len "\\u00e9").D | json -}}'
    node = parse_template("{{ $y := . }}" + text).nodes[1]
    assert isinstance(node, nodes.Action)
    assert node.span == Span(13, 13 + len(text))
    (variable,), (first, second) = node.pipeline.variables, node.pipeline.commands
    assert (variable.name, node.pipeline.assigns) == ("$x", False)
    function, field, other, chain = first.operands
    assert isinstance(function, nodes.Identifier)
    assert isinstance(field, nodes.Field)
    assert isinstance(other, nodes.Variable)
    assert isinstance(chain, nodes.Chain)
    assert isinstance(chain.operand, nodes.Pipeline)
    assert (function.name, field.names, other.name, other.fields) == ("index", ("A", "B"), "$y", ("C",))
    assert chain.fields == ("D",)
    (call,) = chain.operand.commands
    assert isinstance(call.operands[1], nodes.String)
    assert call.operands[1].value == "é"
    assert second.operands == (nodes.Identifier(name="json", span=Span(13 + text.index("json"), 13 + len(text) - 4)),)


def test_else_if_is_a_nested_if() -> None:
    text = "{{ if .A }}a{{ else if .B }}b{{ else }}c{{ end }}"
    node = only(text)
    (nested,) = node.orelse
    assert isinstance(nested, nodes.If)
    assert text[nested.span.start : nested.span.end] == "{{ else if .B }}b{{ else }}c{{ end }}"
    assert [part.text for part in (*node.body, *nested.body, *nested.orelse)] == ["a", "b", "c"]


def test_trim_markers_remove_whitespace_around_comments() -> None:
    template = parse_template("a \n{{- /* c */ -}}\t b {{ . -}}\n\n")
    comment = template.nodes[1]
    assert [node.text for node in template.nodes if isinstance(node, nodes.Text)] == ["a", "b "]
    assert isinstance(comment, nodes.TemplateComment)
    assert comment.text == " c "


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("0x1F", 31),
        ("0b11", 3),
        ("017", 15),
        ("-1_0", -10),
        ("1e3", 1000),
        ("0x1p-1", 0.5),
        ("2i", 2j),
        ("1-2i", 1 - 2j),
    ],
)
def test_values_of_numbers(literal: str, value: complex) -> None:
    assert only(f"{{{{ {literal} }}}}").pipeline.commands[0].operands[0].value == value


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"a\t\"\\"', 'a\t"\\'),
        (r'"\xc3\xa9\351"', "é\ufffd"),
        ("`a\r\n\\`", "a\n\\"),
        (r"'\U0001F600'", "😀"),
        ("'''", None),
    ],
)
def test_values_of_strings(literal: str, value: str | None) -> None:
    template = parse_template(f"{{{{ {literal} }}}}")
    found = [
        node.value for node in walk(template.nodes) if isinstance(node, nodes.String | nodes.RawString | nodes.Char)
    ]
    assert found == ([] if value is None else [value])


def test_variables_are_lowered_like_in_ollama() -> None:
    assert parse_template("{{ .\u03a3A\u03a3.\u0130 }}{{ (.Hidden).X }}{{ $Y := .Response }}{{ $Y }}").variables == (
        "$y",
        "i",
        "response",
        "\u03c3a\u03c3",
    )


def check_spans(template: ParsedTemplate) -> None:
    text = template.text
    for node in walk(template.nodes):
        written = text[node.span.start : node.span.end]
        match node:
            case nodes.Text(text=printed):
                assert written == printed
            case nodes.Field(names=names):
                assert written == "".join(f".{name}" for name in names)
            case nodes.Variable(name=name, fields=names):
                assert written == ".".join((name, *names))
            case nodes.Identifier(name=name):
                assert written == name
            case nodes.Bool() | nodes.Nil() | nodes.Dot():
                assert written in {"true", "false", "nil", "."}
            case nodes.String() | nodes.RawString() | nodes.Char():
                assert written[0] == written[-1] in {'"', "`", "'"}
            case nodes.Number() | nodes.Chain() | nodes.Command() | nodes.Pipeline():
                assert written == written.strip() != ""
            case _:
                assert written.startswith("{{")
                assert written.endswith("}}")
    for diagnostic in template.diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)


@given(st.lists(st.sampled_from([*PIECES, " ", " ", "\n", "{{ if .A }}", "{{ end }}"]), max_size=25).map("".join))
def test_parser_never_raises_on_sequences_of_tokens(text: str) -> None:
    check_spans(parse_template(text))


@given(
    st.lists(st.sampled_from([piece for piece in PIECES if piece[0].isalnum() or piece[0] in ".$(|\"`'"]), max_size=9)
)
def test_parser_never_raises_on_actions(pieces: list[str]) -> None:
    check_spans(parse_template(f"{{{{ {' '.join(pieces)} }}}}"))


@given(st.text() | st.text().map("{{{{ {} }}}}".format) | st.text(st.characters(codec=None)))
def test_parser_never_raises_on_arbitrary_text(text: str) -> None:
    check_spans(parse_template(text))


@pytest.mark.parametrize("vector", CASES[::7], ids=map(str, range(0, len(CASES), 7)))
def test_spans_match_the_text(vector: dict[str, Any]) -> None:
    check_spans(parse_template(vector["input"]))


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 100_000,
        "{{- " * 100_000,
        "{{ " + "(" * 100_000,
        '{{ "a" ' * 100_000,
        "{{ " + "'" * 100_000,
        "{{" + "\n" * 100_000 + "$x" + " " * 100_000,
        "{{/*" + "*" * 100_000,
        "{{ 0x" + "f" * 100_000 + " }}",
        "{{ " + "1" * 100_000 + " }}",
        '{{ "' + "\\n" * 100_000 + "\\q",
        "{{ if .A }}" * 20_000,
    ],
    ids=range(11),
)
def test_long_invalid_templates(text: str) -> None:
    assert len(parse_template(text).diagnostics) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 20_000 + "." + ").A" * 20_000 + " }}",
        "{{ if .A }}" * 20_000 + "{{ end }}" * 20_000,
        "{{ if .A }}" + "{{ else if .B }}" * 20_000 + "{{ end }}",
        '{{ block "b" . }}' + "{{ range $x := . }}{{ break }}" * 20_000 + "{{ end }}" * 20_001,
        "{{ $x := 1 }}{{ if $x }}" * 10_000 + "{{ end }}" * 10_000,
        "{{ ." + " | json" * 20_000 + " }}",
        "{{ .A" + ".B" * 20_000 + " }}",
        "{{ and" + " .A" * 20_000 + " }}",
        "}" * 100_000 + "{" + " " * 100_000 + "{{- . -}}" + " " * 100_000,
    ],
    ids=range(9),
)
def test_long_and_deeply_nested_templates(text: str) -> None:
    assert len(parse_template(text).diagnostics) == 0


def test_importing_the_parser_does_not_import_lark() -> None:
    program = "import sys, modelfile.gotemplate.parser; sys.exit('lark' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0
