"""Rule MF118."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF118", "shell-remains", on=Modelfile, severity=Severity.ERROR)
def shell_remains(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""Lines of a shell, a console or Markdown stand around the Modelfile.

    They come along when a Modelfile is copied from a tutorial or a terminal: the `cat <<EOF` before it and the `EOF`
    after it, prompts such as `$`, the command that builds the model, its log, Markdown fences, line numbers, the lines
    of a patch. Ollama rejects each of them.

    ## Bad

    ```
    $ cat > Modelfile <<EOF
    # Answers questions on billing.
    FROM llama3.2:3b
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    return parser_findings(modelfile, "shell-remains")
