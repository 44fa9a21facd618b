"""Rule MF416."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span, template_turns
from modelfile.linter.rules.template.foreign_template import uses_foreign_markers
from modelfile.linter.rules.template.misspelled_marker import misspelled
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.catalog.families import TurnFormat
    from modelfile.gotemplate.nodes import Node
    from modelfile.gotemplate.parser import ParsedTemplate


@rule("MF416", "system-unguarded", on=Modelfile, severity=Severity.INFO)
def system_unguarded(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE sends an empty system turn.

    Ollama runs a template without `.Messages` once for each question, and sets `.System` in the first run only. A
    template that always writes the markers of the system turn sends an empty one before each later question, unlike
    anything that the model was trained on. Without a system prompt, even the first one is empty.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>system
    {{ .System }}<|im_end|>
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
    if not (found := effective_template(modelfile, context)) or "messages" in found[1].variables:
        return
    template, parsed = found
    if uses_foreign_markers(modelfile, context) or misspelled(parsed.text):  # reported there
        return
    system = next((use for use in parsed.fields if use.name == "System" and use.printed and use.always), None)
    turns = template_turns(parsed.text)
    if system is None or turns is None or not (block := _block(parsed, system.span, turns)):
        return
    start, end = (modelfile.locate(template.value, offset) for offset in (block.start, block.end))
    edits = Edit(Span(start, start), "{{ if .System }}"), Edit(Span(end, end), "{{ end }}")
    message = "an empty system turn is sent before each later question: `.System` is set for the first one only"
    hint = "wrap the turn in `{{ if .System }}` and `{{ end }}`"
    yield Finding(locate_span(system.span, template, modelfile), message, hint, Fix(edits=edits, safety=Safety.UNSAFE))


def _block(parsed: ParsedTemplate, system: Span, turns: TurnFormat) -> Span | None:
    """Return the turn that has only the system prompt; None if there is none, or no fix would be right."""
    index = next(at for at, node in enumerate(parsed.nodes) if node.span.start < system.start < node.span.end)
    before, after = _text(parsed, index - 1), _text(parsed, index + 1)
    opens = [each for each in (*turns.opens, *turns.markers) if each not in turns.ends]
    start = max((before[1].rfind(each) for each in opens), default=-1)
    head = before[1][start:]
    is_system = any(word in head.lower() for word in ("system", "<<sys>>"))
    if start < 0 or not is_system:
        return None
    ends = [*turns.ends, "<</SYS>>", "[/SYSTEM_PROMPT]"]
    if turns.plain:
        ends = ["\n"]
    found = [(after[1].find(each), each) for each in ends if each in after[1]]
    if not found:
        return None
    offset, marker = min(found)
    if any(0 <= after[1].find(each) < offset for each in opens):
        return None
    end = offset + len(marker)
    return Span(before[0] + start, after[0] + end + after[1][end:].startswith("\n"))


def _text(parsed: ParsedTemplate, index: int) -> tuple[int, str]:
    """Return the offset and the text of a node; an empty text if it is not text, or whitespace was trimmed from it."""
    from modelfile.gotemplate.nodes import Text

    node: Node | None = parsed.nodes[index] if 0 <= index < len(parsed.nodes) else None
    if not isinstance(node, Text) or parsed.text[node.span.start : node.span.end] != node.text:
        return 0, ""
    return node.span.start, node.text
