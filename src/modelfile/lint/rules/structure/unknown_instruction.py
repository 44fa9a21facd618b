"""Rule MF102."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.parameters import DEPRECATED, PARAMETERS
from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.syntax.nodes import (
    WORDS,
    Instruction,
    License,
    Message,
    Modelfile,
    Quoting,
    System,
    Template,
    Unknown,
)

_TEXTS = (System, Template, License, Message)
_NO_FORMAT = 'Ollama has no FORMAT; ask for JSON in the request (`"format": "json"`), and describe it in SYSTEM'


def _meant(line: Unknown) -> str | None:
    """What the line was meant as, if its first word tells."""
    from difflib import get_close_matches

    upper, name = line.word.text.upper(), line.word.text.lower()
    if upper == "FORMAT":
        return _NO_FORMAT
    if name in PARAMETERS or name in DEPRECATED:
        return f"write `PARAMETER {name} {line.rest.text.lstrip('=: ')}`"
    close = get_close_matches(upper, WORDS, n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else None


@rule("MF102", "unknown-instruction", on=Modelfile, severity=Severity.ERROR)
def unknown_instruction(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''A line begins with no instruction that Ollama knows.

    There are eleven: FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE, RENDERER, PARSER, REQUIRES and
    DRAFT. There is no FORMAT, whatever tutorials say: JSON is asked for in the request (`"format": "json"`). A text of
    several lines has to stand in `"""`; else its second line is read as an instruction.

    ## Bad

    ```
    # Answers questions on billing, in JSON.
    FROM llama3.2:3b
    FORMAT json
    ```

    ## Good

    ```
    # Answers questions on billing, in JSON; the application sends "format": "json".
    FROM llama3.2:3b
    ```
    '''
    text = ""  # the instruction whose bare text ended with its line, until the next instruction
    told = False
    for node in modelfile.nodes:
        if not isinstance(node, Unknown):
            bare = isinstance(node, _TEXTS) and node.value.quoting is Quoting.NONE
            text, told = node.keyword.text.strip().upper() if isinstance(node, Instruction) and bare else "", False
        elif node.word.text.upper() in WORDS and not node.rest.text:
            continue  # missing-argument
        elif node.word.text.upper() in WORDS:
            word = node.word.text.upper()
            yield Finding(node.word.span, f"{word} is not followed by a blank", f"write `{word} …`")
        elif hint := _meant(node):
            yield Finding(node.word.span, f"unknown instruction `{node.word.text}`", hint)
        elif not text:
            hint = f"Ollama knows {', '.join(WORDS)}; a comment begins with #"
            yield Finding(node.word.span, f"unknown instruction `{node.word.text}`", hint)
        elif not told:
            hint = f'if this line belongs to it, put the whole text in quotes: {text} """…"""'
            yield Finding(node.span, f"the text of {text} ended with the line before", hint)
            told = True
