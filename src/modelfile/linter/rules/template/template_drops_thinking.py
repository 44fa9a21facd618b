"""Rule MF408."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parser

if TYPE_CHECKING:
    from modelfile.gotemplate.nodes import Node

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
    use = next((use for use in parsed.fields if use.name in _NAMES), None)
    if use and _HARMONY not in template.value.text and not all(thinking_tags(parsed.nodes)):
        message = f"`.{use.name}` has no effect: without tags around `.Thinking`, Ollama rejects requests with thinking"
        hint = "inside `{{ range .Messages }}`, write `{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}`"
        yield Finding(locate_span(use.span, template, modelfile), message, hint)


def thinking_tags(nodes: Iterable[Node]) -> tuple[str, str]:
    """Return the tags that Ollama finds (thinking.InferTags)."""
    from modelfile.gotemplate.fields import walk
    from modelfile.gotemplate.nodes import Action, Field, If, Range, TemplateCall, Text, With

    def reads(node: Node, name: str) -> bool:
        match node:
            case If() | Range() | With() | Action() | TemplateCall():
                operands = walk([node.pipeline] if node.pipeline else [])
                return any(isinstance(operand, Field) and operand.names[0] == name for operand in operands)
            case _:
                return False

    opening = closing = ""
    left = _members(nodes, in_messages=False)
    while left:
        node, siblings, in_messages = left.pop()
        if in_messages and reads(node, "Thinking"):
            opening = siblings[0].text if isinstance(siblings[0], Text) else opening
            closing = siblings[-1].text if isinstance(siblings[-1], Text) else closing
        if isinstance(node, If | Range | With):
            within = reads(node, "Messages") if isinstance(node, Range) else in_messages
            left += _members(node.orelse, in_messages=within) + _members(node.body, in_messages=within)
    return opening.strip(), closing.strip()


def _members(nodes: Iterable[Node], *, in_messages: bool) -> list[tuple[Node, tuple[Node, ...], bool]]:
    """Return nodes with all their siblings, the last first, and without comments, which are no nodes to Go."""
    from modelfile.gotemplate.nodes import TemplateComment

    siblings: tuple[Node, ...] = tuple(node for node in nodes if not isinstance(node, TemplateComment))
    return [(node, siblings, in_messages) for node in siblings][::-1]
