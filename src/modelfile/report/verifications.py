"""Results of `mf verify` as text, JUnit XML and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from modelfile.names import shorten_digest
from modelfile.pinning.verify import VerifiedModel, VerifyStatus
from modelfile.report.differences import lines_of, print_changes
from modelfile.report.json_output import VERSION, changes_as_json
from modelfile.report.junit import JUnitCase, cases_as_junit
from modelfile.report.terminal import Terminal
from modelfile.stores.protocol import StoreLocation

_STYLES: Final = {VerifyStatus.SAME: "green", VerifyStatus.DIFFERENT: "red"}


def print_verified(models: Sequence[VerifiedModel], location: StoreLocation, terminal: Terminal) -> None:
    """Print a line for each model, and below one that differs its differences, the locked value first."""
    for model in models:
        style = "red" if model.fails else _STYLES.get(model.status, "")
        terminal.write([(model.name, "bold"), (": ", ""), (_summary(model, location), style)])
        print_changes(model.changes, terminal, indent="  ")
        for note in model.notes:
            terminal.print(f"  {note}")
    if not models:
        terminal.print_note("mf.lock has no base or model to verify: name a model, as in `mf verify bot:v1`")
    elif failed := sum(model.fails for model in models):
        total = f"{len(models)} model{'s' * (len(models) != 1)}"
        terminal.print_note(f"{failed} of {total} {'is' if failed == 1 else 'are'} not as in mf.lock")


def _summary(model: VerifiedModel, location: StoreLocation) -> str:
    match model.status:
        case VerifyStatus.SAME:
            return f"as in mf.lock ({shorten_digest(model.expected or '')})"
        case VerifyStatus.DIFFERENT:
            return (
                f"differs from mf.lock ({shorten_digest(model.expected or '')} -> {shorten_digest(model.actual or '')})"
            )
        case VerifyStatus.MISSING:
            return f"not {location.where}" + ("" if model.fails else ", which need not have a base")
        case VerifyStatus.UNKNOWN:
            return "not compared"


def verified_as_junit(models: Sequence[VerifiedModel], location: StoreLocation) -> Iterator[str]:
    """Yield the result as a JUnit report."""
    cases = [
        JUnitCase(
            group=model.kind,
            name=model.name,
            failure=f"{model.name}: {_summary(model, location)}" if model.fails else None,
            skipped=None if model.status is VerifyStatus.SAME else "; ".join((_summary(model, location), *model.notes)),
            details=[*("".join(text for text, _ in line) for line in lines_of(model.changes)), *model.notes],
        )
        for model in models
    ]
    return cases_as_junit(f"mf verify {location.where}", cases)


def verified_as_json(models: Sequence[VerifiedModel], location: StoreLocation) -> dict[str, Any]:
    """Return the result as JSON."""
    return {
        "version": VERSION,
        "host": str(location),
        "verified": not any(model.fails for model in models),
        "models": [
            {
                "name": model.name,
                "kind": model.kind,
                "modelfiles": model.modelfiles,
                "status": str(model.status),
                "fails": model.fails,
                "expected": model.expected,
                "actual": model.actual,
                "changes": changes_as_json(model.changes),
                "notes": model.notes,
            }
            for model in models
        ],
    }
