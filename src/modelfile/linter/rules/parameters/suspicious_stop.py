"""Rule MF313."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.catalog.catalog import catalog
from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.errors import InputError
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Parameter, Quoting
from modelfile.syntax.quoting import quote

_ITEM: Final = r"""(?:"[^"]*"|'[^']*'|<[^<>\s]+>|\[/?[A-Z_]+\])"""
_SEVERAL: Final = rf"{_ITEM}(?:(?:\s*,\s*|\s+){_ITEM})+"
_LIST: Final = rf"""\[\s*(?=["'])(?:{_ITEM}\s*+(?:,\s*+)?+)++\]"""
_QUOTED_MARKERS: Final = r"<[^<>\s]+>(?:\s*,\s*<[^<>\s]+>)+"
_COMMENTED: Final = r"\S+\s+#\s*[^\W\d].*"


@rule("MF313", "suspicious-stop", on=Parameter, severity=Severity.WARNING)
def suspicious_stop(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A stop never stops, or stops too early.

    `PARAMETER stop` takes one text, up to the end of the line. Ollama turns a list, or several stops on one line, into
    one long text with all the commas, brackets and quotes, which no model ever writes. Give each stop a line of its
    own; they add up.

    The opposite is an ordinary word. An answer ends wherever the text of a stop occurs in it, even inside a sentence or
    a longer word: `Result` cuts off at "Results". Use a stop that only marks a turn and that no sentence contains, such
    as `<|im_end|>` or `User:`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop ["<|eot_id|>", "Customer:"]
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop <|eot_id|>
    PARAMETER stop Customer:
    ```
    """
    known, value = catalog().parameters.get(parameter.name.text), parameter.value
    if known is None or known.kind is not Kind.STRINGS or not value.closed:
        return
    stops = _stops_in(context.modelfile.text[value.span.start : value.span.end], value.text, value.quoting)
    if stops:
        message = f"`{value.text}` is one stop, not {len(stops)}: Ollama reads the whole line as one text"
        if len(stops) == 1:
            message = f"the brackets and quotes are part of the stop: `{value.text}`"
        yield Finding(
            value.span,
            message,
            "give each stop a line of its own, without brackets and commas",
            _split(parameter, stops),
        )
    elif value.quoting is Quoting.NONE and re.fullmatch(_COMMENTED, value.text):
        stop, comment = value.text.split(maxsplit=1)
        message = f"the comment is part of the stop: `{value.text}`"
        yield Finding(value.span, message, f"write only `{stop}`, and move `{comment}` to a line of its own")
    elif len(value.text) > 1 and value.text.isalpha() and not value.text.isupper():
        message = f"`{value.text}` is an ordinary word: an answer ends wherever it occurs, even inside a longer word"
        yield Finding(value.span, message, "use a stop that only marks a turn, such as `<|im_end|>` or `User:`")


def _stops_in(written: str, text: str, quoting: Quoting) -> list[str]:
    if re.fullmatch(_LIST, text) or re.fullmatch(_QUOTED_MARKERS, text):
        found = text.strip("[] ") if text.startswith("[") else text
    elif quoting is not Quoting.TRIPLE and re.fullmatch(_SEVERAL, written):
        found = written
    else:
        return []
    return [item.strip("\"'") if item[0] in "\"'" else item for item in re.findall(_ITEM, found)]


def _split(parameter: Parameter, stops: list[str]) -> Fix | None:
    try:
        lines = "\n".join(f"PARAMETER {parameter.name.text} {quote(stop)}" for stop in stops)
    except InputError:
        return None
    return Fix(edits=(Edit(parameter.span, lines),))
