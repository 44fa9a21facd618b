"""Rule MF702."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule, written_path
from modelfile.linter.rules.references.absolute_path import is_absolute
from modelfile.syntax.nodes import Instruction


@rule("MF702", "symlink-escape", on=Instruction, severity=Severity.WARNING, cannot_decide=no_folder)
def symlink_escape(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A path passes through a symbolic link that leads out of the project.

    Ollama follows links, and sends whatever file is at the end to its server. So whoever writes the link chooses which
    file of yours leaves your machine, while a reader of the Modelfile sees a path inside the project. Inside a folder
    of weights Ollama is stricter: it refuses a link that leads out of that folder, as "insecure path".

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
    written = written_path(instruction, context)
    if written is None or context.outside is None:
        return
    outside = context.outside(written)
    if outside is None or not outside.linked:
        return
    if outside.refused:
        message = f"a link in `{written}` leads out of that folder, to `{outside.target}`: Ollama refuses it"
    elif is_absolute(written):
        return  # absolute-path
    else:
        message = f"`{written}` is a link out of the project, to `{outside.target}`"
    yield Finding(instruction.value.span, message, "put the file itself there")
