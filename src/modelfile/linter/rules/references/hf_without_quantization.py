"""Rule MF212."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.linter.rules.references.hf_without_host import find_repository
from modelfile.names import ModelName
from modelfile.syntax.nodes import From

_HOSTS: Final = frozenset({"hf.co", "huggingface.co"})
_ONE_FILE: Final = r"(?i:.*[-._](?:I?Q[1-8]_\w+|TQ[12]_0|BF16|F16|F32)-GGUF)"
"""Names of repositories of one file, as the converter of Hugging Face (GGUF-my-repo) gives them. Compiled on use."""


def lacks_quantization(name: ModelName) -> bool:
    """Return True if a name leaves the choice of a repository's file to Hugging Face."""
    return name.host.lower() in _HOSTS and not name.tagged


@rule("MF212", "hf-without-quantization", on=From, severity=Severity.WARNING)
def hf_without_quantization(base: From, context: Context) -> Iterator[Finding]:
    r"""A base on Hugging Face has no tag, so Hugging Face chooses the file.

    On Hugging Face, the tag names one of the repository's GGUF files by its quantization. Without a tag you get Q4_K_M
    if there is one, otherwise another file, and which one may change as files are added. Name the quantization, or run
    `mf pin` to record what the name means now. A repository whose name ends in a quantization, such as
    `gemma-2-2b-it-Q4_K_M-GGUF`, has one file only, and is not reported.

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
    if looks_like_path(written) or (context.exists and context.exists(written)) or written == context.pinned_base:
        return
    name = name_or_none(written)
    if name and lacks_quantization(name) and not find_repository(written) and not re.fullmatch(_ONE_FILE, name.model):
        hint = f"pin a quantization, for example `{written}:Q4_K_M`, or run `mf pin`"
        yield Finding(base.value.span, f"`{written}` has no tag; Hugging Face chooses the quantization", hint)
