"""Rule MF206."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, no_folder, rule
from modelfile.source import Span
from modelfile.syntax.nodes import From


@rule("MF206", "ambiguous-path", on=From, severity=Severity.WARNING, cannot_decide=no_folder)
def ambiguous_path(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM reads like a model name, but is a file or folder.

    Ollama first looks for a path of that name next to the Modelfile, and reads the text as a model name only if there
    is none. If the file is missing, as in a fresh checkout, Ollama pulls a model of that name instead. Write `./` in
    front of a path.

    ## Bad

    ```
    # Answers questions on billing.
    FROM billing
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./billing
    ```
    """
    written, start = base.value.text, base.value.content.start
    if not context.exists or not base.value.closed or looks_like_path(written) or not name_or_none(written):
        return
    if context.exists(written):
        fix = Fix(edits=(Edit(Span(start, start), "./"),), safety=Safety.SAFE)
        message = f"`{written}` is read as a path, not as a model name: it exists here"
        hint = f"write `./{written}`, or rename the file to use the model of that name"
        yield Finding(base.value.span, message, hint, fix)
