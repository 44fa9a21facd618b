"""Campaign of random and mutated Modelfiles and templates: nothing raises, hangs, or changes what it must keep."""

import random
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from tests.laws.test_laws import PIECES, UNUSUAL, WORDS
from tests.rules.test_pages import EXAMPLE
from tests.support.operations import count_operations
from tests.support.paths import ROOT

from modelfile import InputError, parse_template
from modelfile.catalog.parameters import PARAMETERS
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.formatter import format_modelfile
from modelfile.gotemplate.literals import FUNCTIONS
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.linter.rules import RULES
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

SEED: Final = 12
INPUTS: Final = 400
"""Number of inputs in one round."""
MOST_LINES: Final = 500_000
"""Lines of our code that may run for one input."""

_ACTIONS: Final = [
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "block",
    "template",
    "break",
    "continue",
    "nil",
    "true",
    "and",
    "or",
    "eq",
    "len",
]
_TEMPLATE: Final = [
    *(f" {word} " for word in (*_ACTIONS, *sorted(FUNCTIONS))),
    *(
        "{{",
        "{{-",
        "}}",
        "-}}",
        "{{/*",
        "*/}}",
        "{",
        "}",
        "{%",
        "%}",
        "(",
        ")",
        "|",
        ":=",
        "=",
        ",",
        ".",
        "$",
        "$x",
        "`",
    ),
    *(".Prompt", ".System", ".Messages", ".Response", ".Tools", ".Role", ".Content", ".Thinking", ".ToolCalls", "$.A"),
    *("'x'", "0x1p-2", "1e9", "07", "1+2i", "9" * 25, "{prompt}", "<|im_end|>", "{{ .Prompt }}", "{{ end }}", r"\n"),
]
_LINES: Final = [
    *(
        "# mf: ignore[",
        "# mf: ignore-file[",
        "]",
        "# fmt: off\n",
        "# fmt: on\n",
        "# mf: ignore\n",
        "MF1XX",
        "extra-space",
    ),
    *(
        "FROM x\n",
        "FROM ./x.gguf\n",
        "FROM hf.co/a/b\n",
        "REQUIRES 0.14\n",
        "ADAPTER x\n",
        "RENDERER x\n",
        "PARSER x\n",
    ),
    *("SYSTEM Respond only in JSON.\n", "MESSAGE assistant {}\n", "MESSAGE human a\n", "'a'", "<a>", "```", "['a'"),
    *(f"PARAMETER {name} " for name in PARAMETERS),
]
_CHARACTERS: Final = [
    *PIECES,
    *UNUSUAL,
    *map(chr, range(128)),
    "\u202e",
    "\U000e0041",
    "\ufe0f",
    "\u3164",
    "\ud800",
    "\u0301",
]


def examples() -> list[str]:
    """Return the Modelfiles to mutate: those of the rules' pages and of this repository."""
    pages = (text.replace("␍", "\r") for rule in RULES for _, text in EXAMPLE.findall(rule.page))
    return [
        *pages,
        *(path.read_text() for path in sorted((ROOT / "modelfiles").rglob("*Modelfile*")) if path.is_file()),
    ]


def modelfiles(seed: int, number: int) -> Iterator[str]:
    """Yield random and mutated Modelfiles."""
    chance = random.Random(seed)  # noqa: S311  # not for cryptography
    known = examples()
    pieces = [*WORDS, *_LINES, *_TEMPLATE, *_CHARACTERS]
    for index in range(number):
        if index % 3 == 0:
            yield "".join(chance.choices(pieces, k=chance.randrange(1, 40)))
        else:
            yield mutate(chance.choice(known), pieces, chance)


def mutate(text: str, pieces: list[str], chance: random.Random) -> str:
    """Return a text with some parts replaced, repeated, cut or moved."""
    for _ in range(chance.randrange(1, 6)):
        start, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        end = min(end, start + chance.choice((0, 1, 3, 40)))
        kind = chance.randrange(4)
        part = (chance.choice(pieces), text[start:end] * 2, "", text[start:end][::-1])[kind]
        text = text[:start] + part + text[end:]
    return text


def templates(seed: int, number: int) -> Iterator[str]:
    """Yield random templates, half of them without an error up to some point."""
    chance = random.Random(seed)  # noqa: S311  # not for cryptography
    for index in range(number):
        parts = chance.choices(_TEMPLATE, k=chance.randrange(1, 25))
        yield "".join(parts) if index % 2 else "".join(f"{{{{{part}}}}}" for part in parts)


def check_modelfile(text: str) -> None:
    """Parse, lint, format and fix a Modelfile, and compare what has to be equal."""
    modelfile = Modelfile.parse(Source(text=text))
    found = _lint(modelfile)
    for diagnostic in found:
        span = diagnostic.span
        assert 0 <= span.start <= span.end <= len(text), diagnostic
        assert modelfile.source.position(span.start).line <= modelfile.source.position(span.end).line
    with suppress(InputError):  # it has errors; "this is a bug in mf" would be one
        formatted = Modelfile.parse(Source(text=_format(modelfile)))
        assert formatted.commands == modelfile.commands
        assert _format(formatted) == formatted.text
    fixed, count = apply_fixes(modelfile, _lint, unsafe=True)
    assert _errors(_lint(fixed)) <= _errors(found)
    assert (fixed.text != text) >= bool(count)
    assert modelfile.rejection or fixed.rejection is None


def _lint(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
    return lint(Context(modelfile=modelfile, formatter=_formatted))


def _formatted(modelfile: Modelfile) -> str:
    with suppress(InputError):
        return _format(modelfile)
    return modelfile.text


def _format(modelfile: Modelfile) -> str:
    try:
        return format_modelfile(modelfile)
    except InputError as error:
        if "bug" in (error.hint or ""):
            raise AssertionError(error) from error
        raise


def _errors(found: tuple[Diagnostic, ...]) -> int:
    return sum(diagnostic.severity is Severity.ERROR for diagnostic in found)


def check_template(text: str) -> None:
    """Parse a template, and lint it in a Modelfile."""
    parsed = parse_template(text)
    assert bool(parsed.diagnostics) != bool(parsed.nodes) or not text, text
    assert all(0 <= found.span.start <= found.span.end <= len(text) for found in parsed.diagnostics)
    assert all(text[use.span.start : use.span.end] == f".{use.name}" for use in parsed.fields)
    assert [*parsed.variables] == sorted(set(parsed.variables))


def test_random_modelfiles(rounds: int) -> None:
    for text in modelfiles(SEED, INPUTS * rounds):
        assert count_operations(partial(check_modelfile, text)) <= MOST_LINES, text


def test_random_templates(rounds: int) -> None:
    for text in templates(SEED, 5 * INPUTS * rounds):
        assert count_operations(partial(check_template, text)) <= MOST_LINES, text
