"""The rules on names that Ollama or its library do not know: models, sizes, renderers and parsers."""

from pathlib import Path

import pytest

from modelfile import lint as lint_file
from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

CODES = {"MF201", "MF217", "MF230", "MF231"}


def found(text: str) -> list[tuple[str, str | None]]:
    context = Context(modelfile=Modelfile.parse(Source(text=f"{text}\n")))
    return [(one.message, one.hint) for one in lint(context) if one.code in CODES]


@pytest.mark.parametrize(
    ("base", "right"),
    [
        ("lama3.1:8b", "llama3.1"),
        ("llama-3.2:3b", "llama3.2"),
        ("Llama3_1:8b", "llama3.1"),
        ("qwen2.5coder:7b", "qwen2.5-coder"),
        ("mistrall-nemo:12b", "mistral-nemo"),
        ("deepsek-r1", "deepseek-r1"),
        ("depeseek-r1", "deepseek-r1"),
        ("gemma-3:4b", "gemma3"),
        ("mistrel:7b", "mistral"),
        ("gtp-oss:20b", "gpt-oss"),
    ],
)
def test_misspelled_model_is_reported_once(base: str, right: str) -> None:
    message = f"unknown model `{base.split(':', maxsplit=1)[0]}` in Ollama's library"
    assert found(f"FROM {base}") == [(message, f"did you mean `{right}`?")]


@pytest.mark.parametrize(
    ("base", "right"),
    [
        ("mistral7b", "mistral:7b"),
        ("llama38b", "llama3:8b"),
        ("llama3-8b", "llama3:8b"),
        ("Llama3_8B:latest", "llama3:8b"),
        ("llama3.18b", "llama3.1:8b"),
        ("llama3-1-8b", "llama3.1:8b"),
        ("llama-3.2-3b-instruct", "llama3.2:3b-instruct"),
        ("gemma22b", "gemma2:2b"),
        ("mixtral-8x7b", "mixtral:8x7b"),
        ("deepseekr17b", "deepseek-r1:7b"),
        ("mistral-7b:q4_0", "mistral:7b"),
    ],
)
def test_model_and_size_in_one_word_are_reported_once(base: str, right: str) -> None:
    message = f"unknown model `{base.split(':', maxsplit=1)[0]}` in Ollama's library"
    assert found(f"FROM {base}") == [(message, f"did you mean `{right}`?")]


@pytest.mark.parametrize("base", ["llama3-8b", "llama3-8b:latest", "mistral-7b:q4_0"])
def test_model_that_is_built_in_the_project_is_not_reported(base: str, tmp_path: Path) -> None:
    name = base.partition(":")[0]
    for near in (f"bot/{name}.Modelfile", f"{name}/Modelfile"):
        (tmp_path / near).parent.mkdir(exist_ok=True)
        (tmp_path / near).write_text("FROM llama3.2:3b\n")
        bot = tmp_path / "bot" / "Modelfile"
        bot.parent.mkdir(exist_ok=True)
        bot.write_text(f"FROM {base}\n")
        assert "MF231" not in {one.code for one in lint_file(bot.read_text(), bot)}
        (tmp_path / near).unlink()


@pytest.mark.parametrize(
    "base", ["llama3-8b:v1", "my-llama3-8b", "gemma4-12b-it-qat", "mistral9b", "llama3-8b-billing", "turkcell_llm_7b"]
)
def test_name_with_a_size_that_is_the_author_s_own_is_not_reported(base: str) -> None:
    assert [message for message, _ in found(f"FROM {base}") if "unknown" in message] == []


def test_size_in_the_name_becomes_the_start_of_the_tag() -> None:
    context = Context(modelfile=Modelfile.parse(Source(text="FROM mistral-7b:q4_0\n")))
    fixes = [one.fix.edits[0].text for one in lint(context) if one.code == "MF231" and one.fix]
    assert fixes == ["mistral:7b-q4_0"]


