"""Differences of conversations."""

from modelfile.differ.messages import compare_messages
from modelfile.recipe.recipe import Message

TALK = [("user", "What is your name?"), ("assistant", "Bot, at your service."), ("user", "Thanks a lot.")]


def changes(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[tuple[int | None, int | None]]:
    sides = [[Message(role, content) for role, content in side] for side in (old, new)]
    return [change.positions for change in compare_messages(*sides)]


def test_an_added_message_is_one_change() -> None:
    for position in range(4):
        longer = [*TALK[:position], ("assistant", "Well."), *TALK[position:]]
        assert changes(TALK, longer) == [(None, position)]
        assert changes(longer, TALK) == [(position, None)]


def test_an_edited_message_is_one_change() -> None:
    edited = [*TALK[:1], ("assistant", "Bot, at your command."), *TALK[2:]]
    assert changes(TALK, edited) == [(1, 1)]
    rewritten = [*TALK[:1], ("assistant", "No."), *TALK[2:]]
    assert changes(TALK, rewritten) == [(1, 1)]


def test_a_moved_message_is_one_change() -> None:
    assert changes(TALK, [TALK[2], *TALK[:2]]) == [(2, 0)]
    assert changes([TALK[2], *TALK[:2]], TALK) == [(0, 2)]


def test_a_message_that_is_moved_and_edited_is_one_change() -> None:
    assert changes(TALK, [("user", "Thanks a whole lot."), *TALK[:2]]) == [(2, 0)]


def test_a_message_of_another_role_is_another_message() -> None:
    assert changes(TALK[:1], [("assistant", TALK[0][1])]) == [(0, None), (None, 0)]


def test_an_insertion_before_an_edited_message_is_two_changes() -> None:
    new = [("user", "Hello!"), ("assistant", "Hello to you, too."), ("user", "What is your full name?"), *TALK[1:]]
    assert changes(TALK, new) == [(None, 0), (None, 1), (0, 2)]


def test_many_messages_are_compared_quickly() -> None:
    old = [("user", f"question {number}") for number in range(20_000)]
    new = [("user", f"question {number}!") for number in range(20_000)]
    assert len(changes(old, new)) == 20_000
