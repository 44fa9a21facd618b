"""Control characters in text of others."""

import sys
import unicodedata

import pytest

from modelfile.characters import escape_controls, unusual_characters

BIDI = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""Unicode's property Bidi_Control (PropList.txt)."""


@pytest.mark.parametrize("keep", ["", "\n\t"])
def test_exactly_the_control_characters_of_all_unicode_are_escaped(keep: str) -> None:
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        acts = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or point in BIDI
        expected = f"a<U+{point:04X}>b" if acts and character not in keep else f"a{character}b"
        assert escape_controls(f"a{character}b", keep=keep) == expected


def test_unusual_characters_are_those_beyond_printable_ascii() -> None:
    assert unusual_characters("a\tb\r\n\u00e9\x07 \u00e9\U0001f600~") == frozenset("\u00e9\x07\U0001f600")
    assert unusual_characters("plain ~ text\n") == frozenset()
