"""Rule MF413."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.gotemplate.nodes import Command, Field, Identifier, Node, Operand, Pipeline, Variable
    from modelfile.gotemplate.parser import ParsedTemplate

_OWN: Final = frozenset({"currentDate", "json", "toTypeScriptType", "yesterdayDate"})
_OPERATORS: Final = frozenset({"and", "or", "eq", "ne", "lt", "le", "gt", "ge"})
_VALUES: Final = frozenset(
    {"Content", "Messages", "Prompt", "Response", "Role", "Suffix", "System", "Thinking", "ToolName", "Tools"}
)
"""Fields that are no functions; others may have methods that take arguments."""
_SET: Final = (("Prompt",), ("System",))


@rule("MF413", "failing-template", on=Modelfile, severity=Severity.WARNING)
def failing_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE builds, but requests fail.

    Since 0.2.2, Ollama makes the last prompt of a template without `.Messages` from a copy that is cut off after
    `.Response`. The copy lacks Ollama's own functions, json, currentDate, yesterdayDate and toTypeScriptType, so a
    request fails with "is not a defined function". And if `.Response` is in a branch that has an `{{ else }}`, the cut
    itself crashes, and the request fails with an error 500. `ollama create` reports none of this.

    Go has no operators between values: it reads `.Role eq "user"` as a call of `.Role`, which is no function. Write
    `eq .Role "user"`, `and .System .Prompt`, and so on. Texts and lists have no fields: write a `range` over
    `.Messages`, not `.Messages.Content`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE Today is {{ currentDate }}. {{ .System }} {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE Today is 2025-10-03. {{ .System }} {{ .Prompt }}
    ```
    """
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    if infix := next(_infixes(parsed), None):
        written = parsed.text[infix.operands[0].span.start : infix.operands[0].span.end]
        message = f"requests fail: `{written}` is not a function, so it takes no arguments"
        yield Finding(locate_span(infix.span, template, modelfile), message, _prefixed(infix, parsed.text))
        return
    if wrong := next(_fields_of_values(parsed.walked), None):
        field, value, name = wrong
        message = f"requests fail: `.{value}` has no field `.{name}`"
        in_list = value in ("Messages", "Tools")
        hint = f"write `{{{{ range .{value} }}}}{{{{ .{name} }}}}{{{{ end }}}}`" if in_list else f"write `.{value}`"
        yield Finding(locate_span(field.span, template, modelfile), message, hint)
        return
    if "messages" in parsed.variables:
        return
    from modelfile.gotemplate.fields import walk  # imported with the parser, for templates only
    from modelfile.gotemplate.nodes import Action, Field, Identifier, If, Range, With

    actions = parsed.of_type(Action) if "response" in parsed.variables else ()
    fields = (each for action in actions for each in walk([action.pipeline]) if isinstance(each, Field))
    cut = next((field.span for field in fields if "Response" in field.names), None)
    own = any(node.name in _OWN for node in parsed.of_type(Identifier))
    for function in _called(parsed.nodes, cut.start if cut else len(parsed.text)) if own else ():
        message = f"requests fail: without `.Messages`, a TEMPLATE cannot call `{function.name}`"
        hint = "print the messages with `{{ range .Messages }}`, or remove the call"
        yield Finding(locate_span(function.span, template, modelfile), message, hint)
        return
    blocks: tuple[If | Range | With, ...] = (*parsed.of_type(If), *parsed.of_type(Range), *parsed.of_type(With))
    for node in blocks:
        branch = node.body if node.orelse else ()
        if cut and branch and branch[0].span.start <= cut.start < branch[-1].span.end:
            message = "requests fail: Ollama crashes on a `.Response` before an `{{ else }}`"
            hint = "put one `{{ .Response }}` after the `{{ end }}`"
            yield Finding(locate_span(cut, template, modelfile), message, hint)
            return


def _infixes(parsed: ParsedTemplate) -> Iterator[Command]:
    """Yield the commands that call a field which is certainly no function."""
    from modelfile.gotemplate.nodes import Field, Identifier, Pipeline, Variable

    for node in parsed.of_type(Pipeline):
        for command in node.commands:
            first, *others = command.operands
            names = first.names if isinstance(first, Field) else first.fields if isinstance(first, Variable) else ()
            is_operator = bool(others) and isinstance(others[0], Identifier) and others[0].name in _OPERATORS
            if names and others and (is_operator or names[-1] in _VALUES):
                yield command


def _fields_of_values(nodes: Iterable[Node | Operand]) -> Iterator[tuple[Field | Variable, str, str]]:
    """Yield the fields of texts and lists, which have none, with the value and the name."""
    from modelfile.gotemplate.nodes import Field, Variable

    for node in nodes:
        names = node.names if isinstance(node, Field) else node.fields if isinstance(node, Variable) else ()
        for value, name in pairwise(names):
            if value in _VALUES and isinstance(node, Field | Variable):
                yield node, value, name


def _prefixed(command: Command, text: str) -> str:
    """Return a hint with the operator in front, where Go has it."""
    first, *others = (text[operand.span.start : operand.span.end] for operand in command.operands)
    if others[0] in _OPERATORS and len(others) > 1:
        return f"write the function first: `{others[0]} {first} {others[1]}`"
    return f"write a function first, as in `eq {first} {others[0]}`"


def _called(nodes: Iterable[Node], end: int) -> Iterator[Identifier]:
    """Yield Ollama's functions that are certainly called before an offset."""
    from modelfile.gotemplate.fields import walk
    from modelfile.gotemplate.nodes import Action, Field, Identifier, If, With

    left = [*nodes][::-1]
    while left and (node := left.pop()).span.start < end:
        match node:
            case If() | With() if any(isinstance(each, Field) and each.names in _SET for each in _only(node.pipeline)):
                left += node.body[::-1]
            case Action(pipeline=pipeline):
                called = [each for each in walk([pipeline]) if isinstance(each, Identifier)]
                if not any(each.name in ("and", "or") for each in called):  # they may skip arguments
                    yield from (each for each in called if each.name in _OWN and each.span.start < end)
            case _:
                pass


def _only(pipeline: Pipeline) -> tuple[Operand, ...]:
    """Return the operand of a pipeline that has only one, and does nothing with it."""
    operands = [operand for command in pipeline.commands for operand in command.operands]
    return tuple(operands) if len(operands) == 1 else ()
