"""Findings as workflow commands, which GitHub Actions shows next to the lines of a pull request.

Commands: GitHub Docs, "Workflow commands for GitHub Actions", "Setting an error message". Escapes: `escapeData` and
`escapeProperty` in @actions/core 1.11, src/command.ts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from modelfile.characters import escape_controls
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.report.formats import Report
from modelfile.report.terminal import escape_inner_commands, visible
from modelfile.source import Source

if TYPE_CHECKING:
    from modelfile.differ.comparison import Change, Comparison

_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_MOST_LINES: Final = 40
"""Number of lines of a change in a notice."""
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def findings_as_github(report: Report) -> Iterator[str]:
    """Yield one workflow command for each finding and each error, each as a line."""
    for source, diagnostics in report.findings:
        for found in diagnostics:
            yield escape_inner_commands(_command(source, found)) + "\n"
    for error in report.unread:
        yield escape_inner_commands(f"::error title=mf {report.command}::{_message(error.message, error.hint)}") + "\n"


def _command(source: Source, found: Diagnostic) -> str:
    start, end = source.position(found.span.start), source.position(found.span.end)
    place = f"line={start.line},endLine={end.line}"
    if start.line == end.line:  # GitHub accepts columns only within one line
        place = f"line={start.line},col={start.column},endLine={end.line},endColumn={end.column}"
    command = f"{_COMMANDS[found.severity]} file={_file(source.path)},{place},title={found.code} {found.name}"
    return f"::{command}::{_message(found.message, found.hint)}"


def comparisons_as_github(comparisons: Iterable[Comparison]) -> str:
    """Return one notice for each change, at the Modelfile of the new side if it is one."""
    notices = (
        _notice(change, "" if each.new.digest or not each.new.name else f"file={_file(each.path or each.new.name)},")
        for each in comparisons
        for change in each.changes
    )
    return "".join(f"{escape_inner_commands(line)}\n" for line in notices)


def _notice(change: Change, file: str) -> str:
    from modelfile.report.differences import lines_of

    _, *lines = ("".join(text for text, _ in line).removeprefix("  ") for line in lines_of([change]))
    more = [f"and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
    title = visible(f"{change.title}: {change.impact.phrase}").translate(_PROPERTY)
    return f"::notice {file}title={title}::{_message(chr(10).join((*lines[:_MOST_LINES], *more)), None)}"


@lru_cache
def _file(path: str) -> str:
    decoded = os.fsencode(PurePath(path).as_posix()).decode(errors="replace")
    return escape_controls(decoded, keep="\r\n").translate(_PROPERTY)


def _message(message: str, hint: str | None) -> str:
    return visible("\n".join(filter(None, (message, hint))), keep="\n").translate(_DATA)
