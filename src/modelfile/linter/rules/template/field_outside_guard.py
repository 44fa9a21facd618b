"""Rule MF431."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.syntax.modelfile import Modelfile

_GUARDED: Final = frozenset({("Prompt",), ("System",)})


@rule("MF431", "field-outside-guard", on=Modelfile, severity=Severity.WARNING)
def field_outside_guard(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''A guard covers only the head of a turn, not its content.

    `{{ if .System }}` is there to leave out the whole turn if there is no system prompt. If `{{ end }}` comes before
    `{{ .System }}`, only the head of the turn is left out: its content and its end are always sent, so a marker closes
    a turn that was never opened. `.System` is empty from the second question on, `.Prompt` where a conversation begins
    with an answer.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ if .System }}<|im_start|>system
    {{ end }}{{ .System }}<|im_end|>
    <|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ if .System }}<|im_start|>system
    {{ .System }}<|im_end|>
    {{ end }}<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    ```
    '''
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    from modelfile.gotemplate.fields import walk  # imported with the parser, for templates only
    from modelfile.gotemplate.nodes import Field, If, Text

    guarded: set[str] = set()
    printed = {use.span.start: use.name for use in parsed.fields if use.printed and use.always}
    if not {"Prompt", "System"} & {*printed.values()}:  # no others can be guarded
        return
    for node in parsed.nodes:
        if isinstance(node, If):
            condition = [each for each in walk([node.pipeline]) if isinstance(each, Field)]
            body = [*walk(node.body)]
            reads = {each.names for each in body if isinstance(each, Field)}
            is_head = any(isinstance(each, Text) and each.text.strip() for each in body)
            if len(condition) == 1 and condition[0].names in _GUARDED - reads and is_head and not node.orelse:
                guarded.add(condition[0].names[0])
            elif condition and condition[0].names in reads:
                guarded.discard(condition[0].names[0])
        elif guarded:
            for each in walk([node]):
                if isinstance(each, Field) and (name := printed.get(each.span.start)) in guarded:
                    message = f"`.{name}` is outside of `{{{{ if .{name} }}}}`, which covers only the head of the turn"
                    hint = "move `{{ end }}` after the end of the turn"
                    yield Finding(locate_span(each.span, template, modelfile), message, hint)
                    return
