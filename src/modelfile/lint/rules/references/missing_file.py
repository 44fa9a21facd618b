"""Rule MF207."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, looks_like_path, rule
from modelfile.lint.rules.references.absolute_path import is_absolute
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction


@rule("MF207", "missing-file", on=Instruction, severity=Severity.ERROR)
def missing_file(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A path does not exist.

    Paths are relative to the Modelfile's folder. Of a FROM that does not exist Ollama thinks it is the name of a
    model, and tries to pull it; an ADAPTER or DRAFT that does not exist it refuses.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./wieghts.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    written = instruction.value.text
    match instruction:
        case From():
            is_path = looks_like_path(written)
        case Adapter() | Draft():
            is_path = True
        case _:
            return
    if is_path and context.exists and not context.exists(written):
        relative = "paths are relative to the Modelfile's folder"
        hint = f"an absolute path holds on one machine only; {relative}" if is_absolute(written) else relative
        yield Finding(instruction.value.span, f"`{written}` does not exist", hint)
