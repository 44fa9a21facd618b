"""Prose without code."""

import pytest

from modelfile.linter.prose import hide_code


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("a `b` c", "a     c"),
        ("a\n```sh\nb\n```\nc", "a\n     \n \n   \nc"),
        ("a ~~~ b", "a      "),
        ("it's a ` alone\nand `", "it's a ` alone\nand `"),
        ("plain", "plain"),
    ],
)
def test_code_is_hidden_and_nothing_moves(text: str, prose: str) -> None:
    assert hide_code(text) == prose
