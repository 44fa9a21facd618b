"""Rule MF509."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From, License

_TERMS: Final = (
    (re.compile(r"(?:^|meta[-_.]|code|[-_.])llama[-_.]?(?:guard[-_.]?)?[234](?!\d)|codellama", re.IGNORECASE), "Llama"),
    (re.compile(r"(?:^|[-_.]|code|pali|shield)gemma[-_.]?(?:[123](?![\d.]*b)|[27]b)", re.IGNORECASE), "Gemma"),
)
"""Families whose terms ask for a copy of themselves, by the names of their files."""


@rule("MF509", "missing-license", on=Modelfile, severity=Severity.INFO)
def missing_license(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''Weights whose terms go with them, and no LICENSE.

    A base from a registry brings its licences along, but weights from a file bring none: the model has only the LICENSE
    that the Modelfile gives it, in `ollama show` and for anybody who pulls it. The terms of Llama and of Gemma ask you
    to pass on a copy of them with the weights, changed or not. So the rule looks at files with those names only.
    LICENSE takes the text itself and not the name of a file; put all of the terms into it.

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
    if any(isinstance(node, License) for node in modelfile.nodes):
        return
    for node in modelfile.nodes:
        if isinstance(node, From) and node.value.closed and looks_like_path(node.value.text):
            name = re.split(r"[/\\]", node.value.text.rstrip("/\\"))[-1]
            if family := next((family for pattern, family in _TERMS if pattern.search(name)), None):
                message = f"the terms of {family} have to be passed on with this model, but there is no LICENSE"
                hint = 'add LICENSE """…""" with their text; weights from a file bring none along'
                yield Finding(node.value.span, message, hint)
                return
