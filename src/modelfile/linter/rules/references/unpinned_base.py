"""Rule MF201."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.linter.rules.references.hf_without_quantisation import is_left_to_hugging_face
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE
from modelfile.syntax.nodes import From


@rule("MF201", "unpinned-base", on=From, severity=Severity.WARNING)
def unpinned_base(base: From, context: Context) -> Iterator[Finding]:
    r"""The base has no tag, or the tag `latest`, and the lock does not pin it.

    Such a name may mean another model next month: then the same text builds something else. Name the size or version,
    or let `mf pin` record what it means now; then `mf pin --check` tells when it has moved.

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
    if looks_like_path(written) or (context.exists and context.exists(written)) or written == context.pinned:
        return
    name = name_or_none(written)
    if name and name.moving and not is_left_to_hugging_face(name):
        what = f"tag `{name.tag}`" if name.tagged else "no tag"
        in_library = (name.host, name.namespace) == (DEFAULT_HOST, DEFAULT_NAMESPACE)
        listed = f" (https://ollama.com/library/{name.model}/tags lists them)" if in_library else ""
        hint = f"name one{listed}, or run `mf pin` to record what it means now"
        yield Finding(base.value.span, f"the base `{written}` has {what}: it may mean another model next month", hint)
