"""Rule MF201."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.linter.rules.references.hf_without_quantization import lacks_quantization
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE
from modelfile.syntax.nodes import From


@rule("MF201", "unpinned-base", on=From, severity=Severity.WARNING)
def unpinned_base(base: From, context: Context) -> Iterator[Finding]:
    r"""The base has no tag, or the tag `latest`, and the lock does not pin it.

    Such a name can mean another model next month, and then the same Modelfile builds something else. Write a tag that
    names the size or version, or run `mf pin` to record what the name means now; `mf pin --check` then reports when
    that changes.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    written = base.value.text
    if looks_like_path(written) or (context.exists and context.exists(written)) or written == context.pinned_base:
        return
    name = name_or_none(written)
    if name and name.has_moving_tag and not lacks_quantization(name):
        problem = "can change" if name.tagged else "has no tag; it means `latest`, which can change"
        in_library = (name.host, name.namespace) == (DEFAULT_HOST, DEFAULT_NAMESPACE)
        listed = f" from https://ollama.com/library/{name.model}/tags" if in_library else ""
        yield Finding(base.value.span, f"`{written}` {problem}", f"pin a tag{listed}, or run `mf pin`")
