"""The nodes that a rule checks, facts that rules share, and the fix that deletes an instruction."""

from collections.abc import Iterator

import pytest

from modelfile import parse
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, deletion, once_per_file, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, Message, Parameter, System

REST = "FROM x:y\nPARAMETER seed 1\n"


def without_mirostat(text: str) -> str:
    modelfile = parse(text)
    (node,) = [one for one in modelfile.of_type(Parameter) if one.name.text == "mirostat"]
    (edit,) = deletion(node, modelfile).edits
    return text[: edit.span.start] + edit.text + text[edit.span.end :]


@pytest.mark.parametrize(
    "deleted",
    [
        "PARAMETER mirostat 2\n",
        "  PARAMETER mirostat 2  \n",
        "# mirostat keeps the perplexity even\nPARAMETER mirostat 2\n",
        "# A better sampler,\n# says the manual:\nPARAMETER mirostat 2\n",
        "# Set `mirostat`.\nPARAMETER mirostat 2",
        "# mf: ignore[out-of-range] on purpose\nPARAMETER mirostat 2\n",
    ],
)
def test_comment_that_is_only_about_the_instruction_goes_along(deleted: str) -> None:
    assert without_mirostat(f"{REST}{deleted}") == REST
    crlf = f"{REST}{deleted}".replace("\n", "\r\n")
    assert without_mirostat(crlf) == REST.replace("\n", "\r\n")
    follower = "" if deleted.endswith("2") else "\n# The end.\n"
    assert without_mirostat(f"{REST}{deleted}{follower}") == f"{REST}{follower}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# A cautious bot.\n", f"\n{REST}"),
        (f"{REST}# Sampling.\n", "PARAMETER top_k 10\n"),
        (f"{REST}# mirostat, and temperature\n", ""),
        (f"{REST}# mf: ignore-file[out-of-range]\n", ""),
        (f"{REST}# About something else.\n\n", ""),
    ],
)
def test_other_comments_stay(before: str, after: str) -> None:
    assert without_mirostat(f"{before}PARAMETER mirostat 2\n{after}") == before + after


def test_comment_that_names_the_parameter_goes_along_between_others() -> None:
    text = "PARAMETER seed 1\n{}PARAMETER top_k 10\nFROM x:y\n"
    assert without_mirostat(text.format("# mirostat 2.0\nPARAMETER mirostat 2\n")) == text.format("")


def test_rule_names_the_instructions_that_it_checks() -> None:
    @rule("MF999", "example", on=(System, Message), severity=Severity.INFO)
    def example(_: Instruction, __: Context) -> Iterator[Finding]:
        yield from ()

    modelfile = parse("SYSTEM a\nFROM b\nMESSAGE user c\nSYSTEM d\n")
    assert [node.value.text for node in example.subjects(modelfile)] == ["a", "c", "d"]  # type: ignore[union-attr]  # instructions
    assert example.subjects(parse("FROM b\n")) == ()


def test_fact_is_computed_once_for_each_file() -> None:
    asked = []

    @once_per_file
    def fact(modelfile: Modelfile, _: Context) -> None:
        asked.append(modelfile.text)

    for text in ("FROM a\n", "FROM b\n"):
        context = Context(modelfile=parse(text))
        for _ in range(2):
            assert fact(context.modelfile, context) is None  # an answer as good as any other
    assert asked == ["FROM a\n", "FROM b\n"]
