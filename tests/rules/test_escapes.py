r"""Escapes of other languages, which Ollama sends as they are: `\n`, `\\n`, `\"` and `\\"`."""

import pytest

from modelfile import lint

HEAD = "# For tests.\nFROM llama3.2:3b\nPARAMETER num_ctx 4096\n"


def messages(line: str) -> list[str]:
    return [one.message for one in lint(f"{HEAD}{line}\n") if one.name == "unescaped-sequence"]


@pytest.mark.parametrize(
    ("line", "written", "times"),
    [
        (r'PARAMETER stop "\\n\\n"', r"`\\n` is sent as three characters", 2),
        (r"PARAMETER stop \\nUser:", r"`\\n` is sent as three characters", 1),
        (r'PARAMETER stop "\n\n"', r"`\n` is sent as two characters", 2),
        (r'SYSTEM "Answer \\"yes\\" or \\"no\\"."', r'`\\"` is sent as three characters', 4),
        (r'SYSTEM "Answer \"yes\" or \"no\"."', r"`\"` is sent as two characters", 4),
        (r'SYSTEM """Answer \"yes\" or \"no\"."""', r"`\"` is sent as two characters", 4),
        (r"SYSTEM Answer \"yes\" or \"no\".", r"`\"` is sent as two characters", 4),
        ('SYSTEM """Be brief.\nAnswer \\"yes\\" or \\"no\\"."""', r"`\"` is sent as two characters", 4),
        (r'MESSAGE user "Is \\"no\\" an answer?"', r'`\\"` is sent as three characters', 2),
        (r'SYSTEM "You answer.\\n\\nBe brief."', r"`\\n` is sent as three characters", 2),
        (r'SYSTEM "You answer.\\nBe brief."', r"`\\n` is sent as three characters", 1),
        (r"SYSTEM You answer.\\n- Be brief.", r"`\\n` is sent as three characters", 1),
    ],
)
def test_escape_is_reported_as_written(line: str, written: str, times: int) -> None:
    more = f" ({times} times)" if times > 1 else ""
    assert messages(line) == [f"{written}{more}: Ollama knows no escapes"]


def test_doubled_escape_next_to_a_marker_of_a_template_is_reported() -> None:
    (message,) = messages(r'TEMPLATE "<|user|>\\n{{ .Prompt }}<|end|>\\n<|assistant|>\\n"')
    assert message == r"`\\n` is sent as three characters (3 times): Ollama knows no escapes"


@pytest.mark.parametrize(
    "line",
    [
        r"SYSTEM In LaTeX, end a line with \\newline or \\.",
        r'SYSTEM """Escape each " in JSON as \", and each backslash as \\."""',
        r'SYSTEM """Write a quote as `\"` in the shell."""',
        r'SYSTEM """Answer as in "{\"pattern\": \"^a\\n$\"}"."""',
        r"SYSTEM Write C:\\new and \\\\server\\name as they are.",
        r"PARAMETER stop \end{document}",
        'SYSTEM """def f():\n\\"\\"\\"\nPrints.\n\\"\\"\\"\nreturn"""',
        'SYSTEM """```\nprint(\\"a\\")\n```"""',
    ],
)
def test_text_about_escapes_is_none(line: str) -> None:
    assert messages(line) == []
