"""Rule MF304."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.recipe.values import parse_value
from modelfile.syntax.nodes import Parameter


@rule("MF304", "excessive-precision", on=Parameter, severity=Severity.INFO)
def excessive_precision(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A number has more digits than Ollama stores.

    Ollama stores numbers as 32-bit floats, which have about seven digits. The model then shows the rounded number,
    which differs from the one in the Modelfile.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.1234567891
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.12345679
    ```
    """
    known, text = context.ollama.parameters.get(parameter.name.text), parameter.value.text
    if known is None or known.kind is not Kind.FLOAT or not parameter.value.closed:
        return
    try:
        stored = parse_value(known.kind, text)
        written = float(text)
    except ValueError:
        return  # invalid-parameter-value, or hexadecimal
    if stored != written:
        fix = Fix(edits=(Edit(parameter.value.span, str(stored)),), safety=Safety.SAFE)
        yield Finding(parameter.value.span, f"`{text}` is stored as {stored}", f"write `{stored}`", fix)
