"""Rule MF207."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, no_folder, rule
from modelfile.linter.rules.references.absolute_path import is_absolute, way_on
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction


@rule("MF207", "missing-file", on=Instruction, severity=Severity.ERROR, cannot_decide=no_folder)
def missing_file(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A path does not exist.

    Paths are relative to the Modelfile's folder. Ollama takes a FROM that does not exist for the name of a model, and
    tries to pull it; it refuses an ADAPTER or DRAFT that does not exist, and every folder without weights.

    Where the weights are not in git, as in CI, write `# mf: ignore[missing-file] why` above the line: it is not
    reported as unused on the machines that have them.

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
    if context.weightless and instruction.value.closed and context.weightless(written):
        folder = f"the folder `{written}`" if written else "FROM names nothing, and the Modelfile's own folder"
        hint = "Ollama looks for *.safetensors, *.gguf, *.bin"
        yield Finding(instruction.value.span, f"{folder} holds no weights", hint)
    elif is_path and context.exists and not context.exists(written):
        message = f"`{written}` does not exist"
        if is_absolute(written):
            message, hint = f"{message} on this machine", way_on(instruction)
        elif isinstance(instruction, From):
            hint = "paths are relative to the Modelfile's folder; Ollama takes this one for a model's name"
        else:
            hint = "paths are relative to the Modelfile's folder"
        yield Finding(instruction.value.span, message, hint)
