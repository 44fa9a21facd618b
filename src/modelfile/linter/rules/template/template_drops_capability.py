"""Rule MF418."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, last_from, rule
from modelfile.linter.rules.template import effective_template, template_turns
from modelfile.linter.rules.template.foreign_template import uses_foreign_markers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parser

_FIELDS: Final = (
    ("tools", "Tools", "tools"),
    ("thinking", "Thinking", "thinking"),
    ("insert", "Suffix", "a suffix"),
)
"""A capability, the variable of a template that gives it, and what requests have that fail without it."""
_HARMONY: Final = "harmony"
"""The format whose thinking Ollama finds without `.Thinking` (gpt-oss)."""


@rule("MF418", "template-drops-capability", on=Modelfile, severity=Severity.INFO)
def template_drops_capability(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE takes capabilities away that the base has.

    Ollama decides by the template what a model can do: use tools if it has `.Tools`, think if it has `.Thinking`, fill
    gaps in code if it has `.Suffix`. A TEMPLATE replaces that of the base as a whole. If it lacks the variable,
    requests fail with "does not support tools", and `ollama show` no longer lists the capability. Images need none.

    The rule knows the capabilities of the models in Ollama's library. It skips files with a PARSER, which may add them.
    Most often the TEMPLATE can go: instructions for the model belong in SYSTEM.

    ## Bad

    ```
    # Answers questions on billing.
    FROM qwen2.5:7b
    TEMPLATE """{{ if .System }}<|im_start|>system
    {{ .System }}<|im_end|>
    {{ end }}<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    SYSTEM Answer in one sentence.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM qwen2.5:7b
    SYSTEM Answer in one sentence.
    ```
    '''
    if not (found := effective_template(modelfile, context)) or modelfile.last(Parser):
        return
    family = base_family(modelfile, context)  # 2 ms that a Modelfile without TEMPLATE does not pay
    if family is None or not family.library:
        return
    template, parsed = found
    turns = template_turns(parsed.text)
    is_unmarked = turns is None or (turns.plain and not (family.turns and family.turns.plain))
    is_fill_in = family.turns is None and family.capabilities == {"insert"}
    if (not is_fill_in and (turns is None or is_unmarked)) or uses_foreign_markers(
        modelfile, context
    ):  # the worse defect
        return
    dropped = [
        each
        for each in _FIELDS
        if each[0] in family.capabilities
        and each[1].lower() not in parsed.variables
        and (each[0], turns and turns.name) != ("thinking", _HARMONY)
    ]
    if dropped and not (dropped[0][0] == "tools" and "toolcalls" in parsed.variables):  # template-drops-tools
        capabilities, fields, requests = zip(*dropped, strict=True)
        lacks = f"no `.{fields[0]}`" if len(fields) == 1 else f"neither {' nor '.join(f'`.{name}`' for name in fields)}"
        message = f"`{family.name}` supports {_join(capabilities)}, but this TEMPLATE has {lacks}"
        message += f": requests with {' or '.join(requests)} fail"
        base = last_from(modelfile)
        written = base.value.text if base else family.name
        hint = f"delete TEMPLATE, or start from the output of `ollama show --template {written}`"
        yield Finding(template.keyword.span, message, hint)


def _join(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
