"""What is in force: the configuration, and what the command line says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

from modelfile.catalog.target import Catalog, catalog
from modelfile.catalog.versions import Version
from modelfile.config import Config, find_config, load_config
from modelfile.diagnostics import Severity
from modelfile.errors import UsageError
from modelfile.lint.rule import Rule
from modelfile.lint.rules import RULES
from modelfile.lint.selection import select, severities_of


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
