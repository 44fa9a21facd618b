"""Pairs of sentences that ask for opposite forms of answers."""

import pytest

from modelfile.linter.engine import lint
from modelfile.linter.opposites import find_conflicts
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile


@pytest.mark.parametrize(
    ("prompt", "asked", "opposite"),
    [
        ("One paragraph, no lists. List each dish as a bullet point.", "a list", "no lists"),
        ("Give each dish as a bullet point. Never use lists.", "no lists", "a list"),
        ("Avoid bullet points. Always put the steps into a numbered list.", "a list", "no lists"),
        ("Do not use emojis. End each answer with an emoji.", "emoji", "no emoji"),
        ("Plain text only. Use Markdown.", "Markdown", "no Markdown"),
        ("Answer in one sentence. Write at least 200 words.", "long answers", "one sentence"),
        (
            "Always answer in French, whatever they write. Always answer in the guest's own language.",
            "the language of the user",
            "one language for all answers",
        ),
        (
            "Reply in the same language as the user. Only reply in German.",
            "one language for all answers",
            "the language of the user",
        ),
    ],
)
def test_two_sentences_conflict(prompt: str, asked: str, opposite: str) -> None:
    (found,) = find_conflicts(prompt)
    assert (found.asked, found.opposite) == (asked, opposite)


@pytest.mark.parametrize(
    "prompt",
    [
        "No lists. If asked for steps, use a numbered list.",
        "Avoid long bullet lists. Use bullet points.",
        "Use bullet points.",
        "No lists in greetings unless asked. Give dishes as bullet points.",
        "Always answer in French. If the guest writes German, answer in the guest's language.",
        "Always answer in French, unless asked. Answer in the guest's language.",
        "Answer in the language of the user.",
        "Write `no lists`. Give dishes as bullet points.",
        "Never use emojis in code comments. End answers with an emoji.",
        "You tell when to use bullet points. Write no lists.",
        "Answer in one sentence, then explain it. When asked, write at least 200 words.",
    ],
)
def test_sentences_with_a_condition_do_not(prompt: str) -> None:
    assert list(find_conflicts(prompt)) == []


def test_the_later_sentence_is_reported_and_names_the_earlier_one() -> None:
    source = Source(
        text='# For tests.\nFROM x:y\nSYSTEM """Be kind.\n- No lists.\n- Give dishes as bullet points.\n"""\n'
    )
    found = [one for one in lint(Context(modelfile=Modelfile.parse(source))) if one.name == "conflicting-demands"]
    assert [one.message for one in found] == ["SYSTEM asks for a list here, but for no lists in line 4"]
    assert [source.line_of(one.span.start) for one in found] == [5]
