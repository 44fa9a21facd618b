"""Rule MF319."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.errors import InputError
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Parameter
from modelfile.syntax.quoting import quote

_MARKER: Final = r"(?:<[^<>\s]+>|<</?SYS>>|\[/?[A-Z_]+\])[\r\n]+"


@rule("MF319", "stop-with-newline", on=Parameter, severity=Severity.WARNING)
def stop_with_newline(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A stop is a turn marker with a newline after it.

    A model ends its turn with the marker, and writes nothing after it. So the newline never comes, and the stop never
    matches. In a TEMPLATE the newline is part of the text between two turns, not of the answer.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop "<|eot_id|>
    "
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop <|eot_id|>
    ```
    """
    value = parameter.value
    if parameter.name.text != "stop" or not value.closed or not re.fullmatch(_MARKER, value.text):
        return
    stop = value.text.rstrip("\r\n")
    try:
        fix = Fix(edits=(Edit(value.span, quote(stop)),))
    except InputError:
        fix = None
    yield Finding(
        value.span, f"the stop `{stop}` ends in a newline, which no model writes after it", f"write `{stop}`", fix
    )
