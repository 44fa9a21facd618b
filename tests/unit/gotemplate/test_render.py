"""Tests of rendering: Ollama's vectors, its three modes, its versions, bounds and errors."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from tests.support.paths import VECTORS

import modelfile
from modelfile.gotemplate.evaluation import DEEPEST_PIPELINE, MOST_STEPS
from modelfile.gotemplate.printing import MOST_BYTES

CASES = [json.loads(line) for line in (VECTORS / "render.jsonl").read_text(encoding="utf-8").splitlines()]
VERSION = "0.33.0"
"""The version that the vectors were measured on."""
BY_VERSION = [json.loads(line) for line in (VECTORS / "render_versions.jsonl").read_text(encoding="utf-8").splitlines()]
"""Generated templates, each measured with the template package of its `ollama` version (Go 1.24, and 1.26 for 0.33)."""
TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "<d>", "parameters": {"type": "object", "properties": {}}},
}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"function": {"name": "f", "arguments": {"b": 1, "a": "<"}}}],
}


@pytest.mark.parametrize("vector", [*CASES, *BY_VERSION], ids=map(str, range(len(CASES) + len(BY_VERSION))))
def test_prompts_match_ollama(vector: dict[str, Any]) -> None:
    version = vector.get("ollama", VERSION)
    if vector["ok"]:
        assert modelfile.render(vector["template"], ollama=version, **vector["values"]) == vector["output"]
    else:
        with pytest.raises(modelfile.TemplateError):
            modelfile.render(vector["template"], ollama=version, **vector["values"])


@pytest.mark.parametrize(
    ("version", "expected"),
    [("0.9.3", "a\n\nb;"), ("0.9.5", "a\n\nb;"), ("0.9.6", "a;b;"), (None, "a;b;")],
)
def test_tool_messages_stay_apart_since_0_9_6(version: str | None, expected: str) -> None:
    messages = [{"role": "tool", "content": "a"}, {"role": "tool", "content": "b"}]
    template = "{{ range .Messages }}{{ .Content }};{{ end }}"
    assert modelfile.render(template, messages=messages, ollama=version) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (
            "{{ range .Tools }}{{ .Function }}{{ end }}",
            {
                "0.9.3": '{"name":"f","description":"\\u003cd\\u003e","parameters":'
                '{"type":"object","required":null,"properties":{}}}',
                "0.13.0": '{"name":"f","description":"\\u003cd\\u003e","parameters":{"type":"object","properties":{}}}',
                "0.14.0": "{f <d> {object <nil> <nil> [] {}}}",
                "0.30.0": "{f <d> {object <nil> <nil> [] {}}}",
            },
        ),
        (
            "{{ range .Tools }}{{ .Function.Parameters }}{{ end }}",
            {
                "0.9.3": "{object <nil> <nil> [] map[]}",
                "0.11.7": '{"type":"object","required":null,"properties":{}}',
                "0.14.0": "{object <nil> <nil> [] {}}",
            },
        ),
        (
            "{{ range .Tools }}{{ . }}{{ end }}",
            {
                "0.9.3": '{"type":"function","function":{"name":"f","description":"\\u003cd\\u003e","parameters":'
                '{"type":"object","required":null,"properties":{}}}}',
                "0.14.0": "{function <nil> {f <d> {object <nil> <nil> [] {}}}}",
                "0.30.0-rc31": "{function <nil> {f <d> {object <nil> <nil> [] {}}}}",
                "0.30.0": '{"type":"function","function":{"name":"f","description":"\\u003cd\\u003e","parameters":'
                '{"type":"object","properties":{}}}}',
            },
        ),
    ],
)
def test_tools_print_by_version(template: str, expected: dict[str, str]) -> None:
    for version, text in expected.items():
        assert (
            modelfile.render(template + "{{ if .Messages }}{{ end }}", tools=[TOOL], messages=[], ollama=version)
            == text
        )


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (
            "0.9.3",
            '{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":"\\u003c","b":1}}}]}',
        ),
        (
            None,
            (
                '{"Role":"assistant","Content":"","Thinking":"","Images":null,"ToolCalls":[{"ID":"","Function":'
                '{"Index":0,"Name":"f","Arguments":{"a":"\\u003c","b":1}}}],"ToolName":"","ToolCallID":""}'
            ),
        ),
    ],
)
def test_messages_have_other_names_in_json_since_0_14(version: str | None, expected: str) -> None:
    assert modelfile.render("{{ json (index .Messages 0) }}", messages=[CALL], ollama=version) == expected


def test_thinking_is_passed_as_in_each_version() -> None:
    template = "{{ .Think }}/{{ .ThinkLevel }}/{{ .IsThinkSet }}"

    def rendered(version: str, **think: Any) -> str:
        return modelfile.render(template, prompt="", ollama=version, **think)

    assert rendered("0.8.0", think=True) == "<no value>/<no value>/<no value>"
    assert rendered("0.9.3", think=True) == "true/<no value>/true"
    assert [rendered("0.33.0", think=think) for think in (None, True, False, "high", "max")] == [
        "false//false",
        "true/medium/true",
        "false//true",
        "true/high/true",
        "true/max/true",
    ]
    with pytest.raises(modelfile.UsageError, match=r"Ollama 0\.12\.0 does not know the level of thinking `max`"):
        rendered("0.12.0", think="max")


def test_dates_are_those_of_the_server() -> None:
    template = "{{ currentDate }} {{ yesterdayDate }}{{ if .Messages }}{{ end }}"
    assert modelfile.render(template, messages=[], today=date(2026, 3, 1)) == "2026-03-01 2026-02-28"
    with pytest.raises(modelfile.TemplateError, match=r"function `currentDate` is known since Ollama 0\.11\.0"):
        modelfile.render(template, messages=[], ollama="0.9.3")


@pytest.mark.parametrize(
    "template",
    [
        "{{ range 1000000000 }}x{{ end }}",
        '{{ range 9999 }}{{ printf "%1000000d" 1 }}{{ end }}',
        '{{ len (printf "' + "%1000000[1]d" * 1000 + '" 1) }}',
        "{{ $x := 1 }}" * 9000 + "{{ range 9000 }}{{ $ }}{{ end }}",
        "{{ " + "(" * (DEEPEST_PIPELINE + 1) + "1" + ")" * (DEEPEST_PIPELINE + 1) + " }}",
        '{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}{{ .Messages }}',
        "{{ range .Messages }}{{ end }}{{ .Messages }}",  # an address
    ],
)
def test_rendering_is_bounded_and_never_guesses(template: str) -> None:
    assert MOST_STEPS <= 10**6
    assert MOST_BYTES <= 2**26
    with pytest.raises(modelfile.TemplateError):
        modelfile.render(template, messages=[{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "messages or a prompt is needed"),
        ({"messages": [], "prompt": "x"}, "messages cannot be used with a prompt or a suffix"),
        ({"prompt": "", "ollama": "latest"}, "`latest` is not a version of Ollama"),
        ({"prompt": "", "ollama": "0.5.0"}, "cannot render as Ollama 0.5.0 does"),
        ({"prompt": "", "think": "much"}, "unknown level of thinking `much`"),
        ({"messages": [{"role": 1}]}, r"invalid messages\[0\].role: a string is needed, not a number"),
        ({"messages": {"role": "user"}}, "invalid messages: a list is needed, not an object"),
        ({"messages": [], "tools": [{"function": {"parameters": {"required": "a"}}}]}, r"parameters.required: a list"),
        ({"messages": [{"images": ["?"]}]}, r"messages\[0\].images\[0\]: the image is not in base64"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(modelfile.ModelfileError, match=message):
        modelfile.render("{{ .Messages }}", **arguments)


def test_syntax_errors_are_those_of_the_parser() -> None:
    with pytest.raises(
        modelfile.TemplateError, match="line 2, column 1 of the template: this action is never closed"
    ) as error:
        modelfile.render("a\n{{ .Prompt", prompt="x")
    assert error.value.hint == "Go says: template: :2: unclosed action"


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert modelfile.render('{{ slice .Prompt 0 1 }}{{ len .Prompt }}{{ "\\xff" }}', prompt="é") == "\ufffd2\ufffd"


def test_a_break_in_the_else_of_a_loop_ends_only_that() -> None:
    template = "{{ range 2 }}{{ range 0 }}{{ else }}{{ break }}{{ end }}x{{ end }}{{ if .Messages }}{{ end }}"
    assert modelfile.render(template, messages=[]) == "xx"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": "a", "Content": None}, '["a",null]'),
        ({"CONTENT": "a", "content": "b"}, '["b",null]'),
        ({"content": "a", "image\u017f": ["AQI=", [1, 2], [], [None]]}, '["a",["AQI=","AQI=","","AA=="]]'),
    ],
)
def test_messages_are_read_as_go_reads_json(message: dict[str, Any], expected: str) -> None:
    template = "{{ range .Messages }}[{{ json .Content }},{{ json .Images }}]{{ end }}"
    assert modelfile.render(template, messages=[message]) == expected


@pytest.mark.parametrize("image", ["A", [256], [True], [1.0], ["a"], {}, 1])
def test_what_is_no_image(image: Any) -> None:
    with pytest.raises(modelfile.InputError, match=r"invalid messages\[0\].images\[0\]"):
        modelfile.render("{{ .Prompt }}", messages=[{"content": "a", "images": [image]}])
