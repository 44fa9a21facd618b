"""Weights and adapters (MF6xx)."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context
from modelfile.linter.rules.references import missing_severity
from modelfile.linter.rules.references.wrong_file import BasesWritten, describe_misplaced, misplaced_by_name, wrong_part
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, From, Instruction


def rejected(context: Context, name: str = "") -> Iterator[Finding]:
    """Yield the local files that a build rejects, too, and that the rule of a name reports.

    The judgement is that of `weights.checks`; of rules that need no file, wrong-file has precedence.
    """
    for found in context.rejected_files() if context.rejected_files else ():
        if found.rule == name and not found.content and not wrong_part(found.instruction):
            yield Finding(found.instruction.value.span, found.message, found.hint, severity=found.severity)


def misplaced_files(modelfile: Modelfile, context: Context, content: str) -> Iterator[Finding]:
    """Yield the files of FROM and ADAPTER that need the other instruction, because of their content."""
    found: dict[Instruction, tuple[str, str, Severity | None]] = {
        rejected.instruction: (rejected.message, rejected.hint, None)
        for rejected in (context.rejected_files() if context.rejected_files else ())
        if rejected.content == content
    }
    for node in modelfile.of_type((From, Adapter)):
        if misplaced_by_name(node, context) == content:
            bases = BasesWritten.of(modelfile)
            message, hint = describe_misplaced(node.value.text, content, bases, "by its name, ")
            found[node] = message, hint, missing_severity(node, context)
    word = "ADAPTER" if content == "adapter" else "FROM"
    for node, (message, hint, severity) in found.items():
        edits = (Edit(node.keyword.span, word),)
        fix = Fix(edits=edits) if hint == f"write `{word} {node.value.text}`" else None
        yield Finding(node.value.span, message, hint, fix, severity)
