"""Remains of other programs, by the lines that each finding explains."""

from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.remains import find_remains


def test_only_the_first_line_of_a_run_has_a_finding() -> None:
    source = Source(text="FROM x:y\n$ ollama list\n$ ollama ps\nTAGS chat\n")
    found = find_remains(source, Modelfile.parse(source).nodes)
    assert [(start, named and named[0]) for start, named in sorted(found.items())] == [
        (9, "shell-remains"),
        (23, None),
    ]


def test_a_file_of_instructions_has_none() -> None:
    source = Source(text="# $ ollama list\nFROM x:y\n")
    assert find_remains(source, Modelfile.parse(source).nodes) == {}
