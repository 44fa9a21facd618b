"""Chat templates that Ollama recognizes, by figures of their texts."""

from collections import Counter
from hashlib import sha256
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfile.catalog.chat_templates import ChatTemplate, chat_templates, recognize

TEXT: Final = "{% for message in messages %}{{ message['content'] }}{% endfor %}" * 3


def figures(text: str, name: str = "chatml") -> ChatTemplate:
    return ChatTemplate(
        name=name,
        sha256=sha256(text.encode()).hexdigest(),
        characters=Counter(text),
        template=f"sha256:{'1' * 64}",
        size=1,
        stop=(),
    )


@pytest.fixture(autouse=True)
def _known(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "all_known" not in request.fixturenames:
        monkeypatch.setattr("modelfile.catalog.chat_templates.chat_templates", lambda: (figures(TEXT),))


@pytest.fixture
def all_known() -> tuple[ChatTemplate, ...]:
    return chat_templates()


def test_all_that_ollama_knows(all_known: tuple[ChatTemplate, ...]) -> None:
    assert (len(all_known), len({each.sha256 for each in all_known})) == (37, 37)
    assert len({each.name for each in all_known}) == len({each.template for each in all_known}) == 19
    assert [sum(each.characters.values()) for each in all_known[:3]] == [441, 291, 410]
    assert all(each.stop for each in all_known)
    by_name = {each.name: each.stop for each in all_known}
    assert by_name["chatml"] == by_name["mistral-instruct"] == ("<|im_start|>", "<|im_end|>")
    assert by_name["gemma3-instruct"] == ("<end_of_turn>",)


def test_equal_texts_are_recognized() -> None:
    assert recognize(TEXT) == (figures(TEXT), True)


@pytest.mark.parametrize("more", ["x" * 100, "{" * 150])
def test_texts_that_are_too_different_are_not_recognized(more: str) -> None:
    assert recognize(TEXT + more) == (None, True)
    assert recognize(TEXT + more[:99]) == (None, False)


def test_fewer_characters_of_a_kind_count_too() -> None:
    assert recognize(TEXT[:-100]) == (None, True)
    assert recognize(TEXT[:-99]) == (None, False)
    assert recognize(TEXT.replace("m", "\u2028")) == (None, False)


def test_bytes_that_are_not_utf8_prove_nothing() -> None:
    assert recognize(TEXT + "\ufffd" * 500) == (None, False)


def test_distances_of_long_texts_are_not_foreseen() -> None:
    assert recognize("x" * 65_000) == (None, True)
    assert recognize("x" * 65_001) == (None, False)


def distance(one: str, other: str) -> int:
    """Return the edit distance."""
    row: list[int] = [*range(len(other) + 1)]
    for number, character in enumerate(one, start=1):
        previous, row[0] = row[0], number
        for at, each in enumerate(other, start=1):
            previous, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, previous + (character != each))
    return row[-1]


@given(st.text("ab{", min_size=30, max_size=160), st.text("ab{", min_size=30, max_size=160))
def test_what_is_proved_is_true(text: str, other: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modelfile.catalog.chat_templates.chat_templates", lambda: (figures(other),))
        known, is_proved = recognize(text)
    if is_proved:
        assert (known is not None) == (distance(text, other) == 0)
        assert known is not None or distance(text, other) >= 100
