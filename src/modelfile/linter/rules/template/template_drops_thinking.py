"""Rule MF408."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parser

_NAMES: Final = frozenset({"Think", "ThinkLevel", "IsThinkSet", "Thinking"})
_HARMONY: Final = "<|channel|>"


@rule("MF408", "template-drops-thinking", on=Modelfile, severity=Severity.WARNING)
def template_drops_thinking(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE supports thinking only in part.

    Since 0.9.0, Ollama decides by the template if a model can think, and between which tags. Inside `{{ range .Messages
    }}` it looks for `.Thinking`, and takes the text at both ends of the block around it, such as `<think>` and
    `</think>`. If it finds none, requests with thinking fail with "does not support thinking", and the model's thoughts
    are part of its answer. Ollama does not find `$m.Thinking`, or a range over `$.Messages`.

    The rule reports templates that use `.Think`, `.ThinkLevel`, `.IsThinkSet` or `.Thinking`, but lack those tags. It
    skips templates next to a PARSER, which may do the work instead, and those of gpt-oss, whose channels work
    differently.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}{{ .Role }}: {{ .Content }} {{ end }}
    {{- if .Think }}/think{{ end }}"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}{{ .Role }}:
    {{- if .Thinking }}<think>{{ .Thinking }}</think>{{ end }} {{ .Content }} {{ end }}
    {{- if .Think }}/think{{ end }}"""
    ```
    '''
    if modelfile.last(Parser) or not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    from modelfile.gotemplate.capabilities import thinking_tags  # imported with the parser, for templates only

    use = next((use for use in parsed.fields if use.name in _NAMES), None)
    if use and _HARMONY not in template.value.text and not all(thinking_tags(parsed.nodes)):
        message = f"`.{use.name}` has no effect: without tags around `.Thinking`, Ollama rejects requests with thinking"
        hint = "inside `{{ range .Messages }}`, write `{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}`"
        yield Finding(locate_span(use.span, template, modelfile), message, hint)
