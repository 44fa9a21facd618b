"""Rule MF422."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from modelfile.catalog.versions import Version
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.gotemplate.nodes import Action, Node, Operand, Pipeline
    from modelfile.gotemplate.parser import ParsedTemplate

_STRUCTS: Final = {("tool", "Function"), ("function of a tool", "Parameters")}
_STRUCTS_SINCE: Final = Version(0, 14, 0)
"""The first release that prints these as Go structs (measured on 0.33; 0.9.3 printed JSON; ollama/ollama#14601)."""
_TOOLS_PRINT_JSON: Final = Version(0, 30, 0)
"""The first release since then that prints a tool itself as JSON again (measured on 0.33)."""


@rule("MF422", "tool-printed-as-struct", on=Modelfile, severity=Severity.WARNING)
def tool_printed_as_struct(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE prints tools in a form that models do not know.

    Since Ollama 0.14.0, `{{ .Function }}` and `{{ .Function.Parameters }}` of a tool print a Go struct, something like
    `{get_bill Get a bill {object …}}`. Models were trained on JSON and call such tools wrongly, or not at all. `json`
    prints JSON in every version. From 0.14.0 to before 0.30.0, `{{ . }}` inside `{{ range .Tools }}` did the same.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Tools }}{{ .Function }}{{ end }}
    {{ range .Messages }}{{ .Role }}{{ .Content }}{{ .ToolCalls }}{{ end }}"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Tools }}{{ json .Function }}{{ end }}
    {{ range .Messages }}{{ .Role }}{{ .Content }}{{ .ToolCalls }}{{ end }}"""
    ```
    '''
    found = effective_template(modelfile, context)
    if not found or "tools" not in found[1].variables or context.ollama.version < _STRUCTS_SINCE:
        return
    template, parsed = found
    ends = {use.span.end for use in parsed.fields if use.printed and (use.of, use.name) in _STRUCTS}
    spans = [*_printed(parsed, ends, dots=context.ollama.version < _TOOLS_PRINT_JSON)]
    if spans:
        places = [locate_span(span, template, modelfile) for span in spans]
        edits = tuple(Edit(Span(place.start, place.start), "json ") for place in places)
        written = parsed.text[spans[0].start : spans[0].end]
        message = (
            f"`{{{{ {written} }}}}` prints a Go struct since Ollama 0.14.0, not JSON: models cannot read the tools"
        )
        hint = f"write `{{{{ json {written} }}}}`"
        yield Finding(places[0], message, hint, Fix(edits=edits, safety=Safety.UNSAFE))


def _printed(parsed: ParsedTemplate, ends: set[int], *, dots: bool) -> Iterator[Span]:
    """Yield the operands that are printed and end at one of these offsets, and the tools themselves."""
    from modelfile.gotemplate.fields import walk
    from modelfile.gotemplate.nodes import Action, Range

    for node in parsed.walked:
        if isinstance(node, Action) and (operand := _only(node.pipeline)) and operand.end in ends:
            yield operand
        elif dots and isinstance(node, Range) and _reads_tools(node.pipeline):
            inside = [each for each in walk(node.body) if isinstance(each, Range)]
            last = inside[0].span.start if inside else node.span.end
            yield from _dots(node.body, last)


def _only(pipeline: Pipeline) -> Span | None:
    commands = pipeline.commands
    return commands[0].operands[0].span if len(commands) == len(commands[0].operands) == 1 else None


def _reads_tools(pipeline: Pipeline) -> bool:
    from modelfile.gotemplate.fields import walk
    from modelfile.gotemplate.nodes import Field, Variable

    operands = [*walk([pipeline])]
    return any(
        (isinstance(each, Field) and each.names == ("Tools",))
        or (isinstance(each, Variable) and each.fields == ("Tools",))
        for each in operands
    )


def _dots(nodes: Iterable[Node], end: int) -> Iterator[Span]:
    """Yield the dots that are printed before an offset, outside any other `range` and `with`."""
    from modelfile.gotemplate.nodes import Action, Dot, If

    pending = [*nodes][::-1]
    while pending and (node := pending.pop()).span.start < end:
        if isinstance(node, If):
            pending += [*node.body, *node.orelse][::-1]
        elif isinstance(node, Action) and (span := _only(node.pipeline)) and isinstance(_first(node), Dot):
            yield span


def _first(action: Action) -> Operand:
    return action.pipeline.commands[0].operands[0]