@pytest.mark.parametrize(
    "base",
    [
        *("llama3.2:3b", "GPT-OSS:20b", "starcoder:7b", "mixtral:8x7b", "codellama:7b-code", "sqlcoder:7b"),
        *("gemma4n:e4b", "qwen2.7:7b", "mllama3.2:3b", "llama3.2s:3b", "my-llama3.2:3b", "billing-bot:v1"),
        *("anna/lama3.1:8b", "hf.co/a/lama3.1:Q4_K_M", "registry.example.com/a/lama3.1:8b", "./lama3.1", "llama:7b"),
    ],
)
def test_other_models_are_not_reported(base: str) -> None:
    assert found(f"FROM {base}") == []


@pytest.mark.parametrize(
    ("base", "size", "sizes"),
    [
        ("llama3.2:8b", "8b", "`1b`, `3b`"),
        ("llama3:2b-instruct-q4_K_M", "2b", "`8b`, `70b`"),
        ("Mistral:13B", "13b", "`7b`"),
        ("phi4:3.8b", "3.8b", "`14b`"),
        ("mixtral:8x70b", "8x70b", "`8x7b`, `8x22b`"),
        ("qwen3:7b-q8_0", "7b", "`0.6b`, `1.7b`, `4b`, `8b`, `14b`, `30b`, `32b`, `235b`"),
    ],
)
def test_size_that_the_library_does_not_have_is_reported(base: str, size: str, sizes: str) -> None:
    model, tag = base.split(":")
    message = f"unknown tag `{tag}`: `{model}` has no size `{size}` in Ollama's library"
    assert found(f"FROM {base}") == [(message, f"its sizes are {sizes}")]


@pytest.mark.parametrize(
    "base",
    [
        *("llama3.2:3b", "llama3.2:3b-instruct-q5_K_M", "mixtral:7b", "gemma3n:4b", "granite4:7b-a1b-h"),
        *("wizardcoder:13b-python", "phi3:mini", "llama4:17b-scout-16e-instruct-q4_K_M", "anna/llama3.2:8b", "bot:8b"),
        *("nomic-embed-text:1b", "all-minilm:l6-v2", "athene-v2:72b"),
    ],
)
def test_other_tags_are_not_reported(base: str) -> None:
    assert found(f"FROM {base}") == []


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("RENDERER qwen3-codr", "unknown renderer `qwen3-codr`: each chat fails", "did you mean `qwen3-coder`?"),
        (
            "RENDERER Qwen3-VL-Thinking",
            "unknown renderer `Qwen3-VL-Thinking`: each chat fails",
            "did you mean `qwen3-vl-thinking`?",
        ),
        (
            "RENDERER olmo",
            "unknown renderer `olmo`: each chat fails",
            "did you mean one of `olmo3`, `olmo3-32b-think`, `olmo3-think`, `olmo3.1`?",
        ),
        ("PARSER qwen-3-coder", "unknown parser `qwen-3-coder`: Ollama skips it", "did you mean `qwen3-coder`?"),
        (
            "PARSER json",
            "unknown parser `json`: Ollama skips it",
            "delete the line: the base brings its own parser if it has one",
        ),
        (
            "RENDERER harmony",
            "unknown renderer `harmony`: each chat fails",
            "delete the line: the base brings its own renderer if it has one",
        ),
    ],
)
def test_unknown_renderer_is_reported(line: str, message: str, hint: str) -> None:
    assert found(f"FROM ./weights.gguf\n{line}") == [(message, hint)]


@pytest.mark.parametrize(
    "line", ["RENDERER qwen3-coder", "PARSER harmony", "PARSER passthrough", "RENDERER gemma4-large"]
)
def test_known_renderer_is_not_reported(line: str) -> None:
    assert found(f"FROM ./weights.gguf\n{line}") == []


