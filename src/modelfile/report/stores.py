"""Folders of models as text and as JSON: disk space, plans of prune, and damage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from modelfile.diagnostics import Severity
from modelfile.filesystem import format_size
from modelfile.report.json_output import error_as_json
from modelfile.report.models import age, print_table, short_name
from modelfile.report.terminal import Terminal, visible
from modelfile.stores.disk.prune import Prunable, Pruned, PrunePlan, PruneReason
from modelfile.stores.disk.usage import Amount, ModelUsage, Usage

if TYPE_CHECKING:
    from modelfile.stores.disk.damage import Damage
    from modelfile.stores.disk.repair import Repaired

_BAR: Final = 20
"""Width of the bar of the largest model, in characters."""
_UNIQUE, _SHARED = "█", "░"
_STYLES: Final = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
_WORDS: Final = {
    PruneReason.STAGING: "stale staging tag",
    PruneReason.BACKUP: "old backup",
    PruneReason.UNLOCKED: "no lock names it",
    PruneReason.BLOB: "no model names it",
    PruneReason.PARTIAL: "partial download",
    PruneReason.TEMPORARY: "temporary file",
}


def print_usage(usage: Usage, terminal: Terminal) -> None:
    """Print the disk space of each model with a bar, then totals, and what takes space for nothing."""
    largest = max((model.size for model in usage.models), default=0)
    rows = [
        (short_name(model.name), *map(format_size, (model.size, model.unique, model.shared)), _bar(model, largest))
        for model in usage.models
    ]
    if rows:
        table = [("NAME", "SIZE", "UNIQUE", "SHARED", ""), *rows]
        print_table(([row[:length] for row in table] for length in (5, 4, 2)), terminal)
    count = len(rows)
    terminal.print(f"{_amount(usage.blobs, 'blob')} of {count} model{'s' * (count != 1)}")
    for amount, noun, hint in (
        (usage.unnamed, "blob", " that no model names; `mf store prune` removes them"),
        (usage.partial, "file", " of partial downloads; the next pull resumes them"),
        (usage.temporary, "temporary file", "; `mf store prune` removes those of killed programs"),
    ):
        if amount.files:
            terminal.print(f"{_amount(amount, noun)}{hint}")
    for model in usage.models:
        if model.missing:
            count = len(model.missing)
            message = f"{short_name(model.name)} lacks {count} blob{'s' * (count != 1)}"
            terminal.print_warning(message, "run `mf store check`")
    for path in usage.unreadable:
        terminal.print_warning(f"cannot read the manifest `{path}`: its blobs count as unnamed", "run `mf store check`")


def _bar(model: ModelUsage, largest: int) -> str:
    """Return a bar of what a model has to itself and what it shares; neither is invisible unless it is nothing."""
    width = max(round(_BAR * model.size / largest), 1) if model.size else 0
    unique = round(width * model.unique / model.size) if model.size else 0
    if width > 1:
        unique = min(max(unique, bool(model.unique)), width - bool(model.shared))
    return _UNIQUE * unique + _SHARED * (width - unique)


def _amount(amount: Amount, noun: str) -> str:
    return f"{amount.files:,} {noun}{'s' * (amount.files != 1)}, {format_size(amount.size)}"


def usage_as_json(usage: Usage) -> dict[str, Any]:
    """Return the disk space of a store."""
    amounts = {"blobs": usage.blobs, "unnamed": usage.unnamed, "partial": usage.partial, "temporary": usage.temporary}
    return {
        "models": [
            {
                "name": str(model.name),
                "digest": model.digest,
                "size": model.size,
                "unique": model.unique,
                "shared": model.shared,
                "missing": [*model.missing],
            }
            for model in usage.models
        ],
        **{name: {"files": amount.files, "size": amount.size} for name, amount in amounts.items()},
        "unreadable": [str(path) for path in usage.unreadable],
    }


def print_prune_plan(plan: PrunePlan, terminal: Terminal) -> None:
    """Print what would be removed, and what is spared because it is new."""
    now = datetime.fromtimestamp(plan.now, UTC)
    rows = [_row(item, now) for item in plan.stale]
    if rows:
        print_table([[("NAME", "SIZE", "AGE", "REASON"), *rows]], terminal)
        terminal.print(f"{format_size(plan.size)} would be freed")
    else:
        terminal.print("nothing to prune")
    blobs = "day, because a download is under way" if plan.is_downloading else "hour"
    for reason, limit in ((PruneReason.BLOB, blobs), (PruneReason.PARTIAL, "day"), (PruneReason.TEMPORARY, "hour")):
        if spared := [item for item in plan.spared if item.reason is reason]:
            count, total = len(spared), format_size(sum(item.size for item in spared))
            what = {PruneReason.BLOB: "blob"}.get(reason, _WORDS[reason])
            also = (
                "; --all removes these, too" if reason is PruneReason.PARTIAL and not plan.options.all_partial else ""
            )
            terminal.print_note(f"spared {count} {what}{'s' * (count != 1)} of the last {limit}, {total}{also}")


def _row(item: Prunable, now: datetime) -> tuple[str, ...]:
    name = short_name(item.name or item.path.name)
    shown = format_size(item.size) if item.size or not item.name else ""
    return (
        name,
        shown,
        age(now, datetime.fromtimestamp(item.modified, UTC)) if item.modified else "",
        _WORDS[item.reason],
    )


def print_pruned(done: Pruned, terminal: Terminal) -> None:
    """Print the result of a prune."""
    count = len(done.removed)
    terminal.print(f"removed {count}, freed {format_size(sum(item.size for item in done.removed))}")
    if done.changed:
        count = len(done.changed)
        terminal.print_note(f"{count} changed in between, and stay{'s' * (count == 1)}")
    for item, error in done.failed:
        terminal.print_error(f"cannot remove {short_name(item.name or item.path.name)}: {error.message}", error.hint)


def pruned_as_json(plan: PrunePlan, done: Pruned | None) -> dict[str, Any]:
    """Return a plan of prune, and its result if it was executed."""
    failed = done.failed if done else ()
    return {
        "pruned": done is not None,
        "size": sum(item.size for item in (done.removed if done else plan.stale)),
        "stale": [_item(item) for item in plan.stale],
        "spared": [_item(item) for item in plan.spared],
        "failed": [{"path": str(item.path), **error_as_json(error)} for item, error in failed],
        "changed": [str(item.path) for item in (done.changed if done else ())],
    }


def _item(item: Prunable) -> dict[str, Any]:
    return {
        "path": str(item.path),
        "name": str(item.name) if item.name else None,
        "digest": item.digest or None,
        "reason": str(item.reason),
        "size": item.size,
        "modified": datetime.fromtimestamp(item.modified, UTC).isoformat() if item.modified else None,
    }


def print_damage(damage: Damage, terminal: Terminal) -> None:
    """Print a finding of a check: code and message, file, and what to do."""
    hint = damage.hint and terminal.complete(damage.hint)
    _print_finding(damage, str(damage.severity), _STYLES[damage.severity], terminal, ("help", hint))


def print_repair(outcome: Repaired, terminal: Terminal) -> None:
    """Print a finding, and how it was repaired, or why not."""
    damage, error = outcome.damage, outcome.error
    if outcome.done is not None:
        _print_finding(damage, "repaired", "bold green", terminal, ("done", outcome.done))
    elif error is not None:
        _print_finding(
            damage, str(damage.severity), _STYLES[damage.severity], terminal, ("not repaired", error.message)
        )
    else:
        print_damage(damage, terminal)


def _print_finding(damage: Damage, word: str, style: str, terminal: Terminal, last: tuple[str, str | None]) -> None:
    terminal.write([(f"{word}[{damage.code}]", style), (f": {damage.message}", "bold")])
    terminal.write([("  --> ", "dim"), (visible(str(damage.path)), "")])
    if last[1]:
        terminal.write([(f"  {last[0]}: ", "dim"), (last[1], "")])


def print_verdict(found: Sequence[Damage], outcomes: Iterable[Repaired], terminal: Terminal, location: str) -> None:
    """Print the number of findings, and of those that were repaired."""
    repaired = sum(outcome.done is not None for outcome in outcomes)
    if not found:
        terminal.print(f"{location} is sound")
        return
    text = f"{len(found)} finding{'s' * (len(found) != 1)}"
    terminal.print(f"{text}, {repaired} repaired" if repaired else text)


def damage_as_json(damage: Damage, outcome: Repaired | None) -> dict[str, Any]:
    """Return a finding of a check, and the outcome of its repair."""
    return {
        "code": damage.code,
        "severity": str(damage.severity),
        "path": str(damage.path),
        "message": damage.message,
        "help": damage.hint,
        "repaired": outcome.done if outcome else None,
        "error": str(outcome.error) if outcome and outcome.error else None,
    }
