"""Parameters and examples that do not fit the task that SYSTEM sets."""

import pytest

from modelfile import lint

SKELETON = '{"number": "...", "supplier": {"name": "...", "city": "..."}, "net": 0.0, "gross": 0.0}'


def found(text: str) -> list[tuple[str, str, str]]:
    codes = {"MF330", "MF507", "MF524"}
    return [(one.code, str(one.severity), one.message) for one in lint(f"FROM x:y\n{text}\n") if one.code in codes]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"PARAMETER num_predict 20\nSYSTEM Answer only in JSON: {SKELETON}",
            "`num_predict 20` cuts answers off, but SYSTEM in line 3 asks for JSON of at least 29 tokens",
        ),
        (
            "PARAMETER num_predict 64\nSYSTEM You are a storyteller. You write fairy tales for children.",
            "`num_predict 64` cuts answers off, but SYSTEM in line 3 asks for long texts",
        ),
        (
            "PARAMETER temperature 1.5\nSYSTEM You translate questions into SQL.",
            "`temperature 1.5`, but SYSTEM in line 3 asks for SQL",
        ),
        (
            "PARAMETER temperature 1.3\nSYSTEM Extract name, date and amount as JSON.",
            "`temperature 1.3`, but SYSTEM in line 3 asks for JSON",
        ),
        (
            "PARAMETER top_k 1\nSYSTEM Give different answers each time. Be creative.",
            "`top_k 1`, but SYSTEM in line 3 asks for creative answers",
        ),
        (
            "PARAMETER num_ctx 512\nSYSTEM Use the tools to find the contract.",
            "`num_ctx 512` hardly holds the descriptions of tools that line 3 speaks of",
        ),
        (
            'PARAMETER stop "```"\nSYSTEM Put the code in a ``` fence.',
            "this stop cuts each answer at the first ```, but SYSTEM in line 3 asks for code blocks",
        ),
        (
            "PARAMETER stop ###\nSYSTEM Use the headings ### Ingredients and ### Steps.",
            "this stop cuts each answer at the first `###`, but SYSTEM in line 3 asks for headings",
        ),
        (
            "PARAMETER stop |\nSYSTEM Answer with a table of the options.",
            "this stop cuts each answer at the first `|`, but SYSTEM in line 3 asks for tables",
        ),
        (
            "SYSTEM Reply only with a JSON object, never with prose.\nMESSAGE user a\nMESSAGE assistant Sorry!",
            "this answer is not JSON, but SYSTEM in line 2 asks for JSON only",
        ),
        (
            "SYSTEM Answer with exactly one word: good or bad.\nMESSAGE user a\nMESSAGE assistant Great",
            "this answer is `Great`, but SYSTEM in line 2 allows only `good`, `bad`",
        ),
        (
            "SYSTEM You are Anna.\nMESSAGE user Hi\nMESSAGE assistant I'm Lisa, how can I help?",
            "the assistant calls itself Lisa here, but SYSTEM in line 2 calls it Anna",
        ),
        (
            'SYSTEM Answer only in YAML.\nMESSAGE user a\nMESSAGE assistant {"a": 1}',
            "this answer is JSON, but SYSTEM in line 2 asks for YAML only",
        ),
    ],
)
def test_what_does_not_fit_the_task_is_reported(text: str, message: str) -> None:
    assert [(severity, words) for _, severity, words in found(text)] == [("warning", message)]


def test_creative_role_at_temperature_0_is_a_note() -> None:
    message = "`temperature 0`, but SYSTEM in line 3 asks for creative answers"
    assert found("PARAMETER temperature 0\nSYSTEM You are a poet.") == [("MF507", "info", message)]


@pytest.mark.parametrize(
    "text",
    [
        f"PARAMETER num_predict 200\nSYSTEM Answer only in JSON: {SKELETON}",
        "PARAMETER num_predict 64\nSYSTEM You are a storyteller. Answer in two sentences.",
        "PARAMETER num_predict 64\nSYSTEM You are a storyteller. Keep your answers short.",
        "PARAMETER temperature 0.7\nSYSTEM You translate questions into SQL.",
        "PARAMETER temperature 1.5\nSYSTEM You are a poet.",
        "PARAMETER top_k 1\nSYSTEM You sort mail.",
        "PARAMETER num_ctx 2048\nSYSTEM Use the tools to find the contract.",
        "PARAMETER stop ###\nSYSTEM ### Rules\\n Be kind.",
        "PARAMETER stop ###\nSYSTEM Be kind in all sections.",
        "PARAMETER stop |\nSYSTEM Never answer with tables.",
        "SYSTEM Answer with one word: good or bad.\nMESSAGE user a\nMESSAGE assistant Good.",
        "SYSTEM Answer with one of these words: a or b.\nMESSAGE user a\nMESSAGE assistant I do not know that film.",
        "SYSTEM You are Anna, daughter of Lisa.\nMESSAGE user Hi\nMESSAGE assistant I'm Lisa.",
        "SYSTEM You are Anna.\nMESSAGE user Hi\nMESSAGE assistant I'm Anna, hello!",
        'SYSTEM If asked, answer only in YAML.\nMESSAGE user a\nMESSAGE assistant {"a": 1}',
    ],
)
def test_what_fits_the_task_is_not_reported(text: str) -> None:
    assert found(text) == []
