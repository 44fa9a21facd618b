"""Comments, dates and contexts that do not fit what the file does."""

import pytest

from modelfile import lint


def found(code: str, text: str) -> list[str]:
    return [one.message for one in lint(f"{text}\n") if one.code == code]


@pytest.mark.parametrize(
    ("comment", "parameter", "said"),
    [
        ("32k context", "num_ctx 2048", "32k tokens"),
        ("raise the context window to 16384 tokens", "num_ctx 1024", "16384 tokens"),
        ("keep answers short, 256 tokens", "num_predict 4096", "256 tokens"),
        ("temperature 0.2 for precise answers", "temperature 0.9", "temperature 0.2"),
        ("run on CPU only", "num_gpu 99", "the CPU only"),
        ("put all layers on the GPU", "num_gpu 0", "the GPU"),
    ],
)
def test_comment_above_a_parameter_says_another_number(comment: str, parameter: str, said: str) -> None:
    message = f"`{parameter}`, but the comment in line 2 speaks of {said}"
    assert found("MF522", f"FROM x:y\n# {comment}\nPARAMETER {parameter}") == [message]
    assert found("MF522", f"FROM x:y\nPARAMETER {parameter}\n# {comment}\nPARAMETER seed 1") == []


@pytest.mark.parametrize(
    ("comment", "parameter"),
    [
        ("32k context", "num_ctx 32768"),
        ("32k context", "num_ctx 32000"),
        ("PARAMETER num_ctx 8192", "num_ctx 4096"),
        ("the model supports 128k context", "num_ctx 8192"),
        ("context: 8k needs 12 GB, 16k needs 20 GB", "num_ctx 4096"),
        ("fits the context in 24 GB", "num_ctx 4096"),
        ("default is 2048 tokens", "num_ctx 4096"),
        ("raised from 2048 to 4096 tokens", "num_ctx 4096"),
        ("temperature 0.2 gave dull answers when we tried it", "temperature 0.9"),
        ("see issue 1234 on tokens", "num_predict 512"),
        ("answers of 3 sentences", "num_predict 512"),
        ("no CPU only", "num_gpu 0"),
    ],
)
def test_comment_that_may_be_right_is_not_reported(comment: str, parameter: str) -> None:
    assert found("MF522", f"FROM x:y\n# {comment}\nPARAMETER {parameter}") == []


def test_comment_names_another_base() -> None:
    message = "`FROM mistral:7b`, but the comment in line 1 says `Built on Llama 3`"
    assert found("MF522", "# Built on Llama 3.1 8B\nFROM mistral:7b") == [message]
    assert found("MF522", "# Built on Llama 3.1 8B\nFROM llama3.1:8b") == []
    assert found("MF522", "# Replaces the bot built on Llama and Mistral\nFROM qwen3:8b") == []
    assert found("MF522", "# Better than Llama\nFROM mistral:7b") == []
    assert found("MF522", "# Based on Mistral's prompt format\nFROM llama3.1:8b") == []
    assert found("MF522", "# Temperature based on the Qwen model card\nFROM llama3.1:8b") == []
    assert found("MF522", "# Built on our own weights\nFROM mistral:7b") == []


@pytest.mark.parametrize(
    ("base", "number", "reported"),
    [
        ("./gemma-2-9b-it-abliterated.Q4_K_M.gguf", 32768, 1),
        ("./mythomax-l2-13b.Q4_K_M.gguf", 16384, 1),
        ("hf.co/anna/Llama-3-8B-Lexi-Uncensored-GGUF:Q4_K_M", 32768, 1),
        ("./phi-2.Q4_K_M.gguf", 8192, 1),
        ("./gemma-2-9b-it-abliterated.Q4_K_M.gguf", 8192, 0),
        ("./Llama-3-8B-Instruct-262k.Q4_K_M.gguf", 131072, 0),
        ("./Llama-3.1-8B-Lexi.Q4_K_M.gguf", 131072, 0),
        ("./llama-2-7b-longchat.Q4_K_M.gguf", 16384, 0),
        ("./my-bot.gguf", 131072, 0),
    ],
)
def test_context_of_a_fine_tune_is_that_of_its_origin(base: str, number: int, reported: int) -> None:
    notes = [one for one in lint(f"FROM {base}\nPARAMETER num_ctx {number}\n") if one.code == "MF317"]
    assert [str(one.severity) for one in notes] == ["info"] * reported


@pytest.mark.parametrize(
    ("system", "marked"),
    [
        ("You help. Today is March 3, 2024.", ["Today is March 3, 2024"]),
        ("Current date: 2025-01-31", ["Current date: 2025"]),
        ("Heute ist Montag, der 3. M\u00e4rz 2025.", []),
        ("Heute ist der 3 M\u00e4rz 2025.", ["Heute ist der 3 M\u00e4rz 2025"]),
        ("Today is a good day.", []),
        ("The company was founded in 1999.", []),
        ('Users may ask "Today is 2024-01-01, right?"', []),
        ("Today is {{ date }} 2024", []),
        ("Your knowledge ends in 2023; the current date is in each question.", []),
    ],
)
def test_date_in_system_is_reported(system: str, marked: list[str]) -> None:
    text = f"FROM x:y\nSYSTEM {system}\n"
    assert [text[one.span.start : one.span.end] for one in lint(text) if one.code == "MF525"] == marked


@pytest.mark.parametrize(
    ("system", "code", "marked"),
    [
        ("Greet {customer_name} by name.", "MF513", ["{customer_name}"]),
        ("You sort mail. TODO: paste the template here", "MF511", ["TODO: paste the template here"]),
        ("Write mail templates; keep the placeholder {customer_name}.", "MF513", []),
        ("You write code. TODO: add comments are for later.", "MF511", []),
    ],
)
def test_what_was_left_to_do_is_reported(system: str, code: str, marked: list[str]) -> None:
    text = f"FROM x:y\nSYSTEM {system}\n"
    assert [text[one.span.start : one.span.end] for one in lint(text) if one.code == code] == marked


@pytest.mark.parametrize(
    ("system", "marked"),
    [
        ("You answer questions on bills &amp; refunds.", ["&amp;"]),
        ("You work in M&uuml;nchen &amp; Wien.", ["&uuml;"]),
        ("You are&nbsp;kind.", ["&nbsp;"]),
        ("You write HTML: &amp; is an ampersand.", []),
        ("You know R&D; be kind.", []),
        ("Write `&amp;` for an ampersand.", []),
    ],
)
def test_entity_of_html_is_reported(system: str, marked: list[str]) -> None:
    text = f"FROM x:y\nSYSTEM {system}\n"
    assert [text[one.span.start : one.span.end] for one in lint(text) if one.code == "MF526"] == marked
