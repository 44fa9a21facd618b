"""Comments that say the opposite of a parameter."""

import pytest

from modelfile import lint


def found(comment: str, *parameters: str) -> list[str]:
    lines = "".join(f"PARAMETER {each}\n" for each in parameters)
    return [one.message for one in lint(f"# {comment}\nFROM llama3.1:8b\n{lines}") if one.code == "MF522"]


@pytest.mark.parametrize(
    ("comment", "parameter", "meant"),
    [
        ("High temperature, so that ideas are wild.", "temperature 0.1", "a high temperature"),
        ("Sorts mail with a low temperature.", "temperature 1.2", "a low temperature"),
        ("Sorts mail, for reproducible results.", "temperature 0.9", "repeatable answers"),
        ("Each run gives different ideas.", "seed 42", "different answers each time"),
    ],
)
def test_opposite_is_reported(comment: str, parameter: str, meant: str) -> None:
    assert found(comment, parameter) == [f"`{parameter}`, but the comment in line 1 speaks of {meant}"]


def test_one_comment_can_contradict_two_parameters() -> None:
    comment = "High temperature, so that every run gives different, wild ideas"
    assert len(found(comment, "temperature 0.1", "seed 42")) == 2


@pytest.mark.parametrize(
    ("comment", "parameters"),
    [
        ("A higher temperature makes answers more creative.", ["temperature 0.1"]),
        ("Use a high temperature for poems, not here.", ["temperature 0.1"]),
        ("Low temperature for precise answers.", ["temperature 0.2"]),
        ("Reproducible results through the seed.", ["temperature 0.9", "seed 7"]),
        ("Each run gives different ideas.", ["seed -1"]),
        ("Each answer ends with a new line.", ["temperature 0.1"]),
    ],
)
def test_comments_that_agree_are_not_reported(comment: str, parameters: list[str]) -> None:
    assert found(comment, *parameters) == []
