"""Rule MF209."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule, written_path
from modelfile.linter.rules.references.absolute_path import is_absolute
from modelfile.syntax.nodes import Instruction


@rule("MF209", "path-outside-project", on=Instruction, severity=Severity.WARNING, cannot_decide=no_folder)
def path_outside_project(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A path leads out of the project.

    The project is the repository that the Modelfile is in, or the folder of its configuration. A checkout does not
    contain what lies outside, so anybody else who builds the model does not have the file there, or has a different
    one. If it is missing, Ollama refuses an ADAPTER, and takes a FROM as the name of a model.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ../../weights.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    written = written_path(instruction, context)
    if written is None or context.outside is None or is_absolute(written):
        return
    outside = context.outside(written)
    if outside and not outside.linked:
        hint = "put the file into the project, or name the model that it came from"
        yield Finding(instruction.value.span, f"`{written}` is outside of the project, and not in a checkout", hint)
