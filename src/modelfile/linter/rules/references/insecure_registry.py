"""Rule MF210."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, name_or_none, rule
from modelfile.syntax.nodes import From

_LOOPBACK: Final = re.compile(r"(?:localhost|127\.[0-9.]+)(?::[0-9]+)?", re.IGNORECASE)


@rule("MF210", "insecure-registry", on=From, severity=Severity.WARNING)
def insecure_registry(base: From, context: Context) -> Iterator[Finding]:
    r"""The base comes over http.

    Then nobody can tell whether the weights come from that registry or from somebody in between. A registry on the same
    machine is not reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM http://models.example.com/team/llama3.2:3b
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM models.example.com/team/llama3.2:3b
    ```
    """
    written = base.value.text
    if not written.lower().startswith("http://") or (context.exists and context.exists(written)):
        return
    name = name_or_none(written)
    if name and not _LOOPBACK.fullmatch(name.host):
        hint = "leave `http://` out, so that Ollama asks over https"
        yield Finding(base.value.span, f"`{written}` is fetched over http: anybody in between can change it", hint)
