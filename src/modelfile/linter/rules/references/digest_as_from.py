"""Rule MF216."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import From

_DIGEST: Final = r"sha256[:-][0-9a-f]{6,64}…?|[0-9a-f]{64}|(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{12}"


@lru_cache(maxsize=1 << 10)
def is_digest(written: str) -> bool:
    """Return True if a FROM is a digest, or an ID as `ollama list` prints it, and no model's name."""
    return re.fullmatch(_DIGEST, written, re.IGNORECASE) is not None


@rule("MF216", "digest-as-from", on=From, severity=Severity.ERROR)
def digest_as_from(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM is a digest, and Ollama reads it as a name.

    Docker builds from an image's ID; Ollama does not. It reads `sha256:…` as the model `sha256` with a tag, and the ID
    that `ollama list` prints as a model of that name, and fails to pull it. Write the model's name, and record what it
    means with `mf pin`. A bare ID is a warning, because a model might have such a name.

    ## Bad

    ```
    # Answers questions on billing.
    FROM sha256:dde5aa3fc5ffc17176b5e8bdc82f587b24b2678c6c66101bf7da77af9f7ccdff
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    written = base.value.text
    if base.value.closed and is_digest(written) and not (context.exists and context.exists(written)):
        message = f"FROM cannot name a model by digest: Ollama reads `{written}` as a name"
        hint = "write the model's name, which `ollama list` shows beside the ID, and pin it with `mf pin`"
        severity = Severity.ERROR if written.lower().startswith("sha256") else Severity.WARNING
        yield Finding(base.value.span, message, hint, severity=severity)
