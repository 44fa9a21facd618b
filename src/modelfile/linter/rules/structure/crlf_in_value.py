"""Rule MF114."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction


@rule("MF114", "crlf-in-value", on=Modelfile, severity=Severity.WARNING)
def crlf_in_value(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    '''Carriage returns go into the model.

    Inside quotes Ollama keeps line ends as they are. So in a file with Windows line ends (CRLF), each line of a SYSTEM
    or TEMPLATE ends in a character that the model is sent too; in a template it stands between the markers of a turn.
    Git may check out the same file with or without it, and then two people build different models.

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
    hit = [node for node in modelfile.nodes if isinstance(node, Instruction) and "\r" in _text(node)]
    if hit:
        place = modelfile.text.index("\r", hit[0].value.content.start)
        words = ", ".join(dict.fromkeys(node.keyword.text.strip().upper() for node in hit))
        message = f"the carriage returns (CRLF line ends) in {words} go into the model"
        hint = "save the file with LF line ends, and put `*Modelfile* text eol=lf` in .gitattributes"
        yield Finding(Span(place, place + 1), message, hint)


def _text(node: Instruction) -> str:
    return node.value.text if node.value.closed else ""
