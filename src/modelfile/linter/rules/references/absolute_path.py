"""Rule MF208."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction

_BLOB: Final = re.compile(r"[/\\]blobs[/\\]sha256[-:][0-9a-f]{64}\Z")
_ABSOLUTE: Final = re.compile(r"[/~\\]|[A-Za-z]:[/\\]")


def is_absolute(path: str) -> bool:
    """Whether a path, as written, begins at the root, at somebody's home folder or at a Windows drive."""
    return _ABSOLUTE.match(path) is not None


def way_on(instruction: Instruction) -> str:
    """What to do about a path that holds on one machine only."""
    path = instruction.value.text
    if _BLOB.search(path):
        return "name the model it belongs to, which `ollama show --modelfile` prints in a comment at the top"
    name = re.split(r"[/\\]", path)[-1].strip("~. ") or "weights"
    hint = f"put it beside the Modelfile and write `./{name}`"
    return f"{hint}, or name the model that it came from" if isinstance(instruction, From) else hint


@rule("MF208", "absolute-path", on=Instruction, severity=Severity.WARNING)
def absolute_path(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A path holds on one machine only.

    It begins at the root, at a home folder (`~`) or at a Windows drive, or it is a blob in Ollama's own store, as
    `ollama show --modelfile` prints it. Whoever else builds the model has not got that file there. A path is relative
    to the Modelfile's folder: put the weights beside it, or name the model that they came from.

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
    if not isinstance(instruction, From | Adapter | Draft) or not instruction.value.closed:
        return
    written = instruction.value.text
    if not is_absolute(written) or " #" in written:
        return  # inline-comment
    if _BLOB.search(written):
        message = f"`{written}` is a blob in the store of one machine"
    else:
        message = f"`{written}` holds on one machine only"
    yield Finding(instruction.value.span, message, way_on(instruction))
