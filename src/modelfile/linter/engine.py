"""Runs rules on a Modelfile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.linter.rule import Context, Rule
from modelfile.linter.rules import RULES
from modelfile.linter.rules.style.unused_suppression import unused_suppression
from modelfile.linter.suppressions import Suppression, find_suppressions, silence
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
    subjects = _subjects(context)
    found = [diagnostic for rule in rules for diagnostic in _run(rule, subjects(rule.on), context, severities)]
    left, unused = silence(found, find_suppressions(context.modelfile))
    unused = tuple(suppression for suppression in unused if _is_decidable(suppression, rules))
    if unused and unused_suppression in rules:
        told = replace(context, unused=unused, known=tuple((rule.code, rule.name) for rule in RULES))
        left = (*left, *_run(unused_suppression, (context.modelfile,), told, severities))
    return tuple(sorted(left, key=lambda diagnostic: (diagnostic.span.start, diagnostic.code)))


def undecided(context: Context, rules: Iterable[Rule] = RULES) -> Iterator[tuple[Rule, str]]:
    """The rules that could not decide, or not in everything, and why."""
    subjects = _subjects(context)
    for rule in rules:
        if rule.cannot_decide and subjects(rule.on) and (reason := rule.cannot_decide(context)):
            yield rule, reason


def _is_decidable(suppression: Suppression, rules: Iterable[Rule]) -> bool:
    """Whether a suppression is idle everywhere: not where its rule is off, or looks at what another machine has not."""
    meant = [rule for rule in RULES if suppression.means(rule.code, rule.name)]
    return not meant or (any(rule in rules for rule in meant) and all(rule.cannot_decide is None for rule in meant))


def _subjects(context: Context) -> Callable[[type], tuple[Node | Modelfile, ...]]:
    """Of a type, what a rule on it looks at."""
    all_subjects = (context.modelfile, *context.modelfile.nodes)
    return cache(lambda on: tuple(subject for subject in all_subjects if isinstance(subject, on)))


def _run(
    rule: Rule, subjects: Iterable[Node | Modelfile], context: Context, severities: Mapping[str, Severity]
) -> Iterator[Diagnostic]:
    for subject in subjects:
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
