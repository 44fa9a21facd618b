"""Rule MF201."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.linter.rules.references import is_download
from modelfile.linter.rules.references.digest_as_from import is_digest
from modelfile.linter.rules.references.hf_without_host import find_repository
from modelfile.linter.rules.references.hf_without_quantization import lacks_quantization
from modelfile.linter.rules.references.misspelled_model import find_elsewhere, find_misspelled_model
from modelfile.linter.rules.text.placeholder import is_placeholder
from modelfile.names import ModelName
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
    if is_download(written) or is_digest(written) or find_repository(written):
        return  # invalid-model-name, digest-as-from, hf-without-host
    if find_misspelled_model(base, context) or find_elsewhere(base, context):
        return  # misspelled-model
    name = name_or_none(written)
    if name and name.has_moving_tag and not lacks_quantization(name) and not is_placeholder(written):
        problem = "can change" if name.tagged else "has no tag; it means `latest`, which can change"
        yield Finding(base.value.span, f"`{written}` {problem}", f"pin a tag{_example(name)}, or run `mf pin`")


def _example(name: ModelName) -> str:
    """Return an example for the hint, if the model is in Ollama's library, and else nothing."""
    from modelfile.catalog.families import family_of  # 1 ms that a pinned base saves

    family = family_of(name)
    if family is None or not family.library:
        return ""
    if family.usual_size:
        return f", for example `{name.model}:{family.usual_size}`"
    return f" from https://ollama.com/library/{name.model}/tags"
