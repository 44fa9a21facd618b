"""Rule MF113."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile


@rule("MF113", "not-utf-8", on=Modelfile, severity=Severity.ERROR)
def not_utf_8(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The file is not UTF-8.

    Ollama silently replaces each byte that is not UTF-8 by the character U+FFFD. Files saved as Latin-1 or Windows-1252
    lose their accented letters that way. UTF-16 with a byte order mark is read correctly.

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
        place = modelfile.text.find("\ufffd")
        span = Span(place, place + 1)
        yield Finding(span, "what is written here is not UTF-8: Ollama reads U+FFFD", "save the file as UTF-8")
