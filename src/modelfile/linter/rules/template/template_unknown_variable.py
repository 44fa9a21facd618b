"""Rule MF403."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.errors import Speller
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import BRACED, effective_template, locate_span
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import System, Template

if TYPE_CHECKING:
    from modelfile.gotemplate.fields import FieldUse
    from modelfile.gotemplate.nodes import If, Text
    from modelfile.gotemplate.parser import ParsedTemplate

_JINJA: Final = re.compile(r"\{%[-+]?\s*(?:if|elif|else|endif|for|endfor|set|macro|endmacro|generation)\b[^%]*%\}")
_CONTENT: Final = frozenset({"message", "text", "body", "value", "msg"})
"""Names that other programs give the text of a message."""
_VARIABLES: Final = {
    "prompt": "Prompt",
    "user_prompt": "Prompt",
    "user_message": "Prompt",
    "user_input": "Prompt",
    "instruction": "Prompt",
    "system_message": "System",
    "system": "System",
    "system_prompt": "System",
    "response": "Response",
}
_BEFORE_FIELD: Final = " \t\r\n({-|"
_NO_PROMPT: Final = "`.Prompt` is not set next to `.Messages`: the model receives `<no value>`"
_LAST: Final = "delete it: the user's message is the last of `.Messages`"


@rule("MF403", "template-unknown-variable", on=Modelfile, severity=Severity.WARNING)
def template_unknown_variable(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE uses an unknown variable.

    A template has the variables `.System`, `.Prompt`, `.Response`, `.Suffix`, `.Messages`, `.Tools`, `.Think`,
    `.ThinkLevel` and `.IsThinkSet`, in exactly this spelling. A template with any other name still builds. If such a
    name is printed, the model receives `<no value>`; in a condition it counts as false, so whatever depends on it is
    never sent. `.First` is such a name since Ollama 0.1.25.

    A message, inside a `range` over `.Messages`, has `.Role`, `.Content`, `.Thinking`, `.Images`, `.ToolCalls`,
    `.ToolName` and `.ToolCallID`. Any other name there fails each request; write `$.System`, `$.Tools` and so on for
    the template's own variables. A template that uses `.Messages` gets no `.Prompt`, except to fill gaps in code.

    Python's `{prompt}` and Jinja's `{% if %}` mean nothing to Go: they are text, and the model receives them unchanged.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ if .First }}{{ .System }}{{ end }} {{ .prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ if .System }}{{ .System }}{{ end }} {{ .Prompt }}
    ```
    """
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    from modelfile.gotemplate.fields import FIELDS  # imported with the parser, for templates only
    from modelfile.gotemplate.nodes import Text

    text = template.value.text
    unknown: dict[tuple[str, str], list[FieldUse]] = {}
    for use in parsed.fields:
        if use.name not in FIELDS[use.of]:
            unknown.setdefault((use.of, use.name), []).append(use)
        elif use.name == "Prompt" and use.printed and use.always and "messages" in parsed.variables:
            yield Finding(locate_span(use.span, template, modelfile), _NO_PROMPT, _LAST)
    for same in _sent(unknown.values(), parsed):
        message, hint, right = _unknown(same[0], context.speller)
        if (same[0].of, same[0].name) == ("template", "First") and (block := _block_of(same[0].span, parsed)):
            message = f"`.First` is always empty since Ollama 0.1.25: this block{_with_system(block)} is never sent"
        fix = None
        # not of a variable
        if right and (right[0] == "." or all(text[use.span.start - 1] in _BEFORE_FIELD for use in same)):
            places = (locate_span(use.span, template, modelfile) for use in same)
            fix = Fix(edits=tuple(Edit(place, right) for place in places), safety=Safety.UNSAFE)
        yield Finding(locate_span(same[0].span, template, modelfile), message, hint, fix)
    for node in parsed.of_type(Text):
        if "{" in node.text:
            yield from _foreign(node, template, modelfile)


