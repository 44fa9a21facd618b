"""Rule MF303."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.catalog import catalog
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.recipe.values import NotFinite, parse_value
from modelfile.syntax.nodes import Parameter


@rule("MF303", "non-finite-number", on=Parameter, severity=Severity.ERROR)
def non_finite_number(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A number is infinite, `nan` or too large.

    Go reads `inf`, `infinity` and `nan` in any case as numbers, so Ollama's parser accepts them. `ollama create` then
    cannot write them as JSON, and fails with "unsupported value". Ollama stores numbers as 32-bit floats, the largest
    of which is about 3.4e38, and rejects anything above that as "invalid float value".

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER repeat_penalty inf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER repeat_penalty 1.1
    ```
    """
    known, text = catalog().parameters.get(parameter.name.text), parameter.value.text
    if known is None or not parameter.value.closed:
        return
    try:
        parse_value(known.kind, text)
    except NotFinite as error:
        message = f"invalid value `{text}`: `{known.name}` {error}"
        yield Finding(parameter.value.span, message, "write a finite number, or delete the line to use the default")
    except ValueError:
        return  # invalid-parameter-value
