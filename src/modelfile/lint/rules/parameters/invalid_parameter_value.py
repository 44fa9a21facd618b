"""Rule MF302."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.parameters import Kind
from modelfile.catalog.target import catalog
from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule, without_comment
from modelfile.semantics.literals import parse_value
from modelfile.syntax.nodes import Parameter

_EXAMPLES = {
    Kind.INT: "write digits only, as in 4096",
    Kind.FLOAT: "write it with a point, as in 0.7",
    Kind.BOOL: "write true or false",
}


@rule("MF302", "invalid-parameter-value", on=Parameter, severity=Severity.ERROR)
def invalid_parameter_value(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A parameter's value is not of its type.

    Ollama reads values as Go does: `4096` and `+5`, but neither `4k` nor `4096.0` nor `0x10` for a whole number;
    `.5`, `1e-3` and `1_000.5` for a number; `1`, `t`, `true`, `0`, `f`, `false` for yes and no.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER num_ctx 8k
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER num_ctx 8192
    ```
    """
    known = catalog().parameters.get(parameter.name.text)
    if known is None or not parameter.value.closed:
        return
    kind, text = known.kind, parameter.value.text
    if without_comment(text) is not None and kind is not Kind.STRINGS:
        return
    try:
        parse_value(kind, text)
    except ValueError as error:
        shown = f"`{text}`" if text else "empty"
        yield Finding(parameter.value.span, f"`{parameter.name.text}` {error}, not {shown}", _EXAMPLES[kind])
