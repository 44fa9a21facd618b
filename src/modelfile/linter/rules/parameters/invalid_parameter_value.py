"""Rule MF302."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.catalog.catalog import catalog
from modelfile.catalog.parameters import Kind, ParameterSpec
from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule, strip_comment
from modelfile.recipe.values import NotFinite, parse_value
from modelfile.syntax.nodes import Parameter
from modelfile.syntax.suggestions import without_typographic_quotes

_NUMBERS: Final = {
    Kind.INT: "write digits only",
    Kind.FLOAT: "write it with a decimal point",
}
_NUMBER: Final = r"(?<![\w.])[+-]?[0-9]+(?:[.,][0-9]+)?(?![\w.])"
_LONGEST: Final = 40
"""Length of a value from which on it is a text, whose only number may mean anything."""
_DASH: Final = rf"([\u2010-\u2015\u2212\ufe63\uff0d])({_NUMBER})"
_UNEXPANDED: Final = r"\$[({A-Za-z]|\{\{|%\w+%"
_THOUSANDS: Final = r"([0-9]{1,4}) ?[kK]"
_GROUPED: Final = r"[1-9][0-9]{0,2}(?:[,.'_ ][0-9]{3}){1,4}"
"""A whole number with a sign between the thousands."""
_WORDS: Final = {
    "num_gpu": (("all", "auto", "max", "true", "yes", "gpu"), ("none", "off", "cpu", "false", "no")),
    "num_thread": (("auto", "all", "max", "default"),),
    "num_predict": (("unlimited", "infinite", "infinity", "max", "none", "all"),),
    "seed": (("random", "none", "auto"),),
}
"""Words for a number with a special meaning, in whose place people write them."""


def _whole(text: str) -> int | None:
    """Return the whole number that is meant by `8k` or `1,000`; None for other texts."""
    if thousands := re.fullmatch(_THOUSANDS, text):
        return int(thousands[1]) * 1024
    return int(re.sub("[^0-9]", "", text)) if re.fullmatch(_GROUPED, text) else None


def _suggest(known: ParameterSpec, text: str) -> str:
    """Return a hint with the only number in a value, or else with an example."""
    if known.kind is Kind.BOOL:
        return "write true or false"
    if known.kind is Kind.INT and (whole := _whole(text)):
        return f"write `{whole}`"
    if any(text.lower() in words for words in _WORDS.get(known.name, ())):
        return "write " + " or ".join(f"`{number}` ({meaning})" for number, meaning in known.special)
    if re.search(_UNEXPANDED, text):
        return "write the value itself: Ollama expands no variables"
    numbers = [number.replace(",", ".") for number in re.findall(_NUMBER, text)]
    number = numbers[0] if len(numbers) == 1 and len(text) < _LONGEST else ""
    if known.kind is Kind.INT:
        number = re.sub(r"\.0+\Z", "", number)
    if number and number != text and (known.kind is Kind.FLOAT or "." not in number):
        return f"write `{number}`"
    example = f"{_NUMBERS[known.kind]}, as in {known.example}"
    return "; ".join((example, *(_special(known) if not numbers else ())))


def _special(known: ParameterSpec) -> Iterator[str]:
    """Yield the numbers with a special meaning; those with the same one together."""
    for meaning in dict.fromkeys(meaning for _, meaning in known.special):
        yield " or ".join(str(number) for number, other in known.special if other == meaning) + f" means: {meaning}"


@rule("MF302", "invalid-parameter-value", on=Parameter, severity=Severity.ERROR)
def invalid_parameter_value(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A parameter's value has the wrong type.

    Ollama reads values as Go does. A whole number is `4096` or `+5`, but not `4k`, `4096.0` or `0x10`. Other numbers
    may be `.5`, `1e-3` or `1_000.5`. True is `1`, `t` or `true`, false is `0`, `f` or `false`.

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
    if strip_comment(text) is not None and kind is not Kind.STRINGS:
        return
    try:
        parse_value(kind, text)
    except NotFinite:
        return  # non-finite-number
    except ValueError as error:
        problem = f"invalid value `{text}`" if text else "missing value"
        if bare := _number_in_quotes(kind, text):
            hint = f"the typographic quotes are part of the value: write `{bare}`"
            fix = Fix(edits=(Edit(parameter.value.span, bare),))
            yield Finding(parameter.value.span, f"{problem}: `{known.name}` {error}", hint, fix)
            return
        hint = _suggest(known, text)
        if dash := re.fullmatch(_DASH, text):
            hint = f"write `-{dash[2]}`: `{dash[1]}` is no minus sign to Ollama"
        yield Finding(parameter.value.span, f"{problem}: `{known.name}` {error}", hint)


def _number_in_quotes(kind: Kind, text: str) -> str | None:
    """Return the value between typographic quotes, if it is valid."""
    bare = without_typographic_quotes(text)
    try:
        return bare if bare and parse_value(kind, bare) is not None else None
    except ValueError:
        return None
