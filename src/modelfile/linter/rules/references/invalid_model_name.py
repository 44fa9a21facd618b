"""Rule MF205."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.characters import is_homoglyph
from modelfile.diagnostics import Finding, Severity
from modelfile.errors import UsageError
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.names import ModelName
from modelfile.syntax.nodes import From

_PLACEHOLDER: Final = re.compile(r"[<>{}\[\]]|\$|\A\.{3}\Z|\byour\b", re.IGNORECASE)
_SEPARATOR: Final = re.compile(r"[,\s]+")
_FEWEST_NAMES: Final = 3


@rule("MF205", "invalid-model-name", on=From, severity=Severity.ERROR)
def invalid_model_name(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM is neither an existing path nor a valid model name.

    A model name is `[host/][namespace/]model[:tag]`; each part has up to 80 letters, digits, `_`, `.` and `-`. Ollama
    rejects any other name when it builds, as "invalid model name".

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama 3.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    written = base.value.text
    if not written or not base.value.closed or looks_like_path(written) or (context.exists and context.exists(written)):
        return
    try:
        ModelName.parse(written)
    except UsageError as error:
        if " #" not in written and "@sha256:" not in written and not is_homoglyph(written):  # other rules report these
            shape = (error.hint or "").removeprefix(f"invalid model `{written}`: ")
            yield Finding(base.value.span, error.message, _hint(written) or shape)


def _hint(written: str) -> str | None:
    if _PLACEHOLDER.search(written):
        return "replace the placeholder with a model name, as in `FROM llama3.2:3b`"
    names = [name for name in _SEPARATOR.split(written) if name_or_none(name)]
    if len(names) >= _FEWEST_NAMES:
        return f"a model has one base: keep one of the {len(names)} names"
    return None
