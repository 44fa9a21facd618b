"""Rule MF217."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.errors import Speller
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.names import DEFAULT_TAG
from modelfile.syntax.nodes import From

_HOSTS: Final = frozenset({"hf.co", "huggingface.co"})
_KINDS: Final = (
    "Q2_K Q2_K_S Q2_K_L Q2_K_XL Q3_K Q3_K_S Q3_K_M Q3_K_L Q3_K_XL Q4_0 Q4_1 Q4_K Q4_K_S Q4_K_M Q4_K_L Q4_K_XL Q5_0 Q5_1"
    " Q5_K Q5_K_S Q5_K_M Q5_K_L Q5_K_XL Q6_K Q6_K_L Q6_K_XL Q8_0 Q8_K_XL IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M IQ3_XXS"
    " IQ3_XS IQ3_S IQ3_M IQ4_NL IQ4_XS TQ1_0 TQ2_0 BF16 F16 F32 FP16 MXFP4 MXFP4_MOE"
)
"""The quantizations that tags on Hugging Face name (llama.cpp's types, and those of well-known publishers)."""
_QUANTIZED: Final = r"(?:UD[-_]|i1[-_])?(?:I?Q\d[-_.]?[0-9KNSMXL]|QK).*|[BFM]X?P?(?:16|32|4).*"
_ANOTHER: Final = r"I?Q\d(?:_(?:[01KSMLPH48]|XX?[LS]|NL|F16))+|.*\.GGUF"
"""Quantizations of a publisher's own, and the names of files, which may be right."""
_LIBRARY_QUANTIZED: Final = r"(?s)(.*?-)(q\d.*)"
"""Tags of the library that end in a quantization."""
_CUTOFF: Final = 0.75
_CUTOFF_LATEST: Final = 0.83
"""Similarity to `latest` from which on a tag is that, misspelled, from 0 to 1: `latets` has 0.83, `late` 0.8."""

_SIZE: Final = r"(?:\d+x)?\d+(?:\.\d+)?[bm]"
_SIZED: Final = rf"({_SIZE})(?:-(?:chat|instruct|it))?(?:-(?:q\d\w*|b?f16|fp16))?"
"""Tags that begin with a size; not with `e4b`, and not such as `7b-a1b-h`, of which the catalog has few."""


@rule("MF217", "missing-end-of-name", on=From, severity=Severity.WARNING)
def missing_end_of_name(base: From, context: Context) -> Iterator[Finding]:
    r"""The tag is misspelled or cut off.

    The tag of a repository on Hugging Face names a quantization, such as `Q4_K_M`, or is `latest`. Any other tag fails
    when the model is pulled. Upper and lower case are the same.

    In Ollama's library, most tags begin with a size, and may end in a quantization. The rule reports sizes that a known
    model does not have, such as `llama3.2:8b`, and quantizations that there are not, such as `q4_K_N`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M
    ```
    """
    written = base.value.text
    if not base.value.closed or looks_like_path(written) or (context.exists and context.exists(written)):
        return
    name = name_or_none(written)
    if name is None or not name.tagged:
        return
    intended = _intended(name.tag, context.speller, on_hugging_face=name.host.lower() in _HOSTS)
    if intended:
        fixed = f"{written[: -len(name.tag)]}{intended}"
        fix = Fix(edits=(Edit(base.value.span, fixed),))
        yield Finding(base.value.span, f"unknown tag `{name.tag}`", f"did you mean `{intended}`?", fix)
        return
    from modelfile.catalog.families import family_of  # read for most files anyway

    family = family_of(name)
    quantized = re.fullmatch(_LIBRARY_QUANTIZED, name.tag, re.IGNORECASE) if family and family.library else None
    if quantized and (kind := _quantization(quantized[2], context.speller)):
        right = f"{quantized[1]}q{kind[1:]}"
        fix = Fix(edits=(Edit(base.value.span, f"{written[: -len(name.tag)]}{right}"),))
        yield Finding(base.value.span, f"unknown tag `{name.tag}`", f"did you mean `{right}`?", fix)
    elif sized := re.fullmatch(_SIZED, name.tag.lower()):
        known = [each for each in family.sizes if re.fullmatch(_SIZE, each)] if family and family.library else []
        kinds = {("x" in each, each[-1]) for each in known}
        if sized[1] not in known and ("x" in sized[1], sized[1][-1]) in kinds:
            message = f"unknown tag `{name.tag}`: `{name.model}` has no size `{sized[1]}` in Ollama's library"
            yield Finding(base.value.span, message, f"its sizes are {', '.join(f'`{each}`' for each in known)}")


@cache
def _kinds() -> dict[str, str]:
    return {re.sub("_", "", kind): kind for kind in _KINDS.split()}


def _intended(tag: str, speller: Speller, *, on_hugging_face: bool) -> str | None:
    """Return the tag that was intended; None if this one may be right."""
    lower = tag.lower()
    if lower != DEFAULT_TAG and (speller.closest(lower, (DEFAULT_TAG,), _CUTOFF_LATEST) or lower == "lastest"):
        return DEFAULT_TAG
    if not on_hugging_face or not re.fullmatch(_QUANTIZED, tag, re.IGNORECASE):
        return None
    return _quantization(tag, speller)


def _quantization(tag: str, speller: Speller) -> str | None:
    """Return the name of the quantization that was intended; None if this one may be right."""
    prefix = re.match(r"(?:UD|i1)[-_]", tag, re.IGNORECASE)
    start = tag[: prefix.end()] if prefix else ""
    kind = tag[len(start) :].upper()
    kinds = _kinds()
    if kind in kinds.values() or re.fullmatch(_ANOTHER, kind):
        return None
    plain = re.sub(r"[-_.]", "", kind)
    if kind.endswith("_K_") and f"{plain}M" in kinds:
        return f"{start}{kinds[f'{plain}M']}"
    if plain in kinds:
        return start + kinds[plain]
    if re.fullmatch(r"Q\dK[A-Z]", plain) and f"{plain[:3]}M" in kinds:
        return f"{start}{kinds[f'{plain[:3]}M']}"
    closest = speller.closest(plain, kinds, _CUTOFF)
    return start + kinds[closest] if closest else None
