"""Rule MF114."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction


@rule("MF114", "crlf-in-value", on=Modelfile, severity=Severity.WARNING)
def crlf_in_value(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    '''A value contains carriage returns.

    Inside quotes, Ollama keeps line endings as they are. In a file with Windows line endings (CRLF), each line of a
    SYSTEM or TEMPLATE therefore ends with an extra character, which the model receives too; in a template it stands
    between the turn markers. Git may check out the same file with or without it, and then two people build different
    models. The fix writes LF everywhere; it is unsafe, because it changes what the model receives.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM """You answer questions on billing.\r
    Be brief."""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM """You answer questions on billing.
    Be brief."""
    ```
    '''  # noqa: D301  # a page in raw text cannot hold a carriage return
    affected = [node for node in modelfile.of_type(Instruction) if "\r" in _text(node)]
    if affected:
        offset = modelfile.text.index("\r", affected[0].value.content.start)
        words = ", ".join(dict.fromkeys(node.keyword.text.strip().upper() for node in affected))
        message = f"carriage returns (CRLF line endings) in {words} become part of the model"
        hint = "save the file with LF line endings, and put `*Modelfile* text eol=lf` in .gitattributes"
        text = modelfile.text.replace("\r\n", "\n").replace("\r", "\n")
        fix = Fix(edits=(Edit(Span(0, len(modelfile.text)), text),), safety=Safety.UNSAFE)
        yield Finding(Span(offset, offset + 1), message, hint, fix)


def _text(node: Instruction) -> str:
    return node.value.text if node.value.closed else ""
