"""Rule MF209."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, existing_path, no_folder, rule
from modelfile.linter.rules.references.absolute_path import is_absolute
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction


@rule("MF209", "path-outside-project", on=(From, Adapter, Draft), severity=Severity.WARNING, cannot_decide=no_folder)
def path_outside_project(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A path leads out of the project.

    The project is the repository that the Modelfile is in, or the folder of its configuration. A checkout does not
    contain files outside of it, so other people who build the model do not have the file, or have a different one. If
    it is missing, Ollama rejects an ADAPTER, and reads a FROM as a model name.

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
    written = existing_path(instruction, context)
    if written is None or context.find_escape is None or is_absolute(written):
        return
    escape = context.find_escape(written)
    if escape and not escape.by_symlink:
        hint = "move the file into the project, or name the model that it came from"
        yield Finding(instruction.value.span, f"`{written}` is outside the project; a checkout does not have it", hint)
