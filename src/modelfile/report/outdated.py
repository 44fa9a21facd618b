"""Results of `mf outdated` as text and as JSON."""

from __future__ import annotations

from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from modelfile.errors import ExitCode, ServerUnreachable
from modelfile.lockfile.lock import SERVER
from modelfile.names import ModelName, short_digest
from modelfile.pinning.outdated import BaseStatus, LockedBase, Outdated
from modelfile.report.json_output import VERSION, error_as_json, print_json
from modelfile.report.models import Row, print_table
from modelfile.report.pins import likewise
from modelfile.report.terminal import Terminal

_HEADINGS: Final = ("BASE", "LOCKED", "CURRENT", "PINNED", "CHANGED", "NEWER TAGS")
_PICKS: Final = (itemgetter(0, 1, 2, 3, 4), itemgetter(0, 1, 2, 4), itemgetter(0, 4))
"""Columns for narrower terminals."""
_CURRENT: Final = {BaseStatus.GONE: "gone", BaseStatus.CURRENT: "same"}
_OF_HOST: Final = frozenset({"registry-unreachable", "registry-refused"})
"""Codes of errors that the bases of one registry are likely to share."""
_MOST_NAMES: Final = 5
"""Number of bases that a line names."""
_MOST_TAGS: Final = 3
"""Number of newer tags that the table shows."""


def print_outdated(result: Outdated, terminal: Terminal) -> None:
    """Print a table of the bases that have moved, or have newer tags; a note counts the others."""
    rows = [_row(base) for base in result.bases if base in result.moved or base.newer_tags]
    if rows:
        table = [_HEADINGS, *rows]
        has_tags = any(base.newer_tags for base in result.bases)
        tables = [[pick(row) for row in table] for pick in _PICKS]
        print_table([table, *tables] if has_tags else tables, terminal)
    statuses = [base.status for base in result.bases]
    moved, gone = statuses.count(BaseStatus.OUTDATED), statuses.count(BaseStatus.GONE)
    asked = len(statuses) - statuses.count(BaseStatus.UNKNOWN)
    bases = f"{asked} base{'s' * (asked != 1)}"
    if moved:
        have = "has" if moved == 1 else "have"
        terminal.print_note(f"{moved} of {bases} {have} moved since `mf pin`: run `mf update`, and commit mf.lock")
    if gone:
        are = "is" if gone == 1 else "are"
        terminal.print_note(f"{gone} of {bases} {are} gone: a build needs a server that has it, or another tag in FROM")
    if moved or gone:
        return
    if asked:
        terminal.print_note(f"{bases} {'is' if asked == 1 else 'are'} as pinned")
    elif not result.bases:
        terminal.print_note("mf.lock has no bases")


def _row(base: LockedBase) -> Row:
    layers = [change.layer for change in base.changes]
    changed = ", ".join(layer for layer in layers if layer != "config" or len(layers) == 1)  # it lists all others
    if base.base.manifest is None and base.status is BaseStatus.OUTDATED:
        changed = "contents"
    tags = base.newer_tags or ()
    more = f" and {len(tags) - _MOST_TAGS} more" if len(tags) > _MOST_TAGS else ""
    return (
        str(ModelName.parse(base.base.name)),
        short_digest(base.base.digest or ""),
        _CURRENT.get(base.status) or short_digest(base.digest or ""),
        (base.base.resolved or "")[:10],
        changed,
        ", ".join(tags[:_MOST_TAGS]) + more,
    )


def print_unknown(result: Outdated, terminal: Terminal) -> ExitCode | None:
    """Print what could not be asked, a line for each cause; return the exit code of what a registry did not answer."""
    causes: dict[tuple[str, str], list[LockedBase]] = {}
    codes = []
    for base in result.bases:
        if error := base.error:
            host = SERVER if base.base.source == SERVER else ModelName.parse(base.base.name).host
            of_host = error.code in _OF_HOST or host == SERVER
            causes.setdefault((error.code, host if of_host else base.base.name), []).append(base)
    for first, *others in causes.values():
        if (error := first.error) is None:
            continue
        names = [base.base.written for base in (first, *others)]
        if isinstance(error, ServerUnreachable):
            terminal.print_warning(f"cannot check {_list(names)}, which only a server has: {error.message}")
            continue
        message = error.message if names[0] in error.message else f"cannot check {names[0]}: {error.message}"
        terminal.print_error(message + likewise(names[1:]), error.hint)
        codes.append(error.exit_code)
    for path in result.unpinned:
        terminal.print_warning(f"`{path}` is not pinned: run `mf pin`")
    return max(codes, default=None)


def _list(names: list[str]) -> str:
    shown, more = names[:_MOST_NAMES], len(names) - _MOST_NAMES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def outdated_as_json(result: Outdated, terminal: Terminal) -> None:
    """Print all bases as JSON, as docs/schema/outdated.schema.json has it."""
    bases = [_as_json(base) for base in result.bases]
    document = {"version": VERSION, "outdated": bool(result.moved), "bases": bases, "unpinned": result.unpinned}
    print_json(document, terminal)


def _as_json(base: LockedBase) -> dict[str, Any]:
    locked, here = base.base, Path.cwd()
    return {
        "base": locked.written,
        "name": locked.name,
        "lock": str(base.lock.relative_to(here) if base.lock.is_relative_to(here) else base.lock),
        "modelfiles": base.modelfiles,
        "source": locked.source,
        "status": str(base.status),
        "locked": {"digest": locked.digest, "fingerprint": locked.fingerprint, "resolved": locked.resolved},
        "current": {"digest": base.digest, "fingerprint": base.fingerprint} if base.digest else None,
        "changes": [{"layer": change.layer, "old": change.old, "new": change.new} for change in base.changes],
        "newer_tags": base.newer_tags,
        "error": error_as_json(base.error)["error"] if base.error else None,
    }
