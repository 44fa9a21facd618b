"""The output formats of `mf lint`: their names and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from modelfile.diagnostics import Diagnostic
    from modelfile.errors import ModelfileError
    from modelfile.linter.rule import Rule
    from modelfile.source import Source

FORMATS: Final = {
    "text": "concise:findings_as_concise",  # on a terminal, modelfile.report.findings prints instead
    "concise": "concise:findings_as_concise",
    "json": "json_output:findings_as_json",
    "sarif": "sarif:findings_as_sarif",
    "github": "github:findings_as_github",
    "gitlab": "gitlab:findings_as_gitlab",
    "junit": "junit:findings_as_junit",
}
"""Module in this package and function from a Report to a text, by name of the format; imported on demand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of linting some Modelfiles."""

    findings: Sequence[tuple[Source, tuple[Diagnostic, ...]]]
    unread: Sequence[ModelfileError] = ()
    undecided: Iterable[tuple[Source, Iterable[tuple[Rule, str]]]] = ()
    """Rules that could not decide, with the reason; computed only if the format prints them."""


def render(report: Report, name: str) -> str:
    """Return a report in a format."""
    module, _, function = FORMATS[name].partition(":")
    renderer = cast("Callable[[Report], str]", getattr(import_module(f"modelfile.report.{module}"), function))
    return renderer(report)
