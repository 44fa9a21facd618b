"""Findings that come from the header of a GGUF file beside the Modelfile."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.tiny_gguf import typed_gguf

CHAT = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>{% endfor %}"
MIT = "MIT License\n\nCopyright (c) 2024 Anna Berg\n\nPermission is hereby granted, free of charge, to any person"
SYSTEM = "SYSTEM You answer questions on billing."
RULES = "no-chat-template,chat-template-code,context-beyond-training,prompt-for-embedding,license-mismatch"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_model(path: str = "m.gguf", metadata: Mapping[str, str | int] | None = None, chat: str = CHAT) -> None:
    """Write a model of two tensors; a key that begins with a dot is one of the architecture."""
    given = {"general.architecture": "llama", ".context_length": 4096, **(metadata or {})}
    architecture = given["general.architecture"]
    named = {f"{architecture}{key}" if key.startswith(".") else key: value for key, value in given.items()}
    if chat:
        named["tokenizer.chat_template"] = chat
    Path(path).write_bytes(
        typed_gguf(named, {"token_embd.weight": (32, 64), "blk.0.attn_q.weight": (32, 32)}, size=9999)
    )


def found(text: str, *options: str, rules: str = RULES) -> list[str]:
    Path("Modelfile").write_text(f"# Answers questions.\n{text}\n")
    ran = mf("lint", "--format", "json", "--select", rules, *options)
    return [f"{one['severity']} {one['name']}: {one['message']}" for one in json.loads(ran.out)["findings"]]


@pytest.mark.parametrize(
    ("lines", "version", "effect"),
    [
        (SYSTEM, "0.9.3", "sends the prompt alone, without SYSTEM"),
        (SYSTEM, "0.32.0", "guesses how it marks turns"),
        ("MESSAGE user Hi", "0.32.0", "guesses how it marks turns"),
    ],
)
def test_missing_chat_template_is_reported(lines: str, version: str, effect: str) -> None:
    write_model(chat="")
    expected = f"warning no-chat-template: `./m.gguf` has no chat template, and there is no TEMPLATE: Ollama {effect}"
    assert found(f"FROM ./m.gguf\n{lines}", "--ollama", version) == [expected]


def test_name_of_a_model_for_chats_asks_for_a_chat_template() -> None:
    write_model(metadata={"general.name": "Llama 3.2 1B Instruct"}, chat="")
    assert len(found("FROM ./m.gguf")) == 1
    write_model(metadata={"general.name": "Literature 7B"}, chat="")
    assert found("FROM ./m.gguf") == []


@pytest.mark.parametrize(
    ("metadata", "lines", "version"),
    [
        ({}, 'SYSTEM x\nTEMPLATE "{{ .System }}{{ .Prompt }}"', "0.9.3"),
        ({}, "PARAMETER temperature 0", "0.9.3"),  # goes on with a text
        ({"general.architecture": "gemma4"}, SYSTEM, "0.32.0"),  # has a renderer
        ({"general.architecture": "gpt-oss"}, SYSTEM, "0.32.0"),
        ({}, f"{SYSTEM}\nRENDERER qwen3-coder\nPARSER qwen3-coder", "0.32.0"),
    ],
)
def test_weights_that_need_no_chat_template_are_not_reported(
    metadata: dict[str, str | int], lines: str, version: str
) -> None:
    write_model(metadata=metadata, chat="")
    assert found(f"FROM ./m.gguf\n{lines}", "--ollama", version) == []


def test_chat_template_that_is_not_recognized_is_reported_before_0_30() -> None:
    write_model(chat=CHAT * 30)
    message = (
        "Ollama 0.9.3 does not recognize the chat template of `./m.gguf`, and sends the prompt alone, without SYSTEM"
    )
    assert found(f"FROM ./m.gguf\n{SYSTEM}", "--ollama", "0.9.3") == [f"warning no-chat-template: {message}"]
    assert found(f"FROM ./m.gguf\n{SYSTEM}", "--ollama", "0.30.0") == []


def test_weights_beside_a_name_are_not_read() -> None:
    write_model(chat="{{ ''.__class__ }}")
    assert found(f"FROM ./m.gguf\nFROM llama3.2:3b\n{SYSTEM}") == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "an attribute of Python's own"),
        ("{% for c in [].__class__.__base__.__subclasses__() %}{% endfor %}", "an attribute of Python's own"),
        ("{{ ()['__class__'] }}", "an attribute of Python's own"),
        ("{{ ()['\\x5f\\x5fclass\\x5f\\x5f'] }}", "an attribute of Python's own"),
        ("{{ messages|attr('role') }}", "attributes by name"),
        ("{{ x | attr(y) }}", "attributes by name"),
        ("{{ cycler._fields }}", "an attribute of Jinja's own"),
        ("{{ self._TemplateReference }}", "an attribute of Jinja's own"),
        ("{{ os.popen('id').read() }}", "a module of Python"),
        ("{%- set x = subprocess.run(['id']) -%}", "a module of Python"),
        ("{{ open('/etc/passwd').read() }}", "a function of Python"),
        ("{% include '/etc/passwd' %}", "another file"),
        ("{%- import 'x' as y %}", "another file"),
        ("{% from 'x' import y %}", "another file"),
        ("{{ 'a}}' ~ eval('1') }}", "a function of Python"),
    ],
)
def test_code_in_a_chat_template_is_reported(code: str, what: str) -> None:
    write_model(chat=CHAT + code)
    (finding,) = found("FROM ./m.gguf")
    assert finding.startswith(f"warning chat-template-code: the chat template inside the weights reaches for {what}: `")


@pytest.mark.parametrize(
    "innocent",
    [
        "{{ 'import os; os.system(1); open(x); __init__ {{ }}' }}",
        "Write `import os` and os.path.join(open('x')) in __init__.py {{ messages }}",
        "{%- if 'import' in tools and message.content is string %}{{ strftime_now('%d %b') }}{% endif %}",
        "{{ messages | map(attribute='role') | selectattr('x') | list }}{{ raise_exception('from here') }}",
        "{% set ns = namespace(is_first=false) %}{{ loop.index0 }}{{ message.from }}{{ cycler('a').next() }}",
        "{%- for importer in tools %}{{ importer.open }}{{ self.content() }}{{ config.name }}{% endfor %}",
        "{# import 'x' #}{{ message['reasoning_content'].split('</think>')[-1].lstrip('\\n') }}",
        '{{ \'{"name": "f", "parameters": {"a": {"open": 1}}}\' }}{{ "it\'s" }}',
    ],
)
def test_usual_chat_templates_are_not_reported(innocent: str) -> None:
    write_model(chat=CHAT + innocent)
    assert found("FROM ./m.gguf") == []


def test_context_of_the_header_decides() -> None:
    write_model("gemma-2-9b.gguf", {".context_length": 32768})
    name = "FROM ./gemma-2-9b.gguf\nPARAMETER num_ctx"
    assert found(f"{name} 32768") == []
    message = "`num_ctx 40000` is more than the model of this file was trained on: Ollama uses 32768"
    assert found(f"{name} 40000") == [f"warning context-beyond-training: {message}"]


def test_pooling_in_the_header_decides() -> None:
    write_model("m.gguf", {"general.architecture": "bert", ".pooling_type": 1})
    effect = "has no effect: the model of this file (`bert`) only makes embeddings"
    assert found(f"FROM ./m.gguf\n{SYSTEM}\nPARAMETER temperature 0") == [
        f"warning prompt-for-embedding: {what} {effect}" for what in ("SYSTEM", "`temperature`")
    ]
    assert found("FROM ./m.gguf\nPARAMETER num_ctx 512") == []
    write_model("nomic-embed-text.gguf", {"general.architecture": "llama"})
    assert found(f"FROM ./nomic-embed-text.gguf\n{SYSTEM}") == []


def test_license_of_the_header_counts_beside_that_of_the_name() -> None:
    write_model("Qwen2.5-7B-Instruct-Q4_K_M.gguf", {"general.license": "apache-2.0"})
    message = "LICENSE names MIT, but the model of this file is under Apache-2.0"
    assert found("FROM ./Qwen2.5-7B-Instruct-Q4_K_M.gguf\nLICENSE MIT") == [f"warning license-mismatch: {message}"]
    write_model(
        "Qwen2.5-7B-Instruct-Q4_K_M.gguf", {"general.license": "mit"}
    )  # the name may tell a base, and the header the model
    assert found("FROM ./Qwen2.5-7B-Instruct-Q4_K_M.gguf\nLICENSE MIT") == []
    assert found("FROM ./Qwen2.5-7B-Instruct-Q4_K_M.gguf\nLICENSE Apache-2.0") == []


def test_hint_names_the_key_of_the_header() -> None:
    write_model(metadata={"general.license": "apache-2.0"})
    Path("Modelfile").write_text("FROM ./m.gguf\nLICENSE MIT\n")
    (finding,) = json.loads(mf("lint", "--format", "json", "--select", "license-mismatch").out)["findings"]
    assert finding["help"] == "write the license that `general.license` of the file names"


@pytest.mark.parametrize(
    ("license_of_file", "written", "expected"),
    [
        ("gemma", "MIT", "LICENSE names MIT, but the model of this file is under the Gemma Terms of Use"),
        ("llama3.2", "Apache-2.0", "LICENSE names Apache-2.0, but the model of this file is under the Llama 3.2"),
        ("cc-by-nc-4.0", "MIT", "LICENSE names MIT, but the model of this file is under CC-BY-NC-4.0"),
        ("apache-2.0", "MIT", "LICENSE names MIT, but the model of this file is under Apache-2.0"),
        ("apache-2.0", f'"""{MIT}"""', "LICENSE names MIT, but the model of this file is under Apache-2.0"),
        ("Apache-2.0", "CC-BY-4.0", "LICENSE names CC-BY-4.0, but the model of this file is under Apache-2.0"),
        ("mit", "Apache 2.0", "LICENSE names Apache-2.0, but the model of this file is under MIT"),
        (
            "bsd-2-clause",
            "BSD-3-Clause",
            "LICENSE names BSD-3-Clause, but the model of this file is under BSD-2-Clause",
        ),
        (
            "llama3.1",
            "Llama 3.2 Community License",
            "LICENSE is that of Llama 3.2, but the model of this file is under",
        ),
        ("apache-2.0", "Apache-2.0", None),
        ("apache-2.0", "Apache 2.0", None),
        ("apache-2.0", "apache-2.0", None),
        ("apache-2.0", "Apache License", None),
        ("apache-2.0", "See the LICENSE file.", None),
        ("apache-2.0", "MIT\nLICENSE Apache-2.0", None),
        ("apache-2.0", "MIT for the prompt.", None),
        ("apache-2.0", "This Modelfile is under the MIT license.", None),
        ("gemma", "gemma", None),
        ("gemma", "Gemma Terms of Use", None),
        ("llama3", "llama3", None),
        ("llama3.2", "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT", None),
        ("other", "MIT", None),
        ("gemma", "Our own terms.", None),
    ],
)
def test_license_of_the_header_is_compared(license_of_file: str, written: str, expected: str | None) -> None:
    write_model(metadata={"general.license": license_of_file})
    findings = found(f"FROM ./m.gguf\nLICENSE {written}")
    assert [expected is not None and one.startswith(f"warning license-mismatch: {expected}") for one in findings] == [
        True
    ] * (expected is not None)
