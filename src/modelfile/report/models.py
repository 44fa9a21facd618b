"""Models and backups as text: tables, and the contents of one model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from modelfile.filesystem import format_size
from modelfile.names import ModelName, short_digest, shorten_digest
from modelfile.report.terminal import Terminal, visible

if TYPE_CHECKING:
    from modelfile.library.history import ModelBackup
    from modelfile.library.removal import Removal
    from modelfile.manifest import Manifest
    from modelfile.stores.protocol import ListedModel

_UNITS: Final = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)
Row: TypeAlias = tuple[str, ...]
_PICKS: Final = (itemgetter(0, 1, 2, 3), itemgetter(0, 2, 3), itemgetter(0, 2), itemgetter(slice(0, 1)))
"""Columns of a list of models, for a narrower terminal each; a name is never cut."""
_SIZES: Final = ("SIZE", "UNIQUE", "OWN", "SHARED")
"""Headings of the columns of sizes."""
_MARGIN: Final = 15
_DIGEST: Final = re.compile(r"(sha256[-:])([0-9a-f]{64})", re.IGNORECASE)


def print_models(models: Iterable[ListedModel], terminal: Terminal) -> None:
    """Print a table of models: name, short digest, size, age."""
    now = terminal.clock.now()
    rows = [
        (str(model.name), short_digest(model.digest), format_size(model.size), age(now, model.modified))
        for model in models
    ]
    table = [("NAME", "DIGEST", "SIZE", "MODIFIED"), *rows]
    print_table(([pick(row) for row in table] for pick in _PICKS), terminal)


def print_backups(backups: Iterable[ModelBackup], terminal: Terminal) -> None:
    """Print a table of a tag's backups with their fingerprints; `*` marks the current model."""
    now = terminal.clock.now()
    rows = [
        (
            "*" if backup.current else "",
            short_digest(backup.model.digest),
            format_size(backup.model.size),
            age(now, backup.model.modified),
            backup.fingerprint or "",
        )
        for backup in backups
    ]
    print_table(shortened([("", "DIGEST", "SIZE", "BACKED UP", "FINGERPRINT"), *rows]), terminal)


def describe_removal(model: ListedModel, removal: Removal) -> str:
    """Return a model with its size, and the models that keep its layers."""
    others = ", ".join(short_name(name) for name in removal.sharing(model))
    return f"{model.name}  {format_size(model.size)}" + (f"; its layers stay, shared with {others}" if others else "")


def print_table(tables: Iterable[Sequence[Row]], terminal: Terminal) -> None:
    """Print the first table that fits into the width of the terminal, or else the last.

    Columns of sizes are aligned to the right.
    """
    limit = terminal.table_width
    for rows in tables:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        sign = [">" if heading in _SIZES else "<" for heading in rows[0]]
        lines = ["  ".join(f"{cell:{sign[at]}{widths[at]}}" for at, cell in enumerate(row)).rstrip() for row in rows]
        if limit is None or max(map(len, lines)) <= limit:
            break
    for number, line in enumerate(lines):
        terminal.write([(line, "" if number else "bold")])


def print_facts(rows: Iterable[tuple[str, Iterable[str]]], margin: int, terminal: Terminal) -> None:
    """Print titles with their lines, which begin at the column `margin`; a title without lines is left out."""
    for title, lines in rows:
        for number, line in enumerate(lines):
            head = "" if number else f"  {title}"
            terminal.write([(f"{head:<{margin}}", "dim"), (visible(line), "")])


def bar(share: float, width: int) -> str:
    """Return a bar of at most `width` columns in eighths of a column; at least one eighth."""
    whole, eighths = divmod(round(share * width * 8) or 1, 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[eighths].strip()


def shortened(table: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield a table as it is, then with short fingerprints in its last column."""
    yield table
    yield [(*row[:-1], shorten_digest(row[-1]) if ":" in row[-1] else row[-1]) for row in table]


def print_received(name: ModelName, digest: str, previous: str | None, terminal: Terminal) -> None:
    """Print the model that a tag has after a pull, push or load, and whether it had it before."""
    change = "new" if previous is None else "unchanged" if previous == digest else "changed"
    terminal.print(f"{name}  {digest}  ({change})")


def print_backup(name: ModelName, backup: ModelName | None, immutable: Iterable[str], terminal: Terminal) -> None:
    """Print where the model is that a tag had before, if it was replaced, and how to restore it."""
    if backup:
        undo = terminal.complete(f"`{rollback_command(name, immutable)}`")
        terminal.print(f"  backed up the replaced model as {short_name(backup)}; {undo} restores it")


def rollback_command(name: ModelName, immutable: Iterable[str]) -> str:
    """Return the command that restores the previous model of a tag, also where nobody can be asked.

    Args:
        name: The tag.
        immutable: The patterns of immutable tags.
    """
    from modelfile.library.replacement import is_immutable

    return f"mf rollback {name}{' --replace' if is_immutable(name, immutable) else ''}"


def short_name(name: object) -> str:
    """Return a model's name with a digest in it shortened."""
    return _DIGEST.sub(lambda found: f"{found[1]}{short_digest(found[2])}…", str(name))


def age(now: datetime, then: datetime) -> str:
    """Return the time since a moment, in its largest unit."""
    seconds = (now - then).total_seconds()
    for unit, length in _UNITS:
        if count := int(seconds // length) if seconds > 0 else 0:
            return f"{count} {unit}{'s' * (count != 1)} ago"
    return "just now"


def print_layers(name: object, manifest: Manifest, kind: str, location: str, terminal: Terminal) -> None:
    """Print the digest of a manifest, the `registry` or `store` that has it, and a table of its config and layers."""
    terminal.write([(visible(str(name)), "bold")])
    facts = (("digest", [manifest.digest]), (kind, [location]), ("size", [format_size(manifest.size)]))
    print_facts(facts, _MARGIN, terminal)
    layers = manifest.blobs
    table = [("KIND", "SIZE", "DIGEST"), *((layer.kind, format_size(layer.size), layer.digest) for layer in layers)]
    print_table(shortened(table), terminal)
