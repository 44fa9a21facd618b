"""Results as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice, repeat
from json.encoder import JSONEncoder, encode_basestring
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, TypeVar, assert_never

from modelfile.characters import CONTROLS
from modelfile.redaction import redact
from modelfile.report.terminal import Terminal

if TYPE_CHECKING:
    from modelfile.builder.execute import Built
    from modelfile.builder.scheduler import Outcome
    from modelfile.diagnostics import Diagnostic, Edit
    from modelfile.differ.comparison import Change
    from modelfile.errors import ModelfileError
    from modelfile.health import Check
    from modelfile.library.history import ModelBackup
    from modelfile.manifest import Manifest
    from modelfile.pinning.check import PinCheck
    from modelfile.pinning.pin import PinChange
    from modelfile.recipe.model import Model
    from modelfile.report.formats import Report
    from modelfile.source import Position, Source
    from modelfile.stores.protocol import ListedModel

_Result = TypeVar("_Result")

VERSION = 1
"""Version of the JSON; fields may be added, but none changes its meaning."""


_C0, _C0_BUT_NEWLINE = "\0-\x1f", "\0-\t\v-\x1f"
_CONTROL: Final = f"[{CONTROLS.replace(_C0, _C0_BUT_NEWLINE)}]"
_COMMAND: Final = r"#(?=\w*\[)"
"""The start of what CI systems take for a command, as `##[error]`."""


_CONTAINERS: Final = (dict, list, tuple, GeneratorType)
_SCALARS: Final = JSONEncoder(ensure_ascii=False)
_PIECES: Final = 1_000
"""Number of pieces of a document that are written at once."""


def dumps(document: Any, *, one_line: bool = False) -> str:
    """Return a document as JSON that is safe in a terminal and in a log; other characters stay as they are."""
    return "".join(_chunks(_encode(document, "" if one_line else "\n")))


def json_pieces(document: Any, *, one_line: bool = False) -> Iterator[str]:
    """Return the parts of a document as `dumps` writes it, and a newline, so that a long one is not in memory whole."""
    return _chunks(chain(_encode(document, "" if one_line else "\n"), "\n"))


def print_json(document: Any, terminal: Terminal, *, one_line: bool = False) -> None:
    """Print a document as JSON in UTF-8, with an indent unless `one_line`; a generator in it becomes a list."""
    for chunk in json_pieces(document, one_line=one_line):
        terminal.write_content(chunk)


def _chunks(pieces: Iterator[str]) -> Iterator[str]:
    """Yield escaped parts of a document. No piece ends within a text."""
    while chunk := "".join(islice(pieces, _PIECES)):
        if not chunk.isascii() or "\x7f" in chunk:  # JSON escapes the other control characters of ASCII
            chunk = re.sub(_CONTROL, _escape, chunk)
        yield re.sub(_COMMAND, _escape, chunk)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _encode(value: Any, newline: str) -> Iterator[str]:
    """Yield the pieces of a document: an item of a generator is one piece, and contains no generator itself."""
    if not isinstance(value, _CONTAINERS):
        yield _format(value, newline)
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    inner, comma = _inside(newline)
    before = opening + inner
    for key, item in value.items() if isinstance(value, dict) else zip(repeat(None), value, strict=False):
        yield before if key is None else f"{before}{_format(key, inner)}: "
        if isinstance(value, GeneratorType):
            yield _format(item, inner)
        else:
            yield from _encode(item, inner)
        before = comma
    yield newline + closing if before is comma else opening + closing


def _format(value: Any, newline: str) -> str:
    """Return a value as JSON; with an indent, `json.dumps` takes three times the time."""
    if (kind := type(value)) is str:
        return encode_basestring(value)
    if kind is int:
        return repr(value)
    if not isinstance(value, _CONTAINERS):
        return _SCALARS.encode(value)
    inner, comma = _inside(newline)
    if isinstance(value, dict):
        text = comma.join(
            [
                f"{encode_basestring(key)}: {encode_basestring(item) if type(item) is str else _format(item, inner)}"
                for key, item in value.items()
            ]
        )
        return f"{{{inner}{text}{newline}}}" if text else "{}"
    text = comma.join([_format(item, inner) for item in value])
    return f"[{inner}{text}{newline}]" if text else "[]"


def _inside(newline: str) -> tuple[str, str]:
    """Return what precedes the first and each further item of a container; `newline` is empty if all is on one line."""
    return (inner := f"{newline}  ", f",{inner}") if newline else ("", ", ")


def findings_as_json(report: Report) -> Iterator[str]:
    """Return the parts of an object of version, number of files, errors, undecided rules, and findings.

    Findings are in the order of the text. Lines and columns count from 1.
    """
    return json_pieces(
        {
            "version": VERSION,
            "files": len(report.findings) if report.modelfiles is None else report.modelfiles,
            "unread": [error_as_json(error)["error"] for error in report.unread],
            "undecided": [
                {"path": source.path, "code": rule.code, "name": rule.name, "reason": reason}
                for source, rules in report.undecided
                for rule, reason in rules
            ],
            "findings": (_finding(source, found) for source, diagnostics in report.findings for found in diagnostics),
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
        "edits": [_edit(source, edit) for edit in found.fix.edits] if found.fix else [],
    }


def _edit(source: Source, edit: Edit) -> dict[str, Any]:
    start, end = source.position(edit.span.start), source.position(edit.span.end)
    return {
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        "text": edit.text,
    }


def diagnostic_as_json(source: Source, found: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic with its span."""
    start, end = source.position(found.span.start), source.position(found.span.end)
    return {**_describe(found), "start": _position(start), "end": _position(end)}


