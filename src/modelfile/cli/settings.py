"""What is in force: the configuration, and what the command line says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from modelfile.catalog.target import Catalog, catalog
from modelfile.catalog.versions import Version
from modelfile.config import Config, find_config, load_config
from modelfile.diagnostics import Severity
from modelfile.errors import UsageError
from modelfile.lint.rule import Rule
from modelfile.lint.rules import RULES
from modelfile.lint.selection import select


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
        unwanted = [rule for glob, rules in globs if fnmatchcase(name, glob) for rule in rules]
        left = select(RULES, ["MF"], but=unwanted)
        return tuple(rule for rule in self.rules if rule in left)


def settings(overrides: Config | None = None, *, file: str | None = None, isolated: bool = False) -> Settings:
    """What is in force here.

    Args:
        overrides: What the command line says; a field with its default says nothing, and `extend_select` is added.
        file: A configuration file to read in the place of the nearest.
        isolated: Whether to read none.

    Raises:
        UsageError: The configuration or the command line names what there is not.
    """
    path = None if isolated else Path(file) if file else find_config(Path())
    if file and path is not None and not path.is_file():
        raise UsageError(f"`{file}` is no configuration file")
    config = load_config(path) if path else Config()
    said = overrides or Config()
    default = Config()
    chosen = said.select if said.select != default.select else config.select
    unwanted = said.ignore if said.ignore != default.ignore else config.ignore
    by_name = {rule.name: rule for rule in RULES}
    for name in config.severities:
        if name not in by_name:
            select(RULES, [name])  # says what may be meant
            raise UsageError(f"`{path}`: severities are by name, not by code: `{name}`")
    return Settings(
        config=config,
        rules=select(RULES, (*chosen, *config.extend_select, *said.extend_select), but=unwanted),
        severities=config.severities,
        target=_target(said.target or config.target),
    )


def _target(text: str | None) -> Catalog:
    if text is None:
        return catalog()
    try:
        return catalog(Version.parse(text))
    except ValueError as error:
        raise UsageError(f"`{text}` is not a version of Ollama", hint="write it as in 0.24.0") from error
