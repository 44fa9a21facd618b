"""Results of `mf find` as text and as JSON."""

from __future__ import annotations

from typing import Any, Final

from modelfile.pinning.find import Commit, FindResult, Occurrence
from modelfile.report.json_output import VERSION
from modelfile.report.models import short_name
from modelfile.report.terminal import Terminal

_COMMIT_DIGITS: Final = 10
_NAMES: Final = frozenset({"model", "pin alias", "backup", "staging tag"})
"""Kinds of names in a store."""


def print_found(result: FindResult, terminal: Terminal) -> None:
    """Print each digest in full, and below it a line for each thing that it is."""
    for found in result.digests:
        terminal.write([(found.digest, "bold")])
        for occurrence in found.occurrences:
            terminal.print(f"  {occurrence.location}: {_describe(occurrence)}{_period(occurrence)}")
    if len(result.digests) > 1:
        terminal.print_note(f"{len(result.digests)} digests begin so")
    for text in result.unasked:
        terminal.print_note(f"not searched: {text}")


def _describe(occurrence: Occurrence) -> str:
    kind, name = occurrence.kind, short_name(occurrence.name)
    if occurrence.location in ("server", "store"):
        return f"{kind} {name}" if kind in _NAMES else f"{kind} of {name}"
    described = {
        "model": "the model that {key} builds",
        "Modelfile": "the text of {key}",
        "base": "the base {name} of {key}",
        "file": "the file {name} of {key}",
        "converted weights": "what Ollama made of the weights of {key}",
    }.get(kind, "{kind} of {name}, the base of {key}")
    return described.format(kind=kind, name=name, key=occurrence.modelfile)


def _period(occurrence: Occurrence) -> str:
    since, until = occurrence.since, occurrence.until
    if since is None:
        return ""
    return f", since {_commit(since)}" if until is None else f", from {_commit(since)} until {_commit(until)}"


def _commit(commit: Commit) -> str:
    return f"{commit.time:%Y-%m-%d} ({commit.id[:_COMMIT_DIGITS]})"


def found_as_json(result: FindResult) -> dict[str, Any]:
    """Return all that was found."""
    return {
        "version": VERSION,
        "digests": [
            {
                "digest": found.digest,
                "occurrences": [
                    {
                        "location": one.location,
                        "kind": one.kind,
                        "name": one.name,
                        "modelfile": one.modelfile,
                        "since": _commit_as_json(one.since),
                        "until": _commit_as_json(one.until),
                    }
                    for one in found.occurrences
                ],
            }
            for found in result.digests
        ],
        "unasked": result.unasked,
    }


def _commit_as_json(commit: Commit | None) -> dict[str, str] | None:
    return {"commit": commit.id, "time": commit.time.isoformat()} if commit else None
