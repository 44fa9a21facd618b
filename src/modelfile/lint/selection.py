"""Which rules are in force, by their codes, families and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from modelfile.diagnostics import Severity
from modelfile.errors import UsageError
from modelfile.lint.rule import Rule

ALL = "ALL"


def select(rules: Sequence[Rule], chosen: Iterable[str], *, but: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules that selectors choose: a code (`MF301`), a family (`MF3`, `MF3xx`), a name (`empty-value`), or `ALL`.

    `ALL` chooses those that are in force by default, and leaves out all.

    Raises:
        UsageError: A selector chooses nothing.
    """
    wanted = {
        rule.code for selector in chosen for rule in _chosen(rules, selector) if rule.default or selector.upper() != ALL
    }
    unwanted = {rule.code for selector in but for rule in _chosen(rules, selector)}
    return tuple(rule for rule in rules if rule.code in wanted - unwanted)


def severities_of(rules: Sequence[Rule], said: Mapping[str, Severity]) -> dict[str, Severity]:
    """Severities by rule name, of what is said by selectors: the one that chooses the fewest rules wins, then the last.

    Raises:
        UsageError: A selector chooses nothing.
    """
    chosen = {selector: _chosen(rules, selector) for selector in said}
    widest_first = sorted(said, key=lambda selector: -len(chosen[selector]))
    return {rule.name: said[selector] for selector in widest_first for rule in chosen[selector]}


def _chosen(rules: Sequence[Rule], selector: str) -> list[Rule]:
    family = selector.upper().removesuffix("XX")
    found = [
        rule
        for rule in rules
        if selector.upper() == ALL
        or selector.lower() == rule.name
        or (family.startswith("MF") and rule.code.startswith(family))
    ]
    if not found:
        from difflib import get_close_matches

        close = get_close_matches(selector, [name for rule in rules for name in (rule.code, rule.name)], n=1)
        hint = f"did you mean `{close[0]}`?" if close else "`mf explain` lists all rules"
        raise UsageError(f"`{selector}` is no rule, and no family of rules", hint=hint)
    return found
