"""Rule MF413."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.gotemplate.nodes import Identifier, Node, Operand, Pipeline

_OWN: Final = frozenset({"currentDate", "json", "toTypeScriptType", "yesterdayDate"})
_SET: Final = (("Prompt",), ("System",))


@rule("MF413", "failing-template", on=Modelfile, severity=Severity.WARNING)
def failing_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE builds, but requests fail.

    Since 0.2.2, Ollama makes the last prompt of a template without `.Messages` from a copy that is cut off after
    `.Response`. The copy lacks Ollama's own functions, json, currentDate, yesterdayDate and toTypeScriptType, so a
    request fails with "is not a defined function". And if `.Response` is in a branch that has an `{{ else }}`, the cut
    itself crashes, and the request fails with an error 500. `ollama create` reports none of this.

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
    if "messages" in parsed.variables:
        return
    from modelfile.gotemplate.fields import walk  # imported with the parser, for templates only
    from modelfile.gotemplate.nodes import Action, Field, If, Range, With

    actions = (node for node in parsed.walked if isinstance(node, Action)) if "response" in parsed.variables else ()
    fields = (each for action in actions for each in walk([action.pipeline]) if isinstance(each, Field))
    cut = next((field.span for field in fields if "Response" in field.names), None)
    for function in _called(parsed.nodes, cut.start if cut else len(parsed.text)):
        message = f"requests fail: without `.Messages`, a TEMPLATE cannot call `{function.name}`"
        hint = "print the messages with `{{ range .Messages }}`, or remove the call"
        yield Finding(locate_span(function.span, template, modelfile), message, hint)
        return
    for node in parsed.walked:
        branch = node.body if isinstance(node, If | Range | With) and node.orelse else ()
        if cut and branch and branch[0].span.start <= cut.start < branch[-1].span.end:
            message = "requests fail: Ollama crashes on a `.Response` before an `{{ else }}`"
            hint = "put one `{{ .Response }}` after the `{{ end }}`"
            yield Finding(locate_span(cut, template, modelfile), message, hint)
            return


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
