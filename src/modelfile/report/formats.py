"""The output formats of `mf lint`: their names and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from modelfile.redaction import Redactor, redact

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
    """Return a report in a format; secrets in Modelfiles are redacted."""
    module, _, function = FORMATS[name].partition(":")
    renderer = cast("Callable[[Report], str]", getattr(import_module(f"modelfile.report.{module}"), function))
    return renderer(replace(report, findings=list(redact_findings(report.findings))))


def redact_findings(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]],
) -> Iterator[tuple[Source, tuple[Diagnostic, ...]]]:
    """Redact the secrets in sources with findings, and in their messages; positions stay the same."""
    for source, diagnostics in findings:
        redactor = Redactor(source.text if diagnostics else "")
        if redactor:
            redacted = replace(source, text=redact(source.text))
            yield redacted, tuple(_redact_finding(found, redactor) for found in diagnostics)
        else:
            yield source, diagnostics


def _redact_finding(found: Diagnostic, redactor: Redactor) -> Diagnostic:
    hint = redactor.redact(found.hint) if found.hint else found.hint
    return replace(found, message=redactor.redact(found.message), hint=hint)
