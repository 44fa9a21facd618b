"""Rule MF204."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, rule
from modelfile.syntax.nodes import From


@rule("MF204", "digest-in-from", on=From, severity=Severity.ERROR)
def digest_in_from(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM names a model by its digest, which Ollama does not support.

    Container images are pinned as `model@sha256:…`, but Ollama rejects that as "invalid model name". Write a tag
    instead. `mf pin` records in the lock which model the tag means, and `mf pin --check` reports when that changes.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2@sha256:dde5aa3fc5ffc17176b5e8bdc82f587b24b2678c6c66101bf7da77af9f7ccdff
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    written = base.value.text
    if "@sha256:" not in written or " #" in written or not base.value.closed:  # inline-comment
        return
    if not looks_like_path(written) and not (context.exists and context.exists(written)):
        message = f"invalid model name `{written}`: Ollama reads no digests in FROM"
        yield Finding(base.value.span, message, "write a tag instead of the digest, and pin it with `mf pin`")
