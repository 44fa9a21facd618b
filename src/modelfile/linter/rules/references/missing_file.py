"""Rule MF207."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, no_folder, rule
from modelfile.linter.rules.references.absolute_path import is_absolute, suggest_path
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction


@rule("MF207", "missing-file", on=Instruction, severity=Severity.ERROR, cannot_decide=no_folder)
def missing_file(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A file or folder is missing.

    Paths are relative to the Modelfile's folder. Ollama rejects an ADAPTER or DRAFT that does not exist, and every
    folder without weights. It reads a FROM that does not exist as a model name, and tries to pull it.

    If the weights are not in git, as in CI, write `# mf: ignore[missing-file] reason` above the line. That comment is
    not reported as unused on machines that have the file.

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
    if context.lacks_weights and instruction.value.closed and context.lacks_weights(written):
        folder = f"`{written}`" if written else "the Modelfile's folder, which an empty FROM means"
        hint = "add *.safetensors, *.gguf or *.bin files, or name a model"
        yield Finding(instruction.value.span, f"no weights in {folder}", hint)
    elif is_path and context.exists and not context.exists(written):
        message = f"file not found: `{written}`"
        if is_absolute(written):
            hint = suggest_path(instruction)
        elif isinstance(instruction, From):
            hint = "paths are relative to the Modelfile's folder; Ollama reads this one as a model name"
        else:
            hint = "paths are relative to the Modelfile's folder"
        yield Finding(instruction.value.span, message, hint)
