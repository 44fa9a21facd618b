"""Lint settings: the rules in force and how they judge, by configuration and command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from modelfile.catalog.catalog import Catalog, catalog
from modelfile.catalog.versions import Version
from modelfile.diagnostics import Severity
from modelfile.errors import UsageError
from modelfile.immutable import record
from modelfile.linter.rule import Rule
from modelfile.linter.rules import RULES
from modelfile.project.config import DEFAULT_RULES, Config, matches
from modelfile.project.project import Project
from modelfile.project.target import Target

ALL: Final = "ALL"
"""Selector of all rules."""


@record(kw_only=True)
class Settings:
    """The rules in force, their severities, and the Ollama version that Modelfiles are for."""

    config: Config
    rules: tuple[Rule, ...]
    severities: Mapping[str, Severity]
    """By rule name, where they differ from the rules' own."""
    ollama: Catalog
    ollama_is_given: bool = False
    """True if the configuration or the caller names the version; otherwise it is the newest known."""
    reads_weights: bool = True
    """False if rules must not read the headers of local weights."""

    def may_reject(self, rule: Rule) -> bool:
        """Return whether findings of a rule may be errors; none is more severe than its rule."""
        return self.severities.get(rule.name, rule.severity) is Severity.ERROR

    def rules_for(self, path: Path) -> tuple[Rule, ...]:
        """Return the rules in force for a file."""
        if not self.config.per_file_ignores or self.config.file is None:
            return self.rules
        patterns = self.config.per_file_ignores.items()
        ignored = [rule for pattern, rules in patterns if matches(path, (pattern,), self.config.file) for rule in rules]
        allowed = select_rules(RULES, ["MF"], ignore=ignored)
        return tuple(rule for rule in self.rules if rule in allowed)


def resolve_settings(project: Project, overrides: Config | None = None, config: Config | None = None) -> Settings:
    """Return the lint settings in force in a project.

    >>> import modelfile
    >>> settings = modelfile.resolve_settings(modelfile.Project())
    >>> "MF201" in {rule.code for rule in settings.rules}
    True

    Args:
        project: The project.
        overrides: Settings from the command line; a field with its default is not one, unless
            `fields_set` names it; `extend_select` is added.
        config: The configuration in force (default: that of the project's folder).

    Raises:
        UsageError: The configuration or the command line is invalid.
    """
    config = config or project.config
    try:
        severities = _validate(config)
    except UsageError as error:
        raise UsageError(f"`{config.file}`: {error.message}", hint=error.hint) from error
    given = overrides or Config()
    default = Config()
    selectors = given.select if "select" in given.fields_set or given.select != default.select else config.select
    ignored = given.ignore if "ignore" in given.fields_set or given.ignore != default.ignore else config.ignore
    return Settings(
        config=config,
        rules=select_rules(RULES, (*selectors, *config.extend_select, *given.extend_select), ignore=ignored),
        severities={**severities, **given.severities},
        ollama=_catalog(config.ollama if given.ollama is None else given.ollama),
        ollama_is_given=given.ollama is not None or config.ollama is not None,
    )


def settings_by_target(overrides: Config | None = None) -> Callable[[Target], Settings]:
    """Return a function that returns the lint settings for a Modelfile, by the configuration that it is subject to.

    Args:
        overrides: Settings from the command line, as for `resolve_settings`.
    """
    resolved: dict[Path | None, Settings] = {}

    def settings_of(target: Target) -> Settings:
        config = target.config
        if config.file not in resolved:
            resolved[config.file] = resolve_settings(target.project, overrides, config)
        return resolved[config.file]

    return settings_of


def _validate(config: Config) -> dict[str, Severity]:
    """Check the selectors and the version in a configuration; return its severities by rule name."""
    ignored = chain(*config.per_file_ignores.values())
    select_rules(RULES, (*config.select, *config.extend_select, *config.ignore, *ignored))
    _catalog(config.ollama)
    return resolve_severities(RULES, config.severities)


def _catalog(version: str | None) -> Catalog:
    if version is None:
        return catalog()
    try:
        return catalog(Version.parse(version))
    except ValueError as error:
        raise UsageError(f"invalid Ollama version: `{version}`", hint="write it like 0.24.0") from error


def select_rules(rules: Sequence[Rule], selectors: Iterable[str], *, ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """Return the rules that selectors choose, without those that others ignore.

    A selector is a code (`MF301`), a family (`MF3`, `MF3xx`), a name (`empty-value`), `DEFAULT` for the rules that are
    on by default, or `ALL` for these and the others.

    Raises:
        UsageError: A selector matches no rule.
    """
    selected = {rule.code for selector in selectors for rule in _matching(rules, selector)}
    ignored = {rule.code for selector in ignore for rule in _matching(rules, selector)}
    return tuple(rule for rule in rules if rule.code in selected - ignored)


def resolve_severities(rules: Sequence[Rule], severities: Mapping[str, Severity]) -> dict[str, Severity]:
    """Return severities by rule name, given severities by selector.

    The selector that matches the fewest rules wins; of equals, the last.

    Raises:
        UsageError: A selector matches no rule.
    """
    matching = {selector: _matching(rules, selector) for selector in severities}
    widest_first = sorted(severities, key=lambda selector: -len(matching[selector]))
    return {rule.name: severities[selector] for selector in widest_first for rule in matching[selector]}


def _differs_by_one(one: str, other: str) -> bool:
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _matching(rules: Sequence[Rule], selector: str) -> list[Rule]:
    family = selector.upper().removesuffix("XX")
    found = [
        rule
        for rule in rules
        if selector.upper() == ALL
        or (selector.upper() == DEFAULT_RULES and rule.default)
        or selector.lower() == rule.name
        or (family.startswith("MF") and rule.code.startswith(family))
    ]
    if not found:
        from difflib import get_close_matches

        names = [name for rule in rules for name in (rule.code, rule.name)]
        close = get_close_matches(selector, names, n=1)
        if close and re.fullmatch(r"(?i:MF)\d+", selector) and not _differs_by_one(selector.upper(), close[0]):
            close = []  # a number far away is nothing alike
        hint = f"did you mean `{close[0]}`?" if close else "run `mf explain` to list all rules"
        raise UsageError(f"unknown rule or family: `{selector}`", hint=hint)
    return found
