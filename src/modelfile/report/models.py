"""Models as text: a table of many, or all that one holds."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from modelfile.recipe.model import Model, fingerprint
from modelfile.report.terminal import visible, write

if TYPE_CHECKING:
    from modelfile.stores.protocol import ListedModel, StoredModel

_UNITS: Final = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)
_MARGIN: Final = 15
_SHORT: Final = 12
_DIGEST: Final = re.compile(rf"(sha256[-:][0-9a-f]{{{_SHORT}}})[0-9a-f]{{{64 - _SHORT}}}", re.IGNORECASE)


def print_models(models: Iterable[ListedModel]) -> None:
    """A line each, in columns: name, short digest, size, age."""
    now = datetime.now(UTC)
    rows = [(str(model.name), short(model.digest), size(model.size), age(now, model.modified)) for model in models]
    _print_table([("NAME", "DIGEST", "SIZE", "MODIFIED"), *rows])


def print_kept(models: Iterable[tuple[ListedModel, str | None]], current: str | None) -> None:
    """A line for each model that is kept of a tag, with its fingerprint, the one that the tag holds now marked."""
    now = datetime.now(UTC)
    rows = [
        (
            "*" if model.digest == current else "",
            short(model.digest),
            size(model.size),
            age(now, model.modified),
            made or "",
        )
        for model, made in models
    ]
    _print_table([("", "DIGEST", "SIZE", "KEPT", "FINGERPRINT"), *rows])


def _print_table(rows: list[tuple[str, ...]]) -> None:
    """Columns, of which the third is of sizes."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = (
            f"{cell:{'>' if column == 2 else '<'}{width}}"  # noqa: PLR2004  # sizes
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        write([(visible("  ".join(cells).rstrip()), "" if number else "bold")], sys.stdout)


def short(digest: str) -> str:
    """As much of a digest as people read."""
    return digest.removeprefix("sha256:")[:_SHORT]


def short_name(name: object) -> str:
    """A model's name as people read it: of a digest in it as much as of others."""
    return _DIGEST.sub(r"\1…", str(name))


def size(count: int) -> str:
    """A number of bytes as people say it."""
    from rich.filesize import decimal  # rich: 25 ms that only who counts bytes pays

    return decimal(count)


def age(now: datetime, then: datetime) -> str:
    """How long ago something was, in its largest unit."""
    seconds = (now - then).total_seconds()
    for unit, length in _UNITS:
        if count := int(seconds // length) if seconds > 0 else 0:
            return f"{count} {unit}{'s' * (count != 1)} ago"
    return "just now"


def ago(then: datetime) -> str:
    """How long ago something is now."""
    return age(datetime.now(UTC), then)


def print_model(stored: StoredModel) -> None:
    """All that a model holds; of its licence the first line."""
    write([(visible(str(stored.name)), "bold")], sys.stdout)
    rows = [("fingerprint", fingerprint(stored.model)), ("digest", stored.digest), *_rows(stored.model)]
    for title, text in rows:
        for head, line in zip_longest((f"  {title}",), text.split("\n"), fillvalue=""):
            write([(f"{head:<{_MARGIN}}", "dim"), (visible(line.rstrip("\r")), "")], sys.stdout)


def _rows(model: Model) -> Iterator[tuple[str, str]]:
    from modelfile.differ import show_value

    for title, digests in (("weights", model.weights), ("adapter", model.adapters), ("draft", model.drafts)):
        if digests:
            yield title, "\n".join(digests)
    if parameters := [f"{name} {show_value(value)}" for name, value in sorted(model.parameters.items())]:
        yield "parameters", "\n".join(parameters)
    yield "template", model.template
    if model.system:
        yield "system", model.system
    if model.messages:
        turns = (f"{turn.role}: {turn.content.replace(chr(10), chr(10) + '  ')}" for turn in model.messages)
        yield "messages", "\n".join(turns)
    if model.license:
        yield "license", _first_line(model.license)
    for title, text in (("renderer", model.renderer), ("parser", model.parser), ("requires", model.requires)):
        if text:
            yield title, text


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    more = len(lines) - 1
    return lines[0] + (f" (and {more} more line{'s' * (more != 1)})" if more else "") if lines else ""
