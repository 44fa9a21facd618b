"""Which rules are in force, by their codes, families and names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

from modelfile.catalog.catalog import Catalog, catalog
from modelfile.catalog.versions import Version
from modelfile.diagnostics import Severity
from modelfile.errors import UsageError
from modelfile.linter.rule import Rule
from modelfile.linter.rules import RULES
from modelfile.project.config import Config, find_config, load_config

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The rules in force, and how they judge."""

    config: Config
    rules: tuple[Rule, ...]
    severities: Mapping[str, Severity]
    target: Catalog

    def rules_for(self, path: str) -> tuple[Rule, ...]:
        """The rules in force for a file."""
        if not self.config.per_file_ignores or self.config.file is None:
            return self.rules
        relative = os.path.relpath(Path(path).resolve(), self.config.file.parent)
        name = Path(relative).as_posix()
        globs = self.config.per_file_ignores.items()
        unwanted = [rule for glob, rules in globs if fnmatchcase(name, glob.removeprefix("./")) for rule in rules]
        left = select(RULES, ["MF"], but=unwanted)
        return tuple(rule for rule in self.rules if rule in left)


def settings(overrides: Config | None = None, *, file: str | None = None, isolated: bool | None = None) -> Settings:
    """What is in force here.

    Args:
        overrides: What the command line says; a field with its default says nothing, and `extend_select` is added.
        file: A configuration file to read in the place of the nearest.
        isolated: Whether to read none; None: the command cannot be told to.

    Raises:
        UsageError: The configuration or the command line names what there is not.
    """
    if file is not None and isolated:
        raise UsageError("--config and --isolated contradict each other", hint="leave one of them out")
    path = None if isolated else Path(file) if file is not None else find_config(Path())
    if file is not None and path is not None and not path.is_file():
        raise UsageError(f"`{file}` is no configuration file")
    try:
        config = load_config(path) if path else Config()
    except UsageError as error:
        if isolated is None or error.hint:
            raise
        raise UsageError(error.message, hint="mend it, or leave it out with --isolated") from error
    try:
        severities = _check(config)
    except UsageError as error:
        raise UsageError(f"`{path}`: {error.message}", hint=error.hint) from error
    said = overrides or Config()
    default = Config()
    chosen = said.select if said.select != default.select else config.select
    unwanted = said.ignore if said.ignore != default.ignore else config.ignore
    return Settings(
        config=config,
        rules=select(RULES, (*chosen, *config.extend_select, *said.extend_select), but=unwanted),
        severities=severities,
        target=_target(config.target if said.target is None else said.target),
    )


def _check(config: Config) -> dict[str, Severity]:
    """See that there is what a configuration names; its severities by rule name."""
    select(RULES, (*config.select, *config.extend_select, *config.ignore, *chain(*config.per_file_ignores.values())))
    _target(config.target)
    return severities_of(RULES, config.severities)


def _target(text: str | None) -> Catalog:
    if text is None:
        return catalog()
    try:
        return catalog(Version.parse(text))
    except ValueError as error:
        raise UsageError(f"`{text}` is not a version of Ollama", hint="write it as in 0.24.0") from error
