"""Rule MF115."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, deletion, last_from, looks_like_path, rule
from modelfile.syntax.nodes import From, Instruction, System, Template


@rule("MF115", "empty-value", on=Instruction, severity=Severity.WARNING)
def empty_value(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""FROM, SYSTEM or TEMPLATE with nothing in it.

    Ollama's parser accepts an empty FROM. Its command line then looks for weights in the Modelfile's own folder, and
    most often ends with "no Modelfile or safetensors files found".

    An empty SYSTEM or TEMPLATE does nothing: the model keeps what its base has. A Modelfile cannot take that away.

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
        if context.weightless and context.weightless(""):
            return  # missing-file
        hint = "name a model, as in `FROM llama3.2:3b`, or a file; if the folder is meant, write `FROM .`"
        yield Finding(value.span, "FROM names nothing: Ollama looks for weights in the Modelfile's folder", hint)
    elif isinstance(instruction, System | Template) and not any(
        isinstance(node, type(instruction)) and node is not instruction for node in context.modelfile.nodes
    ):  # else duplicate-instruction
        word = instruction.keyword.text.strip().upper()
        base = last_from(context.modelfile)
        from_name = base is not None and not looks_like_path(base.value.text)
        message = f"an empty {word} does nothing{': it cannot take away what the base has' if from_name else ''}"
        yield Finding(instruction.span, message, "delete it", deletion(instruction, context.modelfile))
