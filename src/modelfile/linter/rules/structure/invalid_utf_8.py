"""Rule MF113."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile


@rule("MF113", "invalid-utf-8", on=Modelfile, severity=Severity.ERROR)
def invalid_utf_8(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The file is not valid UTF-8.

    Ollama silently replaces each byte that is not UTF-8 with the character U+FFFD. A file saved as Latin-1 or
    Windows-1252 loses its accented letters this way. UTF-16 with a byte order mark is read correctly.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You work at the caf\xe9.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You work at the café.
    ```
    """
    if modelfile.source.malformed:
        offset = modelfile.text.find("\ufffd")
        span = Span(offset, offset + 1)
        yield Finding(span, "invalid UTF-8: Ollama reads U+FFFD here", "save the file as UTF-8")
