"""The built-in renderers and parsers."""

from modelfile.catalog.instructions import INSTRUCTIONS
from modelfile.catalog.renderers import PARSERS, RENDERERS
from modelfile.catalog.versions import NEWEST, Version


def test_names_are_newer_than_their_instructions() -> None:
    for word, known in (("RENDERER", RENDERERS), ("PARSER", PARSERS)):
        for built_in in known.values():
            assert INSTRUCTIONS[word].since <= built_in.since < (built_in.until or Version(99, 0, 0))
            assert built_in.since <= NEWEST


def test_names_of_each_kind() -> None:
    assert (len(RENDERERS), len(PARSERS)) == (28, 28)
    assert "harmony" in PARSERS
    assert "harmony" not in RENDERERS
    assert RENDERERS["deepseek-v3.1"].until == RENDERERS["deepseek3.1"].since == Version(0, 13, 5)
