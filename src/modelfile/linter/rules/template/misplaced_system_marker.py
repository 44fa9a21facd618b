"""Rule MF434."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.template import effective_template
from modelfile.syntax.modelfile import Modelfile

_MARKER: Final = "<<SYS>>"
_NEVER: Final = ("mistral", "mixtral", "codestral", "mathstral")
"""How the names of models begin that have `[INST]`, but not `<<SYS>>`."""


@rule("MF434", "misplaced-system-marker", on=Modelfile, severity=Severity.WARNING)
def misplaced_system_marker(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE writes `<<SYS>>` where the model does not know it.

    Llama 2 was trained on a system prompt between `<<SYS>>` and `<</SYS>>` inside of the first `[INST]`. Before
    `[INST]` it is a text that no turn has. Mistral and Mixtral have `[INST]`, too, but no `<<SYS>>`: there the system
    prompt stands in front of the question, without a marker.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ if .System }}<<SYS>>{{ .System }}<</SYS>>
    {{ end }}[INST] {{ .Prompt }} [/INST]{{ .Response }}</s>"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """[INST] {{ if .System }}<<SYS>>{{ .System }}<</SYS>>
    {{ end }}{{ .Prompt }} [/INST]{{ .Response }}</s>"""
    ```
    '''
    if _MARKER not in modelfile.text or not (found := effective_template(modelfile, context)):
        return
    template, text = found[0], found[1].text
    at, opening = text.find(_MARKER), text.find("[INST]")
    if at < 0:
        return
    span = modelfile.locate_span(template.value, at, at + len(_MARKER))
    family = base_family(modelfile, context)
    if family and family.name.startswith(_NEVER):
        message = f"`{_MARKER}` is a marker of Llama 2: `{family.name}` was not trained on it"
        yield Finding(span, message, "write `[INST] {{ .System }} {{ .Prompt }} [/INST]`, or delete TEMPLATE")
    elif at < opening:
        message = f"`{_MARKER}` stands outside of `[INST]`: Llama 2 knows it only inside of the first one"
        yield Finding(span, message, "move `[INST]` before it")
