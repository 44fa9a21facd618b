"""Rule MF115."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, deletion, last_from, looks_like_path, rule
from modelfile.syntax.nodes import From, Instruction, System, Template


@rule("MF115", "empty-value", on=Instruction, severity=Severity.WARNING)
def empty_value(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""FROM, SYSTEM or TEMPLATE is empty.

    Ollama's parser accepts an empty FROM. `ollama create` then looks for weights in the Modelfile's own folder, and
    usually fails with "no Modelfile or safetensors files found".

    An empty SYSTEM or TEMPLATE has no effect: the model keeps that of its base. A Modelfile cannot remove it.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    value = instruction.value
    if value.text or not value.closed:
        return
    if isinstance(instruction, From):
        if context.missing_weights and context.missing_weights(""):
            return  # missing-file
        hint = "name a model, as in `FROM llama3.2:3b`, or a file; for the folder, write `FROM .`"
        yield Finding(value.span, "FROM is empty: Ollama looks for weights in the Modelfile's folder", hint)
    elif isinstance(instruction, System | Template) and len(context.modelfile.of_type(type(instruction))) == 1:
        # otherwise duplicate-instruction
        word = instruction.keyword.text.strip().upper()
        base = last_from(context.modelfile)
        from_name = base is not None and not looks_like_path(base.value.text)
        message = f"empty {word} has no effect{': the model keeps that of its base' if from_name else ''}"
        yield Finding(instruction.span, message, "delete the line", deletion(instruction, context.modelfile))