def test_renderer_of_a_version_that_has_none_is_an_unknown_instruction_only() -> None:
    text = "FROM ./weights.gguf\nRENDERER qwen3-codr\n"
    context = Context(modelfile=Modelfile.parse(Source(text=text)), ollama=catalog(Version.parse("0.9.3")))
    assert [one.name for one in lint(context) if one.code.startswith("MF1") or one.code in CODES] == [
        "unknown-instruction"
    ]


def test_renderers_of_the_library_are_known() -> None:
    from modelfile.catalog.families import family_of, library_models
    from modelfile.catalog.renderers import PARSERS, RENDERERS
    from modelfile.names import ModelName

    families = [family_of(ModelName.parse(name)) for name in library_models()]
    assert {one.renderer for one in families if one and one.renderer} <= RENDERERS.keys()
    assert {one.parser for one in families if one and one.parser} <= PARSERS.keys()


@pytest.mark.parametrize(
    ("base", "what"),
    [
        ("python:3.11-slim", "an image of Docker"),
        ("ollama/ollama", "an image of Docker"),
        ("nvidia/cuda:12.4.0-base", "an image of Docker"),
        ("gpt-4o", "a model of another company's API"),
        ("gpt-3.5-turbo", "a model of another company's API"),
        ("claude-3-opus:latest", "a model of another company's API"),
    ],
)
def test_names_of_other_catalogs_are_reported_once(base: str, what: str) -> None:
    message = f"`{base}` is the name of {what}: Ollama's library has no such model"
    assert found(f"FROM {base}") == [(message, "write a model of the library, such as `llama3.2:3b`")]


@pytest.mark.parametrize("base", ["gpt-oss:20b", "anna/python:3b", "hf.co/ollama/ollama:Q8_0", "pythonista:7b"])
def test_other_names_may_be_models(base: str) -> None:
    assert found(f"FROM {base}") == []


@pytest.mark.parametrize(
    ("tag", "right"),
    [
        ("8b-instruct-q4_k_n", "8b-instruct-q4_K_M"),
        ("8b-instruct-q4-K-M", "8b-instruct-q4_K_M"),
        ("8b-instruct-q4_K_", "8b-instruct-q4_K_M"),
        ("8b-q80", "8b-q8_0"),
        ("8b-instruct-q4_K_M", None),
        ("8b-instruct-Q4_K_M", None),
        ("8b-text-q2_K", None),
        ("8b-instruct-fp16", None),
    ],
)
def test_quantization_in_a_tag_of_the_library_is_checked(tag: str, right: str | None) -> None:
    expected = [(f"unknown tag `{tag}`", f"did you mean `{right}`?")] if right else []
    assert found(f"FROM llama3.1:{tag}") == expected
    assert found(f"FROM my-bot:{tag}") == []


@pytest.mark.parametrize(
    ("base", "weights"),
    [
        ("hf.co/TheBloke/CodeLlama-13B-Instruct-GPTQ", "GPTQ"),
        ("TheBloke/Mistral-7B-Instruct-v0.2-AWQ", "AWQ"),
        ("hf.co/mlx-community/Qwen2.5-7B-Instruct-4bit", "MLX"),
        ("hf.co/turboderp/Llama-3.1-8B-Instruct-exl2:4.0bpw", "EXL2"),
        ("hf.co/unsloth/Llama-3.2-3B-Instruct-bnb-4bit", "BNB-4BIT"),
    ],
)
def test_repository_of_another_format_is_reported_once(base: str, weights: str) -> None:
    codes = {"MF201", "MF212", "MF214", "MF217"}
    messages = [one.message for one in lint_file(f"FROM {base}\n") if one.code in codes]
    assert messages == [f"`{base}` has weights in {weights}, which Ollama cannot load"]


@pytest.mark.parametrize("base", ["hf.co/anna/awqua-GGUF:Q8_0", "hf.co/anna/Bot-GPTQ-GGUF:Q8_0", "anna/bot-awq"])
def test_repository_of_gguf_files_is_none_of_another_format(base: str) -> None:
    assert [one.code for one in lint_file(f"FROM {base}:Q8_0\n") if one.code == "MF214"] == []
