"""Rule MF302."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.catalog.catalog import catalog
from modelfile.catalog.parameters import Kind
from modelfile.catalog.parameters import Parameter as Known
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule, without_comment
from modelfile.recipe.values import NotFinite, parse_value
from modelfile.syntax.nodes import Parameter

_EXAMPLES: Final = {
    Kind.INT: "write digits only, as in 4096",
    Kind.FLOAT: "write it with a point, as in 0.7",
    Kind.BOOL: "write true or false",
}
_NUMBER: Final = r"(?<![\w.])[+-]?[0-9]+(?:[.,][0-9]+)?(?![\w.])"
_THOUSANDS: Final = r"([0-9]{1,4}) ?[kK]"


def _meant(known: Known, text: str) -> str:
    """The one number in a value, as Ollama takes it; else what a value looks like."""
    if known.kind is Kind.BOOL:
        return _EXAMPLES[known.kind]
    if known.kind is Kind.INT and (thousands := re.fullmatch(_THOUSANDS, text)):
        return f"write `{int(thousands[1]) * 1024}`"
    numbers = [number.replace(",", ".") for number in re.findall(_NUMBER, text)]
    number = numbers[0] if len(numbers) == 1 else ""
    if known.kind is Kind.INT:
        number = re.sub(r"\.0+\Z", "", number)
    if number and number != text and (known.kind is Kind.FLOAT or "." not in number):
        return f"write `{number}`"
    special = "".join(f"; {number} means: {meaning}" for number, meaning in known.special) if not numbers else ""
    return f"{_EXAMPLES[known.kind]}{special}"


@rule("MF302", "invalid-parameter-value", on=Parameter, severity=Severity.ERROR)
def invalid_parameter_value(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A parameter's value is not of its type.

    Ollama reads values as Go does. A whole number is `4096` or `+5`, but not `4k`, `4096.0` or `0x10`. Other numbers
    may be `.5`, `1e-3` or `1_000.5`. Yes and no are `1`, `t`, `true` and `0`, `f`, `false`.

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
    except NotFinite:
        return  # not-finite
    except ValueError as error:
        shown = f"`{text}`" if text else "empty"
        yield Finding(parameter.value.span, f"`{known.name}` {error}, not {shown}", _meant(known, text))
