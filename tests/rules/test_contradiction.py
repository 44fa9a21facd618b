"""Contradictions between SYSTEM and the parameters and examples below it."""

import pytest

from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

LONG = "word " * 130


def found(system: str, more: str) -> list[str]:
    modelfile = Modelfile.parse(Source(text=f"# For tests.\nFROM x:y\nSYSTEM {system}\n{more}\n"))
    return [one.message for one in lint(Context(modelfile=modelfile)) if one.name == "contradiction"]


def answer(text: str) -> str:
    return f"MESSAGE user x\nMESSAGE assistant {text}"


@pytest.mark.parametrize(
    ("system", "more", "message"),
    [
        (
            "Respond in JSON.",
            "PARAMETER stop }",
            "this stop cuts each answer at the first `}`, but SYSTEM asks for JSON",
        ),
        (
            "Answer in Markdown with headings.",
            "PARAMETER stop ###",
            "this stop cuts each answer at the first `###`, but SYSTEM asks for Markdown",
        ),
        (
            "Write the program in a Markdown code block, then explain it.",
            "PARAMETER stop ```",
            "this stop cuts each answer at the first ```, but SYSTEM asks for code blocks",
        ),
        (
            "Always answer as a bulleted list.",
            'PARAMETER stop "\n"',
            "this stop cuts each answer at the first newline, but SYSTEM asks for more than one line",
        ),
        (
            "Return a JSON object.",
            'PARAMETER stop "\n"',
            "this stop cuts each answer at the first newline, but SYSTEM asks for JSON",
        ),
        (
            "Be deterministic.",
            "PARAMETER temperature 1.2",
            "`temperature 1.2`, but SYSTEM asks for deterministic answers",
        ),
        (
            "The output has to be exact and repeatable.",
            "PARAMETER temperature 1.4",
            "`temperature 1.4`, but SYSTEM asks for deterministic answers",
        ),
        (
            "The same invoice must always give the same record.",
            "PARAMETER temperature 1",
            "`temperature 1`, but SYSTEM asks for deterministic answers",
        ),
        (
            "Return one JSON object.",
            "PARAMETER temperature 1.4",
            "`temperature 1.4`, but SYSTEM asks for JSON",
        ),
        (
            "You write Shakespearean sonnets: three quatrains and a couplet.",
            "PARAMETER num_predict 40",
            "`num_predict 40` cuts answers off, but SYSTEM asks for long texts",
        ),
        (
            "You turn a job advert into JSON.",
            "PARAMETER stop }",
            "this stop cuts each answer at the first `}`, but SYSTEM asks for JSON",
        ),
        ("Never make up facts.", "PARAMETER temperature 1.5", "`temperature 1.5`, but SYSTEM asks for facts only"),
        ("Be very creative.", "PARAMETER temperature 0", "`temperature 0`, but SYSTEM asks for creative answers"),
        (
            "Write at least 500 words.",
            "PARAMETER num_predict 200",
            "`num_predict 200` cuts answers off, but SYSTEM asks for at least 500 words",
        ),
        (
            "Write long, detailed answers.",
            "PARAMETER num_predict 64",
            "`num_predict 64` cuts answers off, but SYSTEM asks for long texts",
        ),
        (
            "Always use the tools.",
            "TEMPLATE {{ .System }}{{ .Prompt }}",
            "this TEMPLATE has no `.Tools`, but SYSTEM asks to use tools: requests with tools are rejected",
        ),
        (
            "Always answer in German.",
            answer("The bill is due on the first of the month."),
            "this answer is in English, but SYSTEM asks for German",
        ),
        (
            "Answer only yes or no.",
            answer("It depends on many factors."),
            "this answer has 5 words, but SYSTEM asks for yes or no only",
        ),
        (
            "Answer in one sentence.",
            answer("One. Two. Three."),
            "this answer has 3 sentences, but SYSTEM asks for at most 1 sentence",
        ),
        (
            "Answer in at most 5 words.",
            answer("It is due on the first of May."),
            "this answer has 8 words, but SYSTEM asks for at most 5 words",
        ),
        ("Keep your answers short.", answer(LONG), "this answer has 130 words, but SYSTEM asks for short answers"),
        (
            "Do not use emojis.",
            answer("Sure \U0001f600"),
            "this answer has the emoji \U0001f600, but SYSTEM asks for none",
        ),
        ("Never use Markdown.", answer("It is **due**."), "this answer has Markdown, but SYSTEM asks for none"),
    ],
)
def test_both_lines_are_named(system: str, more: str, message: str) -> None:
    assert found(system, more) == [message.replace("SYSTEM asks", "SYSTEM in line 3 asks")]


