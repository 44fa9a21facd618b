"""Fixes are applied together as far as they do not overlap, and each one only if it helps and keeps the rest."""

from collections.abc import Callable

import pytest

from modelfile.diagnostics import Diagnostic, Edit, Fix, Safety, Severity
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source, Span
from modelfile.syntax.modelfile import Modelfile

Diagnose = Callable[[Modelfile], tuple[Diagnostic, ...]]


def counted(diagnose: Diagnose) -> tuple[list[str], Diagnose]:
    """Return a function that lists the texts it is called with, and finds what another finds."""
    texts: list[str] = []

    def counting(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
        texts.append(modelfile.text)
        return diagnose(modelfile)

    return texts, counting


def parsed(text: str) -> Modelfile:
    return Modelfile.parse(Source(text=text))


def finding(start: int, end: int, *edits: tuple[int, int, str], name: str = "x", message: str = "") -> Diagnostic:
    fix = Fix(edits=tuple(Edit(Span(*span), text) for *span, text in edits), safety=Safety.SAFE)
    return Diagnostic(
        code="MF001", name=name, severity=Severity.WARNING, span=Span(start, end), message=message, fix=fix
    )


def upper(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
    """Find each `a` in comments, to be replaced by `A`; and each `b`, whose replacement does not help."""
    return tuple(
        finding(at, at + 1, (at, at + 1, "A" if character == "a" else "bb"), message=str(at))
        for at, character in enumerate(modelfile.text)
        if character in "ab"
    )


def test_four_hundred_fixes_take_three_passes() -> None:
    texts, diagnose = counted(lambda modelfile: lint(Context(modelfile=modelfile)))
    fixed, count = apply_fixes(parsed("FROM a:1\n" + "PARAMETER temprature 0.2\n" * 400), diagnose, unsafe=True)
    assert (fixed.text, count) == ("FROM a:1\nPARAMETER temperature 0.2\n", 799)
    assert len(texts) == 3


def test_fix_that_does_not_help_is_singled_out() -> None:
    texts, diagnose = counted(upper)
    fixed, count = apply_fixes(parsed("# " + "a" * 50 + "b" + "a" * 50), diagnose, unsafe=True)
    assert (fixed.text, count) == ("# " + "A" * 50 + "b" + "A" * 50, 100)
    assert len(texts) < 20


def test_trials_end_where_no_fix_helps() -> None:
    texts, diagnose = counted(upper)
    text = "# " + "b" * 1_000 + " " * 400_000
    assert apply_fixes(parsed(text), diagnose, unsafe=True)[1] == 0
    assert len(texts) == 11


@pytest.mark.parametrize(
    ("edits", "passes"),
    [
        (((2, 4, "y"), (4, 6, "y")), 2),  # next to each other
        (((2, 4, "y"), (3, 6, "y")), 3),  # overlapping
        (((2, 6, "y"), (3, 3, "y")), 3),  # an insertion within
        (((2, 4, "y"), (4, 4, "y")), 3),  # an insertion at the end, in an order that would be arbitrary
        (((3, 3, "y"), (3, 3, "y")), 3),
    ],
)
def test_fixes_that_overlap_are_applied_one_after_the_other(
    edits: tuple[tuple[int, int, str], ...], passes: int
) -> None:
    left = [
        finding(start, end, (start, end, text), message=str(number)) for number, (start, end, text) in enumerate(edits)
    ]
    texts: list[str] = []

    def diagnose(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
        number = modelfile.text.count("y")
        texts.append(modelfile.text)
        return tuple(left[number:])

    assert apply_fixes(parsed("# xxxx"), diagnose, unsafe=False)[1] == 2
    assert len(texts) == passes


def test_fix_that_changes_another_instruction_is_rejected() -> None:
    text = 'SYSTEM "a"\nFROM x\n'

    def diagnose(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
        return (finding(0, 6, (10, 11, "")),) if modelfile.text == text else ()

    assert apply_fixes(parsed(text), diagnose, unsafe=False)[1] == 0


@pytest.mark.parametrize("line", ["PARAMETER  -x 1", 'PARAMETER  Ã¤ "x', "PARAMETER  \x1b[31m x", "PARAMETER  é 1"])
def test_no_fix_makes_ollama_reject_what_it_accepted(line: str) -> None:
    modelfile = parsed(f"# For tests.\nFROM a:b\n{line}\n")
    assert modelfile.rejection is None
    fixed, _ = apply_fixes(modelfile, lambda each: lint(Context(modelfile=each)), unsafe=False)
    assert fixed.rejection is None


@pytest.mark.parametrize("text", ["fro™\u202e\nMESSAGE mÃ¤", "fro™\u202e\n", "FROM x\nfro™\u202e\nMESSAGE mÃ¤ x"])
def test_a_second_run_finds_nothing_more_to_fix(text: str) -> None:
    def diagnose(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
        return lint(Context(modelfile=modelfile))

    fixed, _ = apply_fixes(parsed(text), diagnose, unsafe=True)
    assert apply_fixes(fixed, diagnose, unsafe=True)[0].text == fixed.text
