"""Rule MF508."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment


@rule("MF508", "missing-purpose", on=Modelfile, severity=Severity.INFO)
def missing_purpose(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""No comment says what the model is for.

    Anyone who finds the file in a year wants to know which application it serves and why its numbers are what they
    are. One line at the top is enough.

    ## Bad

    ```
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```

    ## Good

    ```
    # Answers questions on billing; cautious, because customers act on it.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    comments = (node.text for node in modelfile.nodes if isinstance(node, Comment))
    if not any(len(text.split()) > 1 and not text.startswith(("mf:", "fmt:")) for text in comments):
        hint = "write one above FROM, such as `# Answers questions on billing.`"
        yield Finding(Span(0, 0), "no comment says what this model is for", hint)
