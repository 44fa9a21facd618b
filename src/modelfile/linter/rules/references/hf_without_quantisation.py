"""Rule MF212."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.names import ModelName
from modelfile.syntax.nodes import From

_HOSTS: Final = frozenset({"hf.co", "huggingface.co"})


def is_left_to_hugging_face(name: ModelName) -> bool:
    """Whether a name leaves it to Hugging Face which of a repository's files it means."""
    return name.host.lower() in _HOSTS and not name.tagged


@rule("MF212", "hf-without-quantisation", on=From, severity=Severity.WARNING)
def hf_without_quantisation(base: From, context: Context) -> Iterator[Finding]:
    r"""A base on Hugging Face has no tag, so Hugging Face chooses the file.

    On Hugging Face, the tag names one of the repository's GGUF files by its quantisation. Without a tag you get Q4_K_M
    if there is one, or else another file, and which one that is may change as files are added. Name the quantisation,
    or let `mf pin` record what the name means now.

    ## Bad

    ```
    # Answers questions on billing.
    FROM hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M
    ```
    """
    written = base.value.text
    if looks_like_path(written) or (context.exists and context.exists(written)) or written == context.pinned:
        return
    name = name_or_none(written)
    if name and is_left_to_hugging_face(name):
        hint = f"name the quantisation, as in `{written}:Q4_K_M`, or run `mf pin` to record what it means now"
        yield Finding(base.value.span, f"`{written}` leaves the quantisation to Hugging Face", hint)
