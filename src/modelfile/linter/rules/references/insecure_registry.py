"""Rule MF210."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, name_or_none, rule
from modelfile.linter.rules.references import is_download
from modelfile.syntax.nodes import From

_LOOPBACK: Final = re.compile(r"(?:localhost|127\.[0-9.]+)(?::[0-9]+)?", re.IGNORECASE)


@rule("MF210", "insecure-registry", on=From, severity=Severity.WARNING)
def insecure_registry(base: From, context: Context) -> Iterator[Finding]:
    r"""The base is pulled over http.

    Over http, anyone on the network path can replace the weights unnoticed. A registry on the same machine is not
    reported.

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
    name = None if is_download(written) else name_or_none(written)
    if name and not _LOOPBACK.fullmatch(name.host):
        hint = "remove `http://`, so that Ollama uses https"
        yield Finding(base.value.span, f"`{written}` is pulled over http: anyone in between can change it", hint)
