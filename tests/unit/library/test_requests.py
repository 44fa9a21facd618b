"""Tests of the prompts of models: system prompt, messages, images, thinking, renderers."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import mf

from modelfile.catalog.versions import Version
from modelfile.errors import InputError, UsageError
from modelfile.library.requests import ChatRequest, prompt_of, read_chat
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message

EVERYTHING = "{{ range .Messages }}{{ .Role }}={{ .Content }};{{ end }}"
THINKING = (
    "{{ .Think }}{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ end }}"
)
MODEL = Model(template=EVERYTHING, system="S", messages=(Message("user", "m"), Message("assistant", "n")))


def chat(*messages: dict[str, Any]) -> ChatRequest:
    return ChatRequest(messages=messages)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("Why?", "system=S;user=m;assistant=n;user=Why?;"),
        (chat({"role": "user", "content": "Why?"}), "system=S;user=m;assistant=n;user=Why?;"),
        (chat({"role": "System", "content": "T"}), "user=m;assistant=n;system=T;"),
    ],
)
def test_system_prompt_and_messages_of_the_model_come_first(request_: str | ChatRequest, expected: str) -> None:
    assert prompt_of(MODEL, request_) == expected


def test_images_become_marks() -> None:
    request = chat(
        {"role": "user", "content": "a", "images": ["AA==", "AA=="]},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "see [img] here", "images": ["AA=="]},
    )
    expected = "user=[img-0][img-1]a;assistant=b;user=see [img-2] here;"
    assert prompt_of(Model(template=EVERYTHING), request) == expected


@pytest.mark.parametrize(
    ("template", "version", "expected"),
    [
        (THINKING, Version(0, 9, 3), "falseWhy?"),
        (THINKING, Version(0, 24, 0), "trueWhy?"),
        (THINKING.replace("<think>", ""), Version(0, 24, 0), "falseWhy?"),
        (THINKING.replace(".Messages", "(slice .Messages 0)"), Version(0, 24, 0), "trueWhy?"),
        (THINKING.replace(".Messages", "$.Messages"), Version(0, 24, 0), "falseWhy?"),
    ],
)
def test_models_that_can_think_do_by_default_since_0_12_4(template: str, version: Version, expected: str) -> None:
    assert prompt_of(Model(template=template), "Why?", version) == expected


def test_generate_passes_an_empty_list_of_tools_since_0_12_6() -> None:
    model = Model(template="{{ .Tools }}{{ .Messages | len }}")
    assert [prompt_of(model, "x", version) for version in (Version(0, 9, 3), Version(0, 24, 0))] == ["null1", "[]1"]


def test_a_renderer_is_code_of_ollama() -> None:
    with pytest.raises(UsageError, match="this model has RENDERER qwen3-coder: Ollama renders its prompts in code"):
        prompt_of(Model(renderer="qwen3-coder"), "x")


def test_a_file_has_messages_or_a_request(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    message = {"role": "user", "content": "x"}
    path.write_text(json.dumps([message]))
    assert read_chat(path, BytesIO()) == ChatRequest(messages=[message])
    path.write_text(json.dumps({"model": "m", "messages": [message], "tools": [], "think": "low"}))
    assert read_chat(path, BytesIO()) == ChatRequest(messages=[message], tools=[], think="low")
    assert read_chat(Path("-"), BytesIO(path.read_bytes())) == read_chat(path, BytesIO())


THINK = '{{"messages": [{{"role": "user"}}], "think": {}}}'


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "{}", "1", '{"messages": {}}', '["x"]', "[" * 99_999),
        *(THINK.format(think) for think in ("1", '{"a": 1}', "[]")),
    ],
)
def test_a_file_of_something_else_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "chat.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"in `.*chat.json`"):
        read_chat(path, BytesIO())


def test_an_unknown_level_of_thinking_is_an_error_of_the_request(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM x:1\nTEMPLATE {{ .Prompt }}!\n")
    (tmp_path / "m.json").write_text(THINK.format('"much"'))
    ran = mf("show", "--messages", "m.json", "Modelfile", cwd=tmp_path)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("error: `m.json`: unknown level of thinking `much`\n")


def test_messages_are_read_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM x:1\nTEMPLATE {{ .Prompt }}!\n")
    messages = b'[{"role": "user", "content": "Why?"}]'
    assert mf("show", "--messages", "-", "Modelfile", cwd=tmp_path, stdin=messages).out == "Why?!"
    ran = mf("show", "--messages", "-", "Modelfile", cwd=tmp_path, stdin=b"[")
    assert (ran.code, ran.err.split(": E")[0]) == (3, "error: invalid JSON in `-`")
