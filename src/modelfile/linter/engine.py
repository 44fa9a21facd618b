"""Run rules on a Modelfile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from modelfile.diagnostics import MOST_FINDINGS, Diagnostic, Finding, Severity
from modelfile.immutable import replace
from modelfile.linter.rule import Context, Rule
from modelfile.linter.rules import RULES
from modelfile.linter.rules.style.unused_suppression import unused_suppression
from modelfile.linter.suppressions import Suppression, apply_suppressions, find_suppressions, selectors
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Node
from modelfile.syntax.syntax_errors import CODES

TRUNCATED: Final = f"reports at most {MOST_FINDINGS:,} findings of a Modelfile, and --fix changes none that has more"
"""Why a rule with the most findings could not check everything."""
_EXPLAINED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "conflict-markers": frozenset(
            {"duplicate-adapter", "duplicate-instruction", "duplicate-stop", "multiple-from", "unusual-message-order"}
        ),
        "foreign-template": frozenset({"missing-stop", "template-whitespace"}),
        "markerless-template": frozenset({"template-whitespace"}),
    }
)
"""Rules whose findings follow from the finding of another: they are gone once that is fixed."""


def lint(
    context: Context, rules: Iterable[Rule] = RULES, severities: Mapping[str, Severity] | None = None
) -> tuple[Diagnostic, ...]:
    """Return what the rules find and no comment suppresses, in the order of the text.

    A finding that another one explains is left out, so that one defect gives one finding. Each rule
    reports at most `MOST_FINDINGS`.

    Args:
        context: The Modelfile and its surroundings.
        rules: The rules to run.
        severities: Severities by rule name that replace the rules' own.
    """
    rules = tuple(rules)
    severities = severities or {}
    suppressions = tuple(find_suppressions(context.modelfile))
    most = None if suppressions else MOST_FINDINGS  # those suppressed do not count
    found = [*_run(rules, context, severities, most)]
    remaining, unused = apply_suppressions(found, suppressions)
    if most is None:
        remaining = tuple(_first_of_each_rule(remaining))
    if unused and unused_suppression in rules:
        names = frozenset(rule.name for rule in rules)
        unused = tuple(suppression for suppression in unused if _is_surely_unused(suppression, names))
        rule_names = tuple((rule.code, rule.name) for rule in RULES)
        context = replace(context, unused_suppressions=unused, rule_names=rule_names)
        remaining = (*remaining, *_run((unused_suppression,), context, severities, None))
    return tuple(sorted(sorted(_unexplained(remaining), key=attrgetter("code")), key=attrgetter("span.start")))


def _first_of_each_rule(found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    counts = Counter[str]()
    for one in found:
        counts[one.name] += 1
        if counts[one.name] <= MOST_FINDINGS:
            yield one


def _unexplained(found: Sequence[Diagnostic]) -> Sequence[Diagnostic]:
    """Return the findings that do not follow from others; a conflict inside of a text explains nothing around it."""
    causes = {one.name for one in found if one.severity is not Severity.WARNING or one.name != "conflict-markers"}
    explained = frozenset[str]().union(*(_EXPLAINED[cause] for cause in causes & _EXPLAINED.keys()))
    return [one for one in found if one.name not in explained] if explained else found


def undecided(
    context: Context, rules: Iterable[Rule] = RULES, found: Iterable[Diagnostic] = ()
) -> Iterator[tuple[Rule, str]]:
    """Yield the rules that could not check everything, and why.

    Args:
        context: The Modelfile and its surroundings.
        rules: The rules that ran.
        found: What they found.
    """
    counts = Counter(one.name for one in found)
    errors = len(context.modelfile.diagnostics)
    for rule in rules:
        number = errors if counts[rule.name] and rule.name in CODES else counts[rule.name]
        if number >= MOST_FINDINGS:
            yield rule, TRUNCATED
        if rule.cannot_decide and rule.subjects(context.modelfile) and (reason := rule.cannot_decide(context)):
            yield rule, reason


def _is_surely_unused(suppression: Suppression, names: Container[str]) -> bool:
    """Return False if its rule is not among those in force, or may report something on a machine with other files."""
    matching = _rules_by_selector().get(suppression.selector, ())
    decidable = all(rule.cannot_decide is None for rule in matching)
    return not matching or (any(rule.name in names for rule in matching) and decidable)


@cache
def _rules_by_selector() -> dict[str, list[Rule]]:
    rules: dict[str, list[Rule]] = {}
    for rule in RULES:
        for selector in selectors(rule.code, rule.name):
            rules.setdefault(selector, []).append(rule)
    return rules


def _run(
    rules: Iterable[Rule], context: Context, severities: Mapping[str, Severity], most: int | None
) -> Iterator[Diagnostic]:
    """Yield the findings of rules, of each the first ones. One loop for all, because most rules find nothing."""
    nodes: dict[tuple[type, ...], tuple[Node | Modelfile, ...]] = {}
    for rule in rules:
        if (subjects := nodes.get(rule.on)) is None:
            subjects = nodes[rule.on] = rule.subjects(context.modelfile)
        count, check = 0, rule.check
        for subject in subjects:
            for finding in check(subject, context):
                yield _diagnostic(rule, finding, severities.get(rule.name))
                count += 1
                if count == most:
                    break
            if count == most:
                break


def _diagnostic(rule: Rule, finding: Finding, severity: Severity | None) -> Diagnostic:
    if isinstance(finding, Diagnostic):  # the parser's own
        return replace(finding, severity=severity) if severity else finding
    return Diagnostic(
        code=rule.code,
        name=rule.name,
        severity=severity or finding.severity or rule.severity,
        span=finding.span,
        message=finding.message,
        hint=finding.hint,
        fix=finding.fix,
    )
