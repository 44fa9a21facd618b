"""Rule MF509."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From, License

_FAMILIES: Final = (
    (re.compile(r"(?:^|meta[-_.]|code|[-_.])llama[-_.]?(?:guard[-_.]?)?[234](?!\d)|codellama", re.IGNORECASE), "Llama"),
    (re.compile(r"(?:^|[-_.]|code|pali|shield)gemma[-_.]?(?:[123](?![\d.]*b)|[27]b)", re.IGNORECASE), "Gemma"),
)
"""Families whose licenses require a copy of their text, by the names of their files."""


@rule("MF509", "missing-license", on=Modelfile, severity=Severity.INFO, default=False)
def missing_license(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The weights' license requires a copy of its text, and there is no LICENSE.

    A base from a registry brings its licenses along, but weights from a file bring none: the model has only the LICENSE
    in the Modelfile, in `ollama show` and for anyone who pulls it. The licenses of Llama and Gemma require you to
    pass on a copy of their text with the weights, changed or not, so the rule looks at files with those names only.
    LICENSE takes the text itself and not the name of a file; write the whole text into it. This rule is off
    unless you select it, as with `extend-select = ["missing-license"]`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./llama-3.2-3b.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./llama-3.2-3b.gguf
    LICENSE """LLAMA 3.2 COMMUNITY LICENSE AGREEMENT
    … all of its text …"""
    ```
    '''
    if modelfile.of_type(License):
        return
    for node in modelfile.of_type(From):
        if node.value.closed and looks_like_path(node.value.text):
            name = re.split(r"[/\\]", node.value.text.rstrip("/\\"))[-1]
            if family := next((family for pattern, family in _FAMILIES if pattern.search(name)), None):
                message = f"no LICENSE: if you share this model, the {family} license requires a copy of its text"
                hint = 'write LICENSE """…""" with the whole text of the license'
                yield Finding(node.value.span, message, hint)
                return
