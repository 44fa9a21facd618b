"""Rule MF702."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, existing_path, no_folder, rule
from modelfile.linter.rules.references.absolute_path import is_absolute
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction


@rule("MF702", "symlink-escape", on=(From, Adapter, Draft), severity=Severity.WARNING, cannot_decide=no_folder)
def symlink_escape(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A path passes through a symlink that leads out of the project.

    Ollama follows symlinks, and uploads the file at their end to its server. So whoever creates the symlink chooses
    which file of yours leaves your machine, while a reader of the Modelfile sees a path inside the project. Inside a
    folder of weights, Ollama is stricter: it rejects a symlink that leads out of that folder, which is reported as
    unusable-weights.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./linked.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    written = existing_path(instruction, context)
    if written is None or context.find_escape is None:
        return
    escape = context.find_escape(written)
    if escape is None or not escape.by_symlink or is_absolute(written):  # absolute-path reports the last
        return
    message = f"symlink in `{written}` leads out of the project, to `{escape.target}`"
    yield Finding(instruction.value.span, message, "replace the symlink with the file itself")
