"""Rule MF110."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Finding, Safety, Severity
from modelfile.immutable import replace
from modelfile.linter.rule import Context, deletion, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, Parameter, command_name

_SINGLE: Final = frozenset({"system", "template", "renderer", "parser", "requires"})


@rule("MF110", "duplicate-instruction", on=Modelfile, severity=Severity.WARNING)
def duplicate_instruction(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""An instruction that takes effect only once is given twice.

    Of two SYSTEM, TEMPLATE, RENDERER, PARSER or REQUIRES, and of two PARAMETER with the same name, Ollama uses the last
    and ignores the others without a warning. They do not add up: two SYSTEM do not make one long prompt. Only FROM,
    LICENSE, MESSAGE, DRAFT and `PARAMETER stop` may be given several times.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.8
    PARAMETER temperature 0.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    last: dict[str, Instruction] = {}
    found: list[Finding] = []
    for node in reversed(modelfile.of_type(Instruction)):
        name = command_name(node)
        is_misplaced = isinstance(node, Parameter) and name in _SINGLE  # instruction-as-parameter
        if not node.value.closed or is_misplaced:
            continue
        known = context.ollama.parameters.get(name) if isinstance(node, Parameter) else None
        if name not in _SINGLE and (known is None or known.kind is Kind.STRINGS):
            continue
        if winner := last.get(name):
            shown = f"PARAMETER {name}" if known else name.upper()
            line = modelfile.source.line_of(winner.span.start)
            message = f"{shown} has no effect here: line {line} has another, and the last one wins"
            end = node.name.span.end if isinstance(node, Parameter) else node.keyword.span.end
            hint = f"delete it, or line {line}"
            safety = Safety.SAFE if known else Safety.UNSAFE  # a text may be worth keeping
            fix = replace(deletion(node, modelfile), safety=safety)
            found.append(Finding(Span(node.keyword.span.start, end), message, hint, fix))
        else:
            last[name] = node
    yield from reversed(found)
