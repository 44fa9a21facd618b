"""Rule MF435."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.template import effective_template
from modelfile.syntax.modelfile import Modelfile


class _Markers(NamedTuple):
    prefix: str
    suffix: str
    middle: str


_STAR: Final = _Markers("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
_PIPED: Final = _Markers("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_DEEPSEEK: Final = _Markers("<\uff5cfim\u2581begin\uff5c>", "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>")
_LLAMA: Final = _Markers("<PRE>", "<SUF>", "<MID>")
_FAMILIES: Final = {
    "codellama": _LLAMA,
    "qwen2.5-coder": _PIPED,
    "qwen3-coder": _PIPED,
    "codegemma": _PIPED,
    "starcoder2": _STAR,
    "granite-code": _STAR,
    "yi-coder": _STAR,
    "deepseek-coder": _DEEPSEEK,
    "deepseek-coder-v2": _DEEPSEEK,
}
"""The markers around a gap in code, by model (the models' cards, and the templates of Ollama's library)."""


@rule("MF435", "foreign-fill-in", on=Modelfile, severity=Severity.WARNING)
def foreign_fill_in(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE marks a gap in code as another model does, or with its parts exchanged.

    An editor sends the code before the cursor as `.Prompt` and that after it as `.Suffix`. Each model was trained on
    its own markers around them: `<PRE> <SUF> <MID>` for Code Llama, `<|fim_prefix|>` for Qwen and CodeGemma,
    `<fim_prefix>` for StarCoder. With others, or with the suffix behind the marker of the prefix, it writes code that
    does not fit the gap.

    ## Bad

    ```
    # Completes code.
    FROM codellama:7b-code
    TEMPLATE <fim_prefix>{{ .Prompt }}<fim_suffix>{{ .Suffix }}<fim_middle>
    ```

    ## Good

    ```
    # Completes code.
    FROM codellama:7b-code
    TEMPLATE <PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>
    ```
    """
    if ".Suffix" not in modelfile.text or not (found := effective_template(modelfile, context)):
        return
    template, text = found[0], found[1].text
    family = base_family(modelfile, context)
    own = _FAMILIES.get(family.name) if family else None
    written = next((each for each in (*dict.fromkeys(_FAMILIES.values()),) if each.suffix in text), None)
    if written is None:
        return
    at = text.find(written.suffix)
    span = modelfile.locate_span(template.value, at, at + len(written.suffix))
    if family and own and written != own and own.suffix not in text:
        message = f"`{written.suffix}` is not a marker of `{family.name}`, which was trained on `{own.suffix}`"
        hint = f"write `{own.prefix}{{{{ .Prompt }}}}{own.suffix}{{{{ .Suffix }}}}{own.middle}`"
        yield Finding(span, message, hint)
    elif re.search(rf"{re.escape(written.prefix)}\s*\{{\{{-?\s*\.Suffix\b", text) or re.search(
        rf"{re.escape(written.suffix)}\s*\{{\{{-?\s*\.Prompt\b", text
    ):
        message = f"the code before the gap stands behind `{written.suffix}`, and that after it elsewhere"
        yield Finding(span, message, f"write `{written.prefix}{{{{ .Prompt }}}}{written.suffix}{{{{ .Suffix }}}}`")
