"""Rule MF208."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.references import is_blob, original_name
from modelfile.linter.rules.references.wrong_file import wrong_part
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction

_ABSOLUTE: Final = re.compile(r"[/~\\]|[A-Za-z]:[/\\]")


def is_absolute(path: str) -> bool:
    """Return True if a path, as written, begins at the root, at a home folder or at a Windows drive."""
    return _ABSOLUTE.match(path) is not None


def suggest_path(instruction: Instruction, modelfile: Modelfile) -> tuple[str, Fix | None]:
    """Return what to write instead of a path that works on one machine only, and the fix if the file itself says it."""
    path, value = instruction.value.text, instruction.value
    if isinstance(instruction, From) and (name := original_name(instruction, modelfile)):
        is_only = len(modelfile.of_type(From)) == 1
        return f"write `FROM {name}`", Fix(edits=(Edit(value.span, name),)) if is_only else None
    if is_blob(path):
        return "name the model it belongs to; `ollama show --modelfile` prints it in a comment at the top", None
    name = re.split(r"[/\\]", path)[-1].strip("~. ") or "weights"
    hint = f"put it next to the Modelfile and write `./{name}`"
    return (f"{hint}, or name the model that it came from" if isinstance(instruction, From) else hint), None


@rule("MF208", "absolute-path", on=(From, Adapter, Draft), severity=Severity.WARNING)
def absolute_path(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A path works on one machine only.

    The path begins at the root, at a home folder (`~`) or at a Windows drive, or it is a blob in Ollama's own store, as
    printed by `ollama show --modelfile`. Other people who build the model do not have that file there. Put the weights
    next to the Modelfile and write a relative path, or name the model that they came from.

    ## Bad

    ```
    # Answers questions on billing.
    FROM /home/anna/models/weights.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    if not instruction.value.closed:
        return
    written = instruction.value.text
    if not is_absolute(written) or " #" in written:
        return  # inline-comment
    if (context.exists and not context.exists(written)) or wrong_part(instruction):
        return  # missing-file, wrong-file
    if is_blob(written):
        message = f"`{written}` is a blob in the Ollama store of one machine"
    else:
        message = f"`{written}` works on one machine only"
    yield Finding(instruction.value.span, message, *suggest_path(instruction, context.modelfile))
