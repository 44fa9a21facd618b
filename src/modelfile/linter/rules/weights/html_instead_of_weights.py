"""Rule MF608."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF608", "html-instead-of-weights", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def html_instead_of_weights(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A local file is a web page, or another answer of a web server.

    A download without a login, of a repository that asks for one, or from an address that shows the file in a page,
    saves the page under the name of the file. On Hugging Face, addresses of files have `/resolve/` where those of pages
    have `/blob/`. Ollama rejects the file after the upload.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./login.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    yield from rejected(context, "html-instead-of-weights")
