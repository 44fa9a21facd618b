"""The exact words of findings and their help, where a first reader stumbled."""

from __future__ import annotations

import pytest

import modelfile

CHATML = '''TEMPLATE """{{ range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""'''
NO_TOOLS = "; it has no `.Tools` either, so requests with tools fail"
UNGUARDED = '''TEMPLATE """{{ if .System }}<|im_start|>system
{{ end }}{{ .System }}<|im_end|>
<|im_start|>user
{{ .Prompt }}<|im_end|>
<|im_start|>assistant
{{ .Response }}<|im_end|>
"""'''


@pytest.mark.parametrize(
    ("name", "text", "message", "hint"),
    [
        (
            "harmful-value",
            "PARAMETER num_predict 0",
            "with `num_predict 0`, answers have no limit in some versions of Ollama, and are empty in others",
            "write the number of tokens, or `-1` for no limit",
        ),
        (
            "unescaped-sequence",
            r'PARAMETER stop "<|im_end|>\n"',
            r"`\n` is sent as two characters: Ollama knows no escapes",
            "write `<|im_end|>` alone: no model writes a newline after it",
        ),
        (
            "unescaped-sequence",
            r'PARAMETER stop "User:\n"',
            r"`\n` is sent as two characters: Ollama knows no escapes",
            "break the line there, and put the text in quotes",
        ),
        (
            "markerless-template",
            'TEMPLATE """{{ .System }} {{ .Prompt }}"""',
            "this TEMPLATE has no turn markers, but `qwen2.5` was trained on ChatML markers",
            "delete TEMPLATE: the base brings its own; put instructions in SYSTEM",
        ),
        (
            "foreign-template",
            'TEMPLATE """<start_of_turn>user\n{{ .Prompt }}<end_of_turn>\n<start_of_turn>model\n{{ .Response }}"""',
            f"this TEMPLATE uses Gemma markers, but `qwen2.5` was trained on ChatML markers{NO_TOOLS}",
            "delete TEMPLATE: the base brings its own",
        ),
        (
            "missing-newline",
            CHATML.replace("{{ .Role }}\n", "{{ .Role }} "),
            "missing newline after `<|im_start|>user`: ChatML has a newline there",
            "write a newline after it",
        ),
        (
            "unknown-role",
            CHATML.replace("{{ .Content }}", '{{ if eq .Role "human" }}!{{ end }}{{ .Content }}'),
            "unknown role `human`: no message has it, so this is never true",
            'write "user"',
        ),
        (
            "field-outside-guard",
            UNGUARDED,
            "`.System` is outside of `{{ if .System }}`, which covers only the head of the turn",
            "move `{{ end }}` after the end of the turn",
        ),
        (
            "template-drops-capability",
            CHATML,
            "`qwen2.5` supports tools, but this TEMPLATE has no `.Tools`: requests with tools fail",
            "delete TEMPLATE, or start from the output of `ollama show --template qwen2.5:7b`",
        ),
        (
            "bos-in-template",
            'TEMPLATE """<|begin_of_text|>{{ .System }}{{ .Prompt }}"""',
            "each prompt begins with two `<|begin_of_text|>`: the tokenizer adds one too",
            "delete it",
        ),
        (
            "bos-in-template",
            'TEMPLATE """{{ if .System }}<|begin_of_text|>{{ .System }}{{ end }}{{ .Prompt }}"""',
            "prompts that begin with this block begin with two `<|begin_of_text|>`: the tokenizer adds one too",
            "delete it",
        ),
        (
            "template-unknown-variable",
            "TEMPLATE {{ range .Messages }}{{ with . }}{{ .Content }}{{ .Tools }}{{ end }}{{ end }}",
            "unknown variable `.Tools` of a message: each request that reaches it fails",
            "write `$.Tools`: a message has no `.Tools`",
        ),
    ],
    ids=lambda value: value if "-" in value and " " not in value else "",
)
def test_messages_read_well(name: str, text: str, message: str, hint: str) -> None:
    found = modelfile.lint(f"FROM qwen2.5:7b\n{text}\n")
    assert [(one.message, one.hint) for one in found if one.name == name] == [(message, hint)]
