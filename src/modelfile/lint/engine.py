"""Runs rules on a Modelfile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.lint.rule import Context, Rule
from modelfile.lint.rules import RULES
from modelfile.lint.rules.style.unused_suppression import unused_suppression
from modelfile.lint.suppressions import find_suppressions, silence
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Node


def lint(
    context: Context, rules: Iterable[Rule] = RULES, severities: Mapping[str, Severity] | None = None
) -> tuple[Diagnostic, ...]:
    """Everything that the rules find and no comment silences, in the order of the text.

    Args:
        context: The Modelfile, and what is known of its surroundings.
        rules: The rules in force.
        severities: Severities by rule name, where they are not the rules' own.
    """
    rules = tuple(rules)
    severities = severities or {}
    found = [diagnostic for rule in rules for diagnostic in _run(rule, context, severities)]
    left, idle = silence(found, find_suppressions(context.modelfile))
    if idle and unused_suppression in rules:
        left = (*left, *_run(unused_suppression, replace(context, idle=idle), severities))
    return tuple(sorted(left, key=lambda diagnostic: (diagnostic.span.start, diagnostic.code)))


def not_looked(context: Context, rules: Iterable[Rule] = RULES) -> Iterator[tuple[Rule, str]]:
    """The rules that could not decide, or not in everything, and why."""
    subjects = (context.modelfile, *context.modelfile.nodes)
    for rule in rules:
        if any(isinstance(subject, rule.on) for subject in subjects) and (reason := rule.blind(context)):
            yield rule, reason


def _run(rule: Rule, context: Context, severities: Mapping[str, Severity]) -> Iterator[Diagnostic]:
    subjects: Iterable[Node | Modelfile] = (context.modelfile, *context.modelfile.nodes)
    for subject in subjects:
        if not isinstance(subject, rule.on):
            continue
        for finding in rule.check(subject, context):
            yield Diagnostic(
                code=rule.code,
                name=rule.name,
                severity=severities.get(rule.name, rule.severity),
                span=finding.span,
                message=finding.message,
                hint=finding.hint,
                fix=finding.fix,
            )
