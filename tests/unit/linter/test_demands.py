"""Demands of system prompts, and sentences that are none."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelfile.linter import demands
from modelfile.linter.demands import Limit


@pytest.mark.parametrize(
    ("prompt", "limit"),
    [
        ("Answer in at most 20 words.", Limit(20, "word")),
        ("Keep it under 100 words.", Limit(100, "word")),
        ("Answer in one sentence.", Limit(1, "sentence")),
        ("Respond with a single word.", Limit(1, "word")),
        ("Use no more than two sentences.", Limit(2, "sentence")),
        ("Start with a summary in one sentence.", None),
        ("Explain each step in one sentence.", None),
        ("If asked, answer in one word.", None),
        ("Words have at most 20 letters.", None),
    ],
)
def test_limit_of_answers(prompt: str, limit: Limit | None) -> None:
    assert demands.answer_limit(prompt) == limit


@pytest.mark.parametrize(
    ("prompt", "only"),
    [
        ("Respond only with JSON, never with prose.", True),
        ("Respond only with JSON and   no text.", True),
        ("Respond only with JSON, never in errors.", False),
    ],
)
def test_ban_of_prose_is_no_condition(prompt: str, *, only: bool) -> None:
    assert demands.demands_json(prompt, only=True) == only


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Write at least 1,000 words.", 1000),
        ("Write a 500-word essay.", 500),
        ("Write articles of about 800 words.", 800),
        ("Jeder Aufsatz hat mindestens 1500 W\u00f6rter.", 1500),
        ("\u00c9cris au moins 800 mots.", 800),
        ("Escribe al menos 900 palabras.", 900),
        ("Wenn gefragt, schreibe mindestens 500 W\u00f6rter.", None),
        ("Schreibe h\u00f6chstens 500 W\u00f6rter.", None),
        ("Write at most 500 words.", None),
        ("You know over 500 words of Latin if asked.", None),
    ],
)
def test_words_that_are_asked_for_at_least(prompt: str, words: int | None) -> None:
    assert demands.fewest_words(prompt) == words


@pytest.mark.parametrize(
    ("function", "yes", "no"),
    [
        ("demands_same_answers", "Be deterministic.", "You explain deterministic automata."),
        ("demands_same_answers", "Always give the same answer to a question.", "Never give the same answer twice."),
        ("demands_facts", "Never make up facts.", "You make up stories."),
        ("demands_variety", "Be wildly creative.", "You help creative people."),
        ("demands_long_answers", "Write long, detailed explanations.", "Never write long answers."),
        ("demands_long_answers", "Explain everything in great detail.", "Read the detailed report that is given."),
        ("demands_long_answers", "Write detailed explanations.", "Conduct a detailed analysis of the problem first."),
        ("demands_long_answers", "Give detailed answers.", "Rewrite prompts to describe each character in detail."),
        ("demands_long_answers", "Write stories about dragons.", "Write user stories about the shop."),
        ("demands_long_answers", "Give in-depth answers.", "Keep it simple: no stories or elaborate descriptions."),
        ("demands_yes_or_no", "Answer only yes or no.", "Ask whether yes or no is right."),
        ("demands_brief_answers", "Keep your answers short.", "Be brief unless asked for more."),
        ("demands_tools", "Always use the available tools.", "Never use tools."),
        ("demands_tools", "Call the weather function.", 'Use tools as in {"name": "x"}.'),
        ("forbids_emoji", "Do not use emojis.", "Use emojis."),
        ("forbids_markdown", "Never use Markdown.", "Use Markdown."),
    ],
)
def test_demand_is_distinguished_from_talk(function: str, yes: str, no: str) -> None:
    assert getattr(demands, function)(yes)
    assert not getattr(demands, function)(no)


def test_json_only_is_more_than_json() -> None:
    assert demands.demands_json("Return a JSON object.", only=False)
    assert not demands.demands_json("Return a JSON object.", only=True)
    assert demands.demands_json("Respond only in JSON.", only=True)
    assert not demands.demands_json("Never return JSON.", only=False)
    assert demands.demands_one_line("Return one JSON object per line.")


@pytest.mark.parametrize("pattern", demands.SIGNS, ids=lambda pattern: pattern[:20])
def test_each_match_has_a_sign(pattern: str) -> None:
    @given(st.from_regex(re.compile(pattern, re.IGNORECASE), alphabet=st.characters(codec="ascii")))
    @settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
    def check(text: str) -> None:
        assert any(sign in text.lower() for sign in demands.SIGNS[pattern])

    check()
