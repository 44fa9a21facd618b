"""Results as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar, assert_never

from modelfile.characters import CONTROLS
from modelfile.redaction import redact
from modelfile.report.terminal import Terminal

if TYPE_CHECKING:
    from modelfile.builder.execute import Built
    from modelfile.builder.scheduler import Outcome
    from modelfile.diagnostics import Diagnostic
    from modelfile.differ import Change
    from modelfile.errors import InputError, ModelfileError
    from modelfile.health import Check
    from modelfile.library.history import ModelBackup
    from modelfile.pinning.check import PinCheck
    from modelfile.pinning.pin import PinChange
    from modelfile.report.formats import Report
    from modelfile.source import Source
    from modelfile.stores.protocol import ListedModel, StoredModel

_Result = TypeVar("_Result")

VERSION = 1
"""Version of the JSON; fields may be added, but none changes its meaning."""


_ESCAPED: Final = re.compile(f"(?!\n)[{CONTROLS}]|#(?=#\\w*\\[)")
"""Control characters, and the start of what CI systems take for a command, as `##[error]`."""


def dumps(document: Any, *, indent: int | None = 2) -> str:
    """Return a document as JSON that is safe in a terminal and in a log; other characters stay as they are."""
    import json  # 1 ms that text does not need

    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_json(document: Any, terminal: Terminal, *, indent: int | None = 2) -> None:
    """Print a document as JSON in UTF-8, on one line if `indent` is None."""
    terminal.write_content(f"{dumps(document, indent=indent)}\n")


def findings_as_json(report: Report) -> str:
    """Return an object of version, number of files, errors, undecided rules, and findings in the order of the text.

    Lines and columns count from 1.
    """
    return dumps(
        {
            "version": VERSION,
            "files": len(report.findings),
            "unread": [error_as_json(error)["error"] for error in report.unread],
            "undecided": [
                {"path": source.path, "code": rule.code, "name": rule.name, "reason": reason}
                for source, rules in report.undecided
                for rule, reason in rules
            ],
            "findings": [_finding(source, found) for source, diagnostics in report.findings for found in diagnostics],
        }
    )


def _finding(source: Source, found: Diagnostic) -> dict[str, Any]:
    start, end = source.position(found.span.start), source.position(found.span.end)
    return {
        "path": source.path,
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        **_describe(found),
        "fix": str(found.fix.safety) if found.fix else None,
    }


def diagnostic_as_json(source: Source, found: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic with its span."""
    start, end = source.position(found.span.start), source.position(found.span.end)
    return {**_describe(found), "start": asdict(start), "end": asdict(end)}


def _describe(found: Diagnostic) -> dict[str, Any]:
    return {
        "code": found.code,
        "name": found.name,
        "severity": str(found.severity),
        "message": found.message,
        "help": found.hint,
    }


def error_as_json(error: ModelfileError) -> dict[str, Any]:
    """Return an error in the shape that all commands share."""
    return failure_as_json(str(error), error.hint, error.code)


def failure_as_json(message: str, hint: str | None, code: str) -> dict[str, Any]:
    """Return a failure in the shape of `error_as_json`; secrets that it quotes are redacted."""
    return {"error": {"message": redact(message), "hint": hint and redact(hint), "code": code}}


def listed_as_json(model: ListedModel) -> dict[str, Any]:
    """Return a listed model."""
    return {
        "name": str(model.name),
        "digest": model.digest,
        "size": model.size,
        "modified": model.modified.isoformat(),
    }


def model_as_json(stored: StoredModel) -> dict[str, Any]:
    """Return the contents of a model."""
    return {
        "name": str(stored.name),
        "fingerprint": stored.fingerprint,
        "digest": stored.digest,
        **asdict(stored.model),
        "parameters": {name: _plain(value) for name, value in sorted(stored.model.parameters.items())},
    }


def _plain(value: Any) -> Any:
    """Return a whole number without its `.0`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def changes_as_json(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return an object for each change; secrets are redacted."""
    return [
        {
            "aspect": str(change.aspect),
            "name": change.name,
            "old": change.old and redact(change.old),
            "new": change.new and redact(change.new),
        }
        for change in changes
    ]


def outcome_as_json(outcome: Outcome[_Result], result_as_json: Callable[[_Result], dict[str, Any]]) -> dict[str, Any]:
    """Return the outcome of a model on a server."""
    from modelfile.builder.scheduler import Failed, Skipped, Succeeded

    key = {"name": str(outcome.name), "host": str(outcome.store)}
    match outcome:
        case Succeeded(result=result):
            return key | result_as_json(result)
        case Failed(error=error):
            return key | error_as_json(error)
        case Skipped(reason=reason):
            return key | {"skipped": reason}
        case _:
            assert_never(outcome)


def built_as_json(built: Built) -> dict[str, Any]:
    """Return the result of a build."""
    sent, created = built.rewritten
    return {
        "fingerprint": built.created.fingerprint,
        "digest": built.created.digest,
        "ollama": built.plan.version,
        "built": not built.plan.nothing_to_do,
        "backup": str(built.backup) if built.backup else None,
        "replaced": built.replaced,
        "concurrent_build": str(built.concurrent_build) if built.concurrent_build else None,
        "rewritten": {"sent": sent, "created": created} if sent else None,
        "stale": [drift.as_json() for drift in built.plan.stale],
    }


def checks_as_json(checks: Iterable[Check]) -> dict[str, Any]:
    """Return the checks of this machine."""
    made = [
        {"name": check.name, "status": str(check.status), "message": check.message, "help": check.hint}
        for check in checks
    ]
    return {"checks": made}


def backup_as_json(backup: ModelBackup) -> dict[str, Any]:
    """Return a backup."""
    return {**listed_as_json(backup.model), "fingerprint": backup.fingerprint, "current": backup.current}


def pins_as_json(changes: Iterable[PinChange], failures: Mapping[str, InputError]) -> list[dict[str, Any]]:
    """Return an object for each Modelfile that was pinned, removed, or could not be pinned."""
    pinned: list[dict[str, Any]] = [
        {
            "modelfile": change.key,
            "base": change.pin.base.written if change.pin and change.pin.base else None,
            "fingerprint": change.pin.fingerprint if change.pin else None,
            "change": change.kind,
        }
        for change in changes
    ]
    return pinned + [{"modelfile": path} | error_as_json(error) for path, error in failures.items()]


def check_as_json(check: PinCheck, host: str | None) -> dict[str, Any]:
    """Return the drifts from a lock, and what could not be checked, on the server as it was named."""
    errors = (*check.unread, *(base.error(host) for base in check.undecided))
    return {
        "drifts": [drift.as_json() for drift in check.drifts],
        "undecided": [error_as_json(error)["error"] for error in errors],
    }
