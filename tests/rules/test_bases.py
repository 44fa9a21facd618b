"""Bases that do not fit the rest of the file: untrained ones, and those of another family than RENDERER or a switch."""

import pytest

from modelfile import lint

CHAT = "SYSTEM You answer questions on billing."
CHATML = 'TEMPLATE """<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"""'


def found(code: str, text: str) -> list[tuple[int, str]]:
    """Return the lines and messages of the findings with a code."""
    return [(text.count("\n", 0, one.span.start) + 1, one.message) for one in lint(text) if one.code == code]


@pytest.mark.parametrize(
    "base",
    [
        "llama3.1:8b-text-q4_K_M",
        "gemma2:9b-text",
        "gemma3:4b-pt-q4_K_M",
        "mistral:7b-text",
        "codellama:7b-code",
        "codellama:13b-python",
        "codegemma:2b",
        "starcoder2:3b",
        "deepseek-coder:6.7b-base",
        "qwen2.5-coder:7b-base",
        "stable-beluga:13b-text",
        "./Llama-3.1-8B-base.Q4_K_M.gguf",
        "hf.co/QuantFactory/SmolLM2-1.7B-Base-GGUF:Q8_0",
        "./Meta-Llama-3-8B.Q4_K_M.gguf",
        "./mistral-7b-v0.1.Q5_K_M.gguf",
        "hf.co/TheBloke/Llama-2-7B-GGUF:Q4_K_M",
    ],
)
def test_untrained_base_of_an_assistant_is_reported(base: str) -> None:
    message = f"`{base}` was not trained on conversations: it does not follow SYSTEM in line 2"
    assert found("MF233", f"FROM {base}\n{CHAT}\n") == [(1, message)]
    assert found("MF233", f"FROM {base}\nPARAMETER seed 1\n") == []
    assert found("MF233", f"FROM {base}\n{CHAT}\nADAPTER ./chat-lora.gguf\n") == []
    assert found("MF233", f"FROM {base}\nTEMPLATE Q: {{{{ .Prompt }}}} A:\n{CHAT}\n") == []
    assert len(found("MF233", f"FROM {base}\n{CHATML}\n{CHAT}\n")) == 1


@pytest.mark.parametrize(
    "base",
    [
        "llama3.1:8b",
        "codellama:7b",
        "codellama:7b-instruct",
        "starcoder2:15b-instruct",
        "phi",
        "nomic-embed-text",
        "falcon:7b-instruct",
        "anna/bot:text",
        "./Qwen3-8B.Q4_K_M.gguf",
        "./base.gguf",
        "./customer-base-bot.gguf",
        "./llama3-korean-base.gguf",
        "./Llama-3.1-8B-base-sft.Q4_K_M.gguf",
        "./Meta-Llama-3-8B-Instruct.Q4_K_M.gguf",
        "./llama-3-8b-dolphin.Q4_K_M.gguf",
        "./bge-base-en.gguf",
    ],
)
def test_base_that_may_be_trained_is_not_reported(base: str) -> None:
    assert found("MF233", f"FROM {base}\n{CHAT}\n") == []


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "FROM qwen3:8b\nPARSER harmony",
            2,
            "PARSER `harmony` is for gpt-oss, but the base `qwen3` is of another family",
        ),
        (
            "FROM llama3.1:8b\nRENDERER qwen3-coder",
            2,
            "RENDERER `qwen3-coder` is for Qwen, but the base `llama3.1` is of another family",
        ),
        (
            "FROM ./Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf\nRENDERER qwen3-coder\nPARSER glm-4.7",
            3,
            "PARSER `glm-4.7` is for GLM, but the base `qwen3-coder` is of another family",
        ),
        (
            "FROM ./bot.gguf\nRENDERER qwen3-coder\nPARSER harmony",
            3,
            "PARSER `harmony` is for gpt-oss, but RENDERER in line 2 is for Qwen",
        ),
    ],
)
def test_renderer_or_parser_of_another_family_is_reported(text: str, line: int, message: str) -> None:
    assert found("MF234", f"{text}\n") == [(line, message)]


@pytest.mark.parametrize(
    "text",
    [
        "FROM qwen3-coder:30b\nRENDERER qwen3-coder\nPARSER qwen3-coder",
        "FROM qwen3.8:27b\nRENDERER qwen3.8\nPARSER qwen3.5",
        "FROM gpt-oss:20b\nPARSER harmony",
        "FROM llama3.1:8b\nPARSER passthrough",
        "FROM ./bot.gguf\nRENDERER gemma4-small\nPARSER gemma4",
        "FROM deepseek-r1:8b\nPARSER qwen3-thinking",
        "FROM hermes3:8b\nPARSER qwen3",
        "FROM ministral-3:8b\nPARSER ministral",
        "FROM ./bot.gguf\nRENDERER nemotron-3-nano\nPARSER qwen3-coder",
    ],
)
def test_renderer_that_may_fit_is_not_reported(text: str) -> None:
    assert found("MF234", f"{text}\n") == []


@pytest.mark.parametrize(
    ("base", "system", "reported"),
    [
        ("deepseek-r1:14b", "Answer briefly. /no_think", True),
        ("llama3.1:8b", "/nothink Answer briefly.", True),
        ("./Meta-Llama-3.1-8B-Instruct.Q4_K_M.gguf", "Answer briefly. /no_think", True),
        ("qwen3:8b", "Answer briefly. /no_think", False),
        ("smollm3:3b", "Answer briefly. /no_think", False),
        ("./my-qwen.gguf", "Answer briefly. /no_think", False),
        ("llama3.1:8b", "Explain the command `/no_think`.", False),
        ("llama3.1:8b", 'Users may write "/no_think".', False),
        ("llama3.1:8b", "See example.com/no_think/.", False),
        ("llama3.1:8b", "Answer with /no_thinking.", False),
    ],
)
def test_switch_of_qwen3_is_reported_where_the_base_does_not_know_it(base: str, system: str, *, reported: bool) -> None:
    assert bool(found("MF523", f"FROM {base}\nSYSTEM {system}\n")) is reported
