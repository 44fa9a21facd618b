"""Parameters (MF3xx)."""

from __future__ import annotations

from modelfile.catalog.catalog import Catalog
from modelfile.catalog.parameters import Kind
from modelfile.linter.rule import Context, once_per_file
from modelfile.recipe.values import parse_value
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter


def parse_number(parameter: Parameter, ollama: Catalog) -> int | float | None:
    """Return the number in a PARAMETER, as Ollama stores it; None if it is no number, or invalid."""
    known = ollama.parameters.get(parameter.name.text)
    if known is None or known.kind not in (Kind.INT, Kind.FLOAT) or not parameter.value.closed:
        return None
    try:
        value = parse_value(known.kind, parameter.value.text)
    except ValueError:
        return None  # invalid-parameter-value, non-finite-number
    return None if isinstance(value, tuple) else value


@once_per_file
def effective_numbers(modelfile: Modelfile, context: Context) -> dict[str, tuple[int | float, Parameter]]:
    """Return the valid numbers of a Modelfile by parameter name, each with its PARAMETER; the last one wins."""
    numbers: dict[str, tuple[int | float, Parameter]] = {}
    for node in modelfile.of_type(Parameter):
        if (value := parse_number(node, context.ollama)) is not None:
            numbers[node.name.text] = value, node
    return numbers