def _sent(groups: Collection[list[FieldUse]], parsed: ParsedTemplate) -> Iterator[list[FieldUse]]:
    """Yield the groups without the fields that are never read."""
    blocks = _unreachable(parsed) if groups else []
    starts = [block.start for block in blocks]
    for uses in groups:
        last = ((use, bisect_right(starts, use.span.start) - 1) for use in uses)
        if read := [use for use, index in last if index < 0 or use.span.start >= blocks[index].end]:
            yield read


def _unknown(use: FieldUse, speller: Speller) -> tuple[str, str, str | None]:
    """Return the message, the hint and the intended name, if there is one."""
    from modelfile.gotemplate.fields import FIELDS

    root = use.of == "template"
    effect = "the model receives `<no value>`" if use.printed else "it is always empty"
    message = f"unknown variable `.{use.name}`: {effect}"
    if not root:
        message = f"unknown variable `.{use.name}` of a {use.of}: each request that reaches it fails"
    if root and use.name == "First":
        return message, "write `.System`, which is set in the first turn only; 0.1.25 removed `.First`", ".System"
    lower = use.name.lower()
    known, elsewhere = (
        {name.lower(): name for name in FIELDS[of]} for of in (use.of, "message" if root else "template")
    )
    if lower in elsewhere and lower not in known:
        if root:
            return message, "move it between `{{ range .Messages }}` and `{{ end }}`", None
        right = f"$.{elsewhere[lower]}"
        return message, f"write `{right}`: a {use.of} has no `.{elsewhere[lower]}`", right
    if use.of == "message" and lower in _CONTENT:
        return message, "write `.Content`", ".Content"
    if close := speller.closest(lower, known):
        right = f".{known[close]}"
        return message, f"write `{right}`", right
    return message, f"known variables: {', '.join(f'`.{name}`' for name in known.values())}", None


def _block_of(span: Span, parsed: ParsedTemplate) -> If | None:
    """Return the block whose condition reads a field."""
    from modelfile.gotemplate.nodes import If

    return next(
        (node for node in parsed.of_type(If) if node.pipeline.span.start <= span.start < node.pipeline.span.end), None
    )


def _unreachable(parsed: ParsedTemplate) -> list[Span]:
    """Return the blocks below `{{ if false }}`, which show tags to Ollama's parser of tool calls."""
    from modelfile.gotemplate.nodes import If

    blocks: list[Span] = []
    for node in parsed.of_type(If):
        if node.span.start >= (blocks[-1].end if blocks else 0) and _is_false(node, parsed.text):
            end = node.orelse[0].span.start if node.orelse else node.span.end
            blocks.append(Span(node.pipeline.span.end, end))
    return blocks


def _is_false(block: If, text: str) -> bool:
    return text[block.pipeline.span.start : block.pipeline.span.end].strip() == "false"


def _with_system(block: If) -> str:
    from modelfile.gotemplate.fields import walk
    from modelfile.gotemplate.nodes import Field

    return ", with SYSTEM," * any(isinstance(each, Field) and each.names == ("System",) for each in walk(block.body))


def _foreign(node: Text, template: Template, modelfile: Modelfile) -> Iterator[Finding]:
    def locate(match: re.Match[str]) -> Span:
        return locate_span(Span(node.span.start + match.start(), node.span.start + match.end()), template, modelfile)

    is_unsent = modelfile.last(System) and "{{" not in template.value.text  # otherwise unused-system
    unsent = ", and never SYSTEM" if is_unsent and "system" not in template.value.text.lower() else ""
    for match in BRACED.finditer(node.text):
        message = f"`{match[0]}` is plain text to Ollama: the model receives it unchanged{unsent}"
        right = _VARIABLES.get(match["name"] or "")
        fix = Fix(edits=(Edit(locate(match), f"{{{{ .{right} }}}}"),), safety=Safety.UNSAFE) if right else None
        hint = f"write two braces and a dot, as in `{{{{ .{right or 'Prompt'} }}}}`"
        yield Finding(locate(match), message, hint, fix)
    for match in _JINJA.finditer(node.text):
        message = f"`{match[0]}` is Jinja, plain text to Ollama: the model receives it unchanged"
        yield Finding(locate(match), message, "write it for Go's text/template, as in `{{ if .System }}` … `{{ end }}`")
