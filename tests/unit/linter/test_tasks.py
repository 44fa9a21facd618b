"""Tasks of system prompts, and sentences that set none."""

import pytest

from modelfile.linter import tasks


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("You translate questions into SQL for PostgreSQL.", "SQL"),
        ("Write one PostgreSQL query.", "SQL"),
        ("You classify mails as one of billing, technical, other.", "labels"),
        ("Answer with the label only.", "labels"),
        ("You are a senior Python developer.", "code"),
        ("You are an experienced code reviewer.", "code"),
        ("You are a math tutor for children.", "calculations"),
        ("You are a poet.", None),
        ("You never write SQL.", None),
        ("You are a game developer who tells stories.", None),
        ("If asked, classify the mail as one of these.", None),
    ],
)
def test_exact_tasks(prompt: str, kind: str | None) -> None:
    assert tasks.exact_task(prompt) == kind


@pytest.mark.parametrize(
    ("function", "yes", "no"),
    [
        (tasks.is_creative_task, "You are a gifted poet.", "You are not a poet."),
        (tasks.is_creative_task, "You are our brainstorming partner.", "You admire poets."),
        (tasks.is_long_task, "You are a storyteller.", "You read stories."),
        (tasks.is_long_task, "You write fairy tales for children.", "You write a short story."),
        (tasks.is_long_task, "You write detailed reports: summary, causes.", "You write titles of reports."),
        (tasks.is_long_task, "Write a blog post.", "You write user stories."),
    ],
)
def test_task_is_distinguished_from_talk(function: object, yes: str, no: str) -> None:
    assert callable(function)
    assert function(yes)
    assert not function(no)


def test_tokens_of_json_are_those_of_the_largest_object_or_of_the_keys() -> None:
    assert tasks.tokens_of_json("Answer in JSON.") == 0
    assert tasks.tokens_of_json('{"a": 1} or {"a": 1, "b": {"c": 2}}') == 13
    assert tasks.tokens_of_json('Use the keys "a", "b" and "c".') == 15
    assert tasks.tokens_of_json("int main() { return 0; }") == 0


@pytest.mark.parametrize(
    ("prompt", "allowed"),
    [
        ("Answer with exactly one word: positive, negative or neutral.", ("positive", "negative", "neutral")),
        ('Use one of the following labels: "bug", "feature", "question"\n', ("bug", "feature", "question")),
        ("Answer with only one of the words: yes or no.", ("yes", "no")),
        ("If unsure, answer with one word: maybe or no.", ()),
        ("Answer in one word.", ()),
        ("One of these: it depends on what the user says.", ()),
    ],
)
def test_allowed_answers(prompt: str, allowed: tuple[str, ...]) -> None:
    assert tasks.allowed_answers(prompt) == allowed


def test_names_of_the_assistant() -> None:
    assert tasks.persona_name("You are Anna, the concierge.") == "Anna"
    assert tasks.persona_name("Du hei\u00dft Jonas.") == "Jonas"
    assert tasks.persona_name("You are a concierge.") is None
    assert tasks.own_name("Hello! I am Lisa, how can I help?") == "Lisa"
    assert tasks.own_name("My name is Lisa") == "Lisa"
    assert tasks.own_name("I am German by birth.") is None


@pytest.mark.parametrize(
    ("prompt", "media"),
    [
        ("You draw pictures of cats.", "pictures"),
        ("Transcribe the recordings of the user.", "audio"),
        ("You draw pictures as SVG.", None),
        ("You describe pictures.", None),
        ("If asked, transcribe the recording.", None),
    ],
)
def test_media_that_a_prompt_asks_for(prompt: str, media: str | None) -> None:
    assert tasks.demanded_media(prompt) == media
