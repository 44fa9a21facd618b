"""Lines whose first characters show what was intended: other comment signs, spaces, dashes and quotes."""

from pathlib import Path

import pytest

from modelfile import lint

HEAD = "# For tests.\nFROM llama3.2:3b\nPARAMETER num_ctx 4096\n"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (f"{HEAD}// warm\n", "unknown instruction `//`: comments start with #", "write # instead"),
        (f"{HEAD}-- warm\n", "unknown instruction `--`: comments start with #", "write # instead"),
        (f"{HEAD}; warm\n", "unknown instruction `;`: comments start with #", "write # instead"),
        (
            f"{HEAD}PARAMETER\xa0temperature 0.3\n",
            "missing space after PARAMETER: U+00A0 NO-BREAK SPACE is none to Ollama",
            "write `PARAMETER …`",
        ),
        (
            f"{HEAD}SYSTEM: Be brief.\n",
            "missing space after SYSTEM: `:` does not belong there",
            "write `SYSTEM …`",
        ),
        (
            f"{HEAD}PARAMETER num_predict \u20131\n",
            "invalid value `\u20131`: `num_predict` must be a whole number",
            "write `-1`: `\u2013` is no minus sign to Ollama",
        ),
        (
            f"{HEAD}SYSTEM 'Be brief.\nBe kind.'\n",
            "the text of SYSTEM ended on its first line, because single quotes are none to Ollama",
            'put the text in triple quotes: SYSTEM """…"""',
        ),
        (
            f"{HEAD}SYSTEM Be brief.\\\n Be kind.\n",
            "the text of SYSTEM ended on the previous line: a backslash does not continue it",
            'if this line is part of it, put the whole text in quotes: SYSTEM """…"""',
        ),
        (
            f"{HEAD}SYSTEM '''Be brief.'''\n",
            "the single quotes are part of the text: `'Be…'`",
            "write double quotes instead, or none",
        ),
        (
            "# For tests.\nFROM gemma3:4b\nREQUIRES 0.5.1\nPARAMETER num_ctx 4096\n",
            "REQUIRES 0.5.1 is too low: Ollama runs `gemma3` since 0.6.0",
            "write `REQUIRES 0.6.0`",
        ),
    ],
)
def test_finding_names_what_is_there(text: str, message: str, hint: str) -> None:
    assert [(one.message, one.hint) for one in lint(text)] == [(message, hint)]


def test_adapter_is_not_fetched_from_a_repository(tmp_path: Path) -> None:
    (only,) = lint(f"{HEAD}ADAPTER hf.co/u/legal-lora\n", tmp_path / "Modelfile")
    assert only.message == "ADAPTER takes a local file, not a repository: `hf.co/u/legal-lora`"


@pytest.mark.parametrize("line", ["SYSTEM Be brief.\n-- Anna", "SYSTEM Be kind.\n; and brief"])
def test_sign_after_a_text_is_not_called_a_comment(line: str) -> None:
    assert all("comments start" not in one.message for one in lint(f"{HEAD}{line}\n"))
