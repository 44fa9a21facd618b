"""The output formats of `mf lint` and `mf check`: their names and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from modelfile.diagnostics import Safety
from modelfile.filesystem import real_path
from modelfile.git import find_repository
from modelfile.immutable import record, replace
from modelfile.project.discovery import is_stream
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
"""Module in this package and function from a Report to the parts of a text, by name of the format; import on demand."""

MARK: Final = "[*]"
"""Mark of a finding that has a safe fix."""
_IN_REPOSITORY: Final = frozenset({"sarif", "github", "gitlab"})
"""The formats of programs that read paths from the root of a repository."""

Findings: TypeAlias = "tuple[Source, tuple[Diagnostic, ...]]"
"""A Modelfile and its findings."""

_CHUNK: Final = 100_000
"""About the length of a part of a report, in code points."""


@record(kw_only=True)
class Report:
    """The result of linting or checking some Modelfiles."""

    findings: Sequence[Findings]
    unread: Sequence[ModelfileError] = ()
    undecided: Iterable[tuple[Source, Iterable[tuple[Rule, str]]]] = ()
    """Rules that could not decide, with the reason; computed only if the format prints them."""
    command: str = "lint"
    """The command that reports."""
    modelfiles: int | None = None
    """Number of Modelfiles checked; None: that of `findings`."""
    titles: Sequence[tuple[str, str]] = ()
    """Codes that are no rule's, each with one sentence on it."""


def mark_of(found: Diagnostic) -> str:
    """Return the mark of a finding in formats for readers; empty unless it has a safe fix."""
    return MARK if found.fix is not None and found.fix.safety is Safety.SAFE else ""


def render(report: Report, name: str) -> Iterator[str]:
    """Yield the parts of a report in a format, so that a long one is not in memory whole; secrets are redacted."""
    module, _, function = FORMATS[name].partition(":")
    renderer = cast("Callable[[Report], Iterator[str]]", getattr(import_module(f"modelfile.report.{module}"), function))
    findings = redact_findings(report.findings)
    if name in _IN_REPOSITORY:
        findings = _with_repository_paths(findings)
    pieces = renderer(replace(report, findings=list(findings)))
    chunk: list[str] = []
    for piece in pieces:
        chunk.append(piece)
        if len(chunk) * len(piece) >= _CHUNK:
            yield "".join(chunk)
            chunk.clear()
    if chunk:
        yield "".join(chunk)


def _with_repository_paths(findings: Iterable[Findings]) -> Iterator[Findings]:
    """Yield findings with paths from the root of the repository of the current folder, as far as they are in it."""
    root = find_repository(Path())
    for source, diagnostics in findings:
        if root and diagnostics and not is_stream(source.path):
            path = real_path(Path(source.path).parent) / Path(source.path).name
            inside = str(path.relative_to(root)) if path.is_relative_to(root) else source.path
            yield replace(source, path=inside), diagnostics
        else:
            yield source, diagnostics


def redact_findings(findings: Iterable[Findings]) -> Iterator[Findings]:
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
    fix = found.fix
    if fix and any(redactor.is_in(edit.text) for edit in fix.edits):
        fix = replace(fix, edits=())
    return replace(found, message=redactor.redact(found.message), hint=hint, fix=fix)
