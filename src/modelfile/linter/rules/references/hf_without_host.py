"""Rule MF214."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.names import DEFAULT_HOST
from modelfile.source import Span
from modelfile.syntax.nodes import From

_PUBLISHERS: Final = frozenset(
    {
        "bartowski",
        "ggml-org",
        "lmstudio-community",
        "maziyarpanahi",
        "mradermacher",
        "quantfactory",
        "thebloke",
        "unsloth",
    }
)
"""Publishers of GGUF weights on Hugging Face, in repositories whose names end in `-GGUF`."""


@rule("MF214", "hf-without-host", on=From, severity=Severity.WARNING)
def hf_without_host(base: From, context: Context) -> Iterator[Finding]:
    r"""A repository on Hugging Face is named without `hf.co/`.

    Ollama looks up a name without a host on ollama.com. It does not find the repository there, and fails with "pull
    model manifest: file does not exist". The rule reports repositories of publishers that are known for GGUF files on
    Hugging Face.

    ## Bad

    ```
    # Answers questions on billing.
    FROM bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M
    ```
    """
    written = base.value.text
    name = name_or_none(written)
    if not base.value.closed or not name or name.host != DEFAULT_HOST or looks_like_path(written):
        return
    if context.exists and context.exists(written):
        return
    if name.namespace.lower() in _PUBLISHERS and name.model.lower().endswith("-gguf"):
        start = context.modelfile.locate(base.value, 0)
        fix = Fix(edits=(Edit(Span(start, start), "hf.co/"),))
        message = f"`{written}` looks like a Hugging Face repository, but Ollama looks for it on ollama.com"
        yield Finding(base.value.span, message, f"write `hf.co/{written}`", fix)