def _position(position: Position) -> dict[str, int]:
    return {"line": position.line, "column": position.column, "byte": position.byte}


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


def model_as_json(
    name: object, model: Model, fingerprint: str | None, digest: str | None = None, dropped: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the contents of a model, or of the one that a Modelfile gives.

    Args:
        name: Its name, or the path of the Modelfile.
        model: Its contents.
        fingerprint: Its fingerprint; None if only a build can tell.
        digest: Its digest; None if it is not built.
        dropped: The capabilities that it lacks and its base has.
    """
    from modelfile.immutable import asdict

    return {
        "name": str(name),
        "fingerprint": fingerprint,
        "digest": digest,
        **{key: value for key, value in asdict(model).items() if key != "family"},
        "parameters": {parameter: plain_number(value) for parameter, value in sorted(model.parameters.items())},
        "dropped_capabilities": [*dropped],
    }


def manifest_as_json(name: object, manifest: Manifest, kind: str, location: str) -> dict[str, Any]:
    """Return a manifest, with the location of the `registry` or `store` that it comes from."""
    config, *layers = (
        {"kind": layer.kind, "media_type": layer.media_type, "digest": layer.digest, "size": layer.size}
        for layer in manifest.blobs
    )
    answer = {"name": str(name), "digest": manifest.digest, kind: location, "size": manifest.size}
    return answer | {"config": config, "layers": layers}


def plain_number(value: Any) -> Any:
    """Return a whole number without its `.0`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def changes_as_json(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return an object for each change; secrets are redacted."""
    return [{key: _redacted(value) for key, value in change.as_json().items()} for change in changes]


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case dict():
            return {key: _redacted(item) for key, item in value.items()}
        case list() | tuple():
            return [*map(_redacted, value)]
        case _:
            return value


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
        "dropped_capabilities": [name for name, _ in built.plan.dropped_capabilities],
    }


def checks_as_json(checks: Iterable[Check]) -> dict[str, Any]:
    """Return the checks of this machine; secrets are redacted."""
    made = [
        {
            "name": check.name,
            "status": str(check.status),
            "message": redact(check.message),
            "help": check.hint and redact(check.hint),
        }
        for check in checks
    ]
    return {"checks": made}


def backup_as_json(backup: ModelBackup) -> dict[str, Any]:
    """Return a backup."""
    return {**listed_as_json(backup.model), "fingerprint": backup.fingerprint, "current": backup.current}


def pins_as_json(changes: Iterable[PinChange], failures: Mapping[str, ModelfileError]) -> list[dict[str, Any]]:
    """Return an object for each Modelfile that was pinned, removed, or could not be pinned."""
    pinned: list[dict[str, Any]] = [
        {
            "modelfile": change.key,
            "base": change.pin.base.written if change.pin and change.pin.base else None,
            "fingerprint": change.pin.fingerprint if change.pin else None,
            "source": change.pin.base.source if change.pin and change.pin.base else None,
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