@pytest.mark.parametrize(
    ("system", "more"),
    [
        ("Return one JSON object per line.", 'PARAMETER stop "\n"'),
        ("Never return JSON.", "PARAMETER stop }"),
        ("Never use Markdown.", "PARAMETER stop ###"),
        ("You convert Markdown into HTML.", "PARAMETER stop ###"),
        ("Answer in Markdown.", 'PARAMETER stop "### User:"'),
        ("Answer with the code only, without a code block.", "PARAMETER stop ```"),
        ("Answer with a code block.", 'PARAMETER stop ```\nTEMPLATE """{{ .System }} {{ .Prompt }}\n```python\n"""'),
        ("Never answer with bullet points.", 'PARAMETER stop "\n"'),
        ("Be deterministic.", "PARAMETER temperature 0.2"),
        ("Be deterministic.", "PARAMETER temperature 0.8\nPARAMETER seed 7"),
        ("You explain deterministic automata.", "PARAMETER temperature 1"),
        ("Be very creative.", "PARAMETER temperature 0.9"),
        ("You have the freedom to be creative.", "PARAMETER temperature 0"),
        ("Styles go from 0 (dry) to 5 (maximum creativity).", "PARAMETER temperature 0"),
        ("Write at least 500 words.", "PARAMETER num_predict 2000"),
        ("Write at least 500 words.", "PARAMETER num_predict -1"),
        ("You write titles of blog posts.", "PARAMETER num_predict 40"),
        ("You write short stories.", "PARAMETER num_predict 100"),
        ("Return one JSON object.", "PARAMETER temperature 1"),
        ('Never write "SOURCES".', "PARAMETER stop SOURCES"),
        ('The lines of the user begin with "Traveller:", yours with "Sphinx:".', "PARAMETER stop Traveller:"),
        ('If there are some, write "SOURCES" below.', "PARAMETER stop SOURCES"),
        ("You convert JSON into prose.", "PARAMETER stop }"),
        ("Write short answers.", "PARAMETER num_predict 64"),
        ("Always use the tools.", "TEMPLATE {{ .System }}{{ .Tools }}{{ .Prompt }}"),
        ("Always use the tools.", ""),
        ("Always answer in German.", answer("Die Rechnung ist am Ersten des Monats und nicht sp\xe4ter.")),
        ("Always answer in German.", answer("OK")),
        ("Translate into German. Answer in German.", answer("Das ist gut und nicht zu teuer.")),
        ("Answer only yes or no.", answer("Yes, it is.")),
        ("Answer in one sentence.", answer("It costs 3.50 euros. Yes.")),
        ("Start with a title in one sentence.", answer("One. Two. Three.")),
        ("Keep your answers short.", answer("It is due on the first.")),
    ],
)
def test_what_agrees_is_not_reported(system: str, more: str) -> None:
    assert found(system, more) == []


@pytest.mark.parametrize(
    ("system", "answer"),
    [
        (
            "Answer in at most one sentence.",
            "Emma is by J. Austen, i.e. Jane Austen, in 1815 (vol. 1-3, ed. J. Murray).",
        ),
        (
            "Answer in at most two sentences.",
            "Use version 3.11.2, e.g. from python.org. Dr. Smith and Prof. Jones use it.",
        ),
        (
            "Answer in at most 10 words.",
            "See https://example.com/a/b-c/d.html?x=1&y=2#z (the well-known, state-of-the-art page).",
        ),
    ],
)
def test_abbreviations_and_addresses_are_no_sentences_and_words(system: str, answer: str) -> None:
    text = f"# For tests.\nFROM x:y\nSYSTEM {system}\nMESSAGE user Hello\nMESSAGE assistant {answer}\n"
    modelfile = Modelfile.parse(Source(text=text))
    assert "contradiction" not in {one.name for one in lint(Context(modelfile=modelfile))}
