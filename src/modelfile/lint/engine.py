"""Runs rules on a Modelfile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelfile.diagnostics import Diagnostic
from modelfile.lint.rule import Context, Rule
from modelfile.lint.rules import RULES
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Node


def lint(context: Context, rules: Iterable[Rule] = RULES) -> tuple[Diagnostic, ...]:
    """Everything that the rules find, in the order of the text."""
    found = (diagnostic for rule in rules for diagnostic in _run(rule, context))
    return tuple(sorted(found, key=lambda diagnostic: (diagnostic.span.start, diagnostic.code)))


def _run(rule: Rule, context: Context) -> Iterator[Diagnostic]:
    subjects: Iterable[Node | Modelfile] = (context.modelfile, *context.modelfile.nodes)
    for subject in subjects:
        if not isinstance(subject, rule.on):
            continue
        for finding in rule.check(subject, context):
            yield Diagnostic(
                code=rule.code,
                name=rule.name,
                severity=rule.severity,
                span=finding.span,
                message=finding.message,
                hint=finding.hint,
                fix=finding.fix,
            )
