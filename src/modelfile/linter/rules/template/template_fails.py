"""Rule MF413."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import located, used_template
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.gotemplate.nodes import Identifier, Node, Operand, Pipeline

_OWN: Final = frozenset({"currentDate", "json", "toTypeScriptType", "yesterdayDate"})
_SET: Final = (("Prompt",), ("System",))


@rule("MF413", "template-fails", on=Modelfile, severity=Severity.WARNING)
def template_fails(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE that builds, but fails when it is used.

    Since 0.2.2, Ollama makes the last prompt of a template without `.Messages` with a copy of it that is cut off after
    `.Response`. The copy has lost Ollama's own functions, json, currentDate, yesterdayDate and toTypeScriptType, so a
    request ends with "is not a defined function". And if `.Response` is in a branch that has an `{{ else }}`, the cut
    itself crashes, and the request ends with an error 500. None of this shows when the model is created.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE Today is {{ currentDate }}. {{ .System }} {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE Today is 2025-10-03. {{ .System }} {{ .Prompt }}
    ```
    """
    if not (found := used_template(modelfile)):
        return
    template, parsed = found
    if "messages" in parsed.variables:
        return
    from modelfile.gotemplate.fields import walk  # imported with the parser, for templates only
    from modelfile.gotemplate.nodes import Action, Field, If, Range, With

    actions = (node for node in walk(parsed.nodes) if isinstance(node, Action))
    fields = (each for action in actions for each in walk([action.pipeline]) if isinstance(each, Field))
    cut = next((field.span for field in fields if "Response" in field.names), None)
    for function in _called(parsed.nodes, cut.start if cut else len(parsed.text)):
        message = f"without `.Messages`, a TEMPLATE cannot call `{function.name}`: requests fail"
        yield Finding(located(function.span, template, modelfile), message, "print the messages, or do without it")
        return
    for node in walk(parsed.nodes):
        branch = node.body if isinstance(node, If | Range | With) and node.orelse else ()
        if cut and branch and branch[0].span.start <= cut.start < branch[-1].span.end:
            message = "`.Response` before an `{{ else }}`: requests fail, as Ollama crashes when it cuts there"
            hint = "put one `{{ .Response }}` after the `{{ end }}`"
            yield Finding(located(cut, template, modelfile), message, hint)
            return


def _called(nodes: Iterable[Node], end: int) -> Iterator[Identifier]:
    """Ollama's functions that are surely called before an offset."""
    from modelfile.gotemplate.fields import walk
    from modelfile.gotemplate.nodes import Action, Field, Identifier, If, With

    left = [*nodes][::-1]
    while left and (node := left.pop()).span.start < end:
        match node:
            case If() | With() if any(isinstance(each, Field) and each.names in _SET for each in _alone(node.pipeline)):
                left += node.body[::-1]
            case Action(pipeline=pipeline):
                called = [each for each in walk([pipeline]) if isinstance(each, Identifier)]
                if not any(each.name in ("and", "or") for each in called):  # which need not look at all they are given
                    yield from (each for each in called if each.name in _OWN and each.span.start < end)
            case _:
                pass


def _alone(pipeline: Pipeline) -> tuple[Operand, ...]:
    """The one operand of a pipeline that does nothing with it."""
    operands = [operand for command in pipeline.commands for operand in command.operands]
    return tuple(operands) if len(operands) == 1 else ()
