"""Tests of the prompts of models: system prompt, messages, images, thinking, renderers."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import mf
from tests.support.tiny_gguf import bare_gguf

from modelfile.addresses import ServerAddress
from modelfile.catalog.versions import NEWEST, Version
from modelfile.errors import InputError, UsageError
from modelfile.events import ignore
from modelfile.library.requests import ChatRequest, prompt_of, read_chat
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import Store

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


EARLIER = [
    # the answer; what the versions since 0.6.7 leave of it, and those since 0.9.0
    ("<think>a</think>\n\nb", "b", "b"),
    (" <think> a </think> \t\u3000b ", "  \t\u3000b ", "b "),
    ("<think>a</think>b<think>c</think>\nd", "bd", "b<think>c</think>\nd"),
    ("b<think>c</think>d</think>", "bd</think>", "b<think>c</think>d</think>"),
    ("<think>a", "<think>a", ""),
    ("</think>a<think>", "</think>a<think>", "</think>a<think>"),
    ("<think></think>", "", ""),
    (" <thi", " <thi", ""),
    (" ", " ", ""),
    ("b", "b", "b"),
]


@pytest.mark.parametrize(("answer", "by_pattern", "by_parser"), EARLIER)
def test_thoughts_of_earlier_answers_are_removed_by_version(answer: str, by_pattern: str, by_parser: str) -> None:
    user, thought = {"role": "user", "content": "u"}, {"role": "Assistant", "content": answer}
    kept = {**thought, "role": "assistant", "thinking": "t"}
    for version, expected in (
        (Version(0, 6, 6), answer),
        (Version(0, 6, 7), by_pattern),
        (Version(0, 8, 0), by_pattern),
        (Version(0, 9, 0), by_parser),
        (NEWEST, by_parser),
    ):
        request = chat(thought, user, user, kept)
        shown = prompt_of(Model(template=EVERYTHING), request, version, family="qwen3")
        assert shown == f"assistant={expected};user=u\n\nu;assistant={answer};"
        assert prompt_of(Model(template=EVERYTHING), request, version).startswith(f"assistant={answer};")


def test_thoughts_in_messages_of_the_model_are_removed_from_a_chat_only() -> None:
    model = Model(template=EVERYTHING, messages=(Message("assistant", "<think>a</think>b"),))
    request = chat({"role": "user", "content": "u"})
    assert prompt_of(model, request, family="qwen3") == "assistant=b;user=u;"
    assert prompt_of(model, "u", family="qwen3") == "assistant=<think>a</think>b;user=u;"


@pytest.mark.parametrize(
    ("family", "name", "expected"),
    [
        ("qwen3", "x", "b"),
        ("qwen3moe", "x", "<think>a</think>b"),
        ("llama", "deepseek-r1", "b"),
        ("", "DeepSeek-R1", "<think>a</think>b"),
    ],
)
def test_thoughts_are_removed_for_two_kinds_of_models(family: str, name: str, expected: str) -> None:
    request = chat({"role": "assistant", "content": "<think>a</think>b"}, {"role": "user", "content": "u"})
    shown = prompt_of(Model(template=EVERYTHING), request, family=family, name=name)
    assert shown == f"assistant={expected};user=u;"


HARMONY = "<|start|>{{ range .Tools }}{{ .Function.Name }}|{{ end }}{{ json .Tools | len }}<|end|>{{ .ThinkLevel }}"


def harmony(version: Version, *names: str | None, family: str = "gptoss", parser: str = "") -> str:
    tools = [{"type": "function", "function": {} if name is None else {"name": name}} for name in names]
    request = ChatRequest(messages=[{"role": "user", "content": "u"}], tools=tools or None)
    model = Model(template=HARMONY + "{{ range .Messages }}{{ end }}", parser=parser)
    return (
        prompt_of(model, request, version, family=family)
        .removeprefix("<|start|>")
        .rpartition("|")[0]
        .partition("|<")[0]
    )


def test_tools_of_gpt_oss_get_names_that_harmony_allows() -> None:
    names = (
        "get-it",
        "get.it",
        "get it",
        "get_it_2",
        "1a",
        "\u0663a",
        "\u00e9!",
        "?!",
        "python",
        "browser.open",
        "$x",
        None,
    )
    shown = "get_it|get_it_2|get_it_3|get_it_2_2|_1a|\u0663a|\u00e9|unnamed|python|browser.open|$x|"
    assert harmony(NEWEST, *names).startswith(shown + "|")
    assert "|python|browser_open|$x|unnamed_2" in harmony(Version(0, 12, 0), *names)
    assert harmony(Version(0, 11, 4), "get-it").startswith("get-it")
    assert harmony(NEWEST, "get-it", family="llama").startswith("get-it")
    assert harmony(NEWEST, "get-it", family="llama", parser="harmony").startswith("get_it")


def test_gpt_oss_has_no_level_max_since_0_21_3() -> None:
    request = ChatRequest(messages=[{"role": "user", "content": "u"}], think="max")
    model = Model(template=HARMONY + "{{ range .Messages }}{{ end }}")
    assert prompt_of(model, request, NEWEST, family="gptoss").endswith("high")
    assert prompt_of(model, request, NEWEST, family="llama").endswith("max")


def test_a_renderer_is_code_of_ollama() -> None:
    with pytest.raises(UsageError, match="this model has RENDERER qwen3-coder: Ollama renders its prompts in code"):
        prompt_of(Model(renderer="qwen3-coder"), "x")


JINJA = "{% for message in messages %}{{ message }}{% endfor %}"


@pytest.mark.parametrize(("version", "match"), [("0.30.0", "is Jinja"), ("0.29.0", "unknown function `message`")])
def test_a_chat_template_that_the_server_shows_is_jinja(tmp_path: Path, version: str, match: str) -> None:
    store = MemoryStore(registry={ModelName.parse("x:1"): Model(template=JINJA)}, ollama=version)
    store.pull(ModelName.parse("x:1"), ignore)

    def open_memory(_: ServerAddress) -> AbstractContextManager[Store]:
        return nullcontext(store)

    (tmp_path / "Modelfile").write_text("FROM x:1\n")
    (tmp_path / "own.Modelfile").write_text("FROM x:1\nTEMPLATE {% {{ .Prompt }}\n")
    for name in ("x:1", "Modelfile"):
        ran = mf("show", "--prompt", "Why?", name, cwd=tmp_path, open_store=open_memory)
        assert ran.out == ""
        assert match in ran.err
    ran = mf("show", "--prompt", "Why?", "own.Modelfile", cwd=tmp_path, open_store=open_memory)
    assert ran.out == "{% Why?"


@pytest.mark.parametrize(
    ("version", "instruction", "renderer"),
    [("0.19.0", "", ""), ("0.20.0", "", "gemma4"), ("0.33.0", "RENDERER qwen3-coder\n", "qwen3-coder")],
)
def test_some_architectures_have_a_renderer(tmp_path: Path, version: str, instruction: str, renderer: str) -> None:
    (tmp_path / "m.gguf").write_bytes(bare_gguf("m", architecture="gemma4"))
    (tmp_path / "Modelfile").write_text(f"FROM ./m.gguf\nTEMPLATE {{{{ .Prompt }}}}\n{instruction}")
    (tmp_path / "mf.toml").write_text(f'ollama = "{version}"\n')
    ran = mf("show", "--prompt", "Why?", "Modelfile", cwd=tmp_path)
    assert (ran.code, ran.out) == ((2, "") if renderer else (0, "Why?"))
    assert f"this model has RENDERER {renderer}:" in ran.err if renderer else ran.err == ""


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


def test_a_warning_says_that_the_base_cannot_be_read_only_if_there_is_a_prompt(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM x:1\nTEMPLATE {{ .System }}{{ .Prompt }}!\n")
    ran = mf("show", "--prompt", "Why?", "Modelfile", "--host", "127.0.0.1:1", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "Why?!")
    assert ran.err.startswith("warning: the base may change this prompt by its SYSTEM, MESSAGE or RENDERER: no Ollama")
    assert ran.err.count("\n") == 1
    (tmp_path / "Modelfile").write_text("FROM x:1\nTEMPLATE {{ .System.X }}\n")
    ran = mf("show", "--prompt", "Why?", "Modelfile", "--host", "127.0.0.1:1", cwd=tmp_path)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("error: Modelfile:2:13: can't evaluate")


def test_errors_count_the_messages_of_the_request_alone(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM ./m.gguf\nTEMPLATE {{ .Prompt }}\nSYSTEM s\nMESSAGE user a\n")
    (tmp_path / "m.json").write_text('[{"role": "user", "content": 1}]')
    ran = mf("show", "--messages", "m.json", "Modelfile", cwd=tmp_path)
    assert ran.err == "error: `m.json`: invalid messages[0].content: a string is needed, not a number\n"


@pytest.mark.parametrize(("architecture", "expected"), [("qwen3", "b"), ("llama", "<think>a</think>b")])
def test_the_header_of_local_weights_says_whether_thoughts_are_removed(
    tmp_path: Path, architecture: str, expected: str
) -> None:
    (tmp_path / "none.gguf").write_bytes(b"")
    (tmp_path / "m.gguf").write_bytes(bare_gguf("m", architecture=architecture))
    (tmp_path / "Modelfile").write_text(
        "FROM ./none.gguf\nFROM ./m.gguf\nTEMPLATE {{ range .Messages }}[{{ .Content }}]{{ end }}\n"
    )
    messages = [{"role": "assistant", "content": "<think>a</think>b"}, {"role": "user", "content": "u"}]
    ran = mf("show", "--messages", "-", "Modelfile", cwd=tmp_path, stdin=json.dumps(messages).encode())
    assert (ran.out, ran.err) == (f"[{expected}][u]", "")


def test_messages_are_read_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM x:1\nTEMPLATE {{ .Prompt }}!\n")
    messages = b'[{"role": "user", "content": "Why?"}]'
    assert mf("show", "--messages", "-", "Modelfile", cwd=tmp_path, stdin=messages).out == "Why?!"
    ran = mf("show", "--messages", "-", "Modelfile", cwd=tmp_path, stdin=b"[")
    assert (ran.code, ran.err.split(": E")[0]) == (3, "error: invalid JSON in `-`")
