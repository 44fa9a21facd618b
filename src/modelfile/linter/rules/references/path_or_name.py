"""Rule MF206."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, no_folder, rule
from modelfile.source import Span
from modelfile.syntax.nodes import From


@rule("MF206", "path-or-name", on=From, severity=Severity.WARNING, cannot_decide=no_folder)
def path_or_name(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM reads like a model's name, but is a file or folder.

    Ollama first looks for such a path beside the Modelfile, and takes the text as a name only if there is none. So
    where the file is missing, as in a fresh checkout, Ollama pulls some model of that name. `./` says that a path is
    meant.

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
        message = f"`{written}` is a path here, so Ollama does not take it for a model's name"
        hint = f"write `./{written}`; if the model of that name is meant, rename the file"
        yield Finding(base.value.span, message, hint, fix)
