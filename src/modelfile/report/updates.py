"""Results of `mf update`: as text, as Markdown for a pull request, as the message of a commit, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from modelfile.differ.comparison import Change
from modelfile.errors import InputError
from modelfile.immutable import replace
from modelfile.lockfile.lock import Base
from modelfile.names import shorten_digest
from modelfile.pinning.update import UpdatedBase, UpdatedModel, UpdateSummary
from modelfile.report.differences import print_changes
from modelfile.report.json_output import VERSION, changes_as_json, error_as_json, pins_as_json
from modelfile.report.markdown import changes_as_markdown, code, fitting, plain
from modelfile.report.pins import print_pins
from modelfile.report.terminal import Terminal, visible

_LONGEST_SUBJECT: Final = 72
"""Length of the first line of a commit's message, in characters."""
_MOST_LINES: Final = 300
"""Number of lines of a commit's message, which is an argument of git and the body of a pull request, too."""

_Updated = TypeVar("_Updated", UpdatedBase, UpdatedModel)


def print_update(summary: UpdateSummary, terminal: Terminal) -> None:
    """Print the bases and the models that changed, each with its differences, then the other entries."""
    for base in summary.bases:
        _print_heading(base.base.written, _move(base), terminal)
        print_changes(base.changes, terminal, indent="  ")
        for line in _notes(base):
            terminal.print(f"  {line}")
    for model in summary.models:
        _print_heading(_title(model), _fingerprints(model), terminal)
        print_changes(_own_changes(model), terminal, indent="  ")
        for line in _notes_on(model):
            terminal.print(f"  {line}")
    print_pins(summary.others, terminal)


def _print_heading(name: str, text: str, terminal: Terminal) -> None:
    terminal.write([(visible(name), "bold"), (f"  {visible(text)}", "")])


def _title(model: UpdatedModel) -> str:
    return f"{model.key} ({', '.join(model.names)})" if model.names else model.key


def _move(base: UpdatedBase) -> str:
    return f"{_digest(base.previous)} -> {_digest(base.base)}"


def _digest(base: Base) -> str:
    return shorten_digest(base.digest or base.fingerprint or "")


def _fingerprints(model: UpdatedModel) -> str:
    old, new = (shorten_digest(pin.fingerprint) if pin.fingerprint else "?" for pin in (model.previous, model.pin))
    return old if old == new else f"{old} -> {new}"


def _notes(base: UpdatedBase) -> Iterator[str]:
    """Yield what the differences of a base do not say."""
    if base.missing:
        changed = f"changed: {', '.join(base.parts)}; " if base.parts else ""
        yield f"{changed}not compared: {base.missing.message}"
    elif base.previous.source != base.base.source:
        yield f"now pinned from {base.base.source}"
    elif not base.changes:
        yield "the same contents in another manifest"


def _notes_on(model: UpdatedModel) -> Iterator[str]:
    """Yield what the differences of a model do not say."""
    if model.inherited:
        yield f"as its base: {', '.join(map(plain, model.inherited))}"
    if model.own:
        yield f"unchanged, as the Modelfile sets it: {', '.join(map(plain, model.own))}"
    if model.missing:
        yield f"not compared: {model.missing.message}"
    elif not model.changes:
        yield "the same contents as before"
    if model.is_edited:
        yield "the Modelfile was edited, too"


def _own_changes(model: UpdatedModel) -> tuple[Change, ...]:
    """Return the changes of a model that are not its base's."""
    return tuple(change for change in model.changes if change.title not in model.inherited)


def commit_message(summary: UpdateSummary) -> str:
    """Return the message of a commit of the lock; empty if nothing changed."""
    if not summary.pins:
        return ""
    names = list(dict.fromkeys(base.base.written for base in summary.bases))
    subject = f"Update {names[0]} in mf.lock" if len(names) == 1 else f"Update {len(names)} bases in mf.lock"
    if not names:
        subject = f"Pin {len(summary.pins)} Modelfile{'s' * (len(summary.pins) != 1)} in mf.lock"
    if len(subject) > _LONGEST_SUBJECT:
        subject = "Update a base in mf.lock"
    lines = []
    for base in summary.bases:
        lines += [f"- {base.base.written}: {_move(base)}"]
        lines += _listed([f"changed: {_names(base.parts)}"] if base.parts else _notes(_quiet(base)))
    for model in summary.models:
        changed = _names(change.title for change in _own_changes(model))
        lines += [f"- {plain(_title(model))}: {_fingerprints(model)}"]
        lines += _listed([*(f"changed: {changed}" for _ in [changed] if changed), *_notes_on(_quiet(model))])
    lines += [f"- {plain(change.key)}: {change.kind}" for change in summary.others]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"- and {len(lines) - _MOST_LINES} more lines"]
    return "\n".join((subject, "", *map(visible, lines)))


def _quiet(updated: _Updated) -> _Updated:
    """Return what changed without the words of a registry: where a commit is shown, they would act as its author's."""
    missing = updated.missing and InputError("its contents cannot be read")
    if isinstance(updated, UpdatedModel):
        inherited, own = (tuple(dict.fromkeys(map(_name, titles))) for titles in (updated.inherited, updated.own))
        return replace(updated, missing=missing, inherited=inherited, own=own)
    return replace(updated, missing=missing)


def _names(titles: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(map(_name, titles)))


def _name(title: str) -> str:
    """Return the title of a change, without the name in it if that is not of words, as only a hostile base has it."""
    aspect = title.partition(" ")[0]
    return next((name for name in (title, aspect) if plain(name) == name), "another layer")


def _listed(texts: Iterable[str]) -> list[str]:
    return [f"  {text}" for text in texts if text]


def as_markdown(summary: UpdateSummary, *, failed: int = 0) -> str:
    """Return the summary as Markdown, with the diffs of texts folded; values are code, so that none is markup.

    Args:
        summary: The summary.
        failed: The number of Modelfiles that could not be pinned.
    """
    parts = [f"{failed} Modelfile{'s' * (failed != 1)} could not be pinned: see the log."] if failed else []
    if not summary.pins and not failed:
        parts = ["No base has moved."]
    if summary.bases:
        rows = (f"| {' | '.join(_cells(base))} |" for base in summary.bases)
        parts.append("\n".join(("| base | pinned | now | changed |", "| --- | --- | --- | --- |", *rows)))
    for base in summary.bases:
        parts += [f"### {code(base.base.written)}", *changes_as_markdown(base.changes), *_bullets(_notes(base))]
    for model in summary.models:
        named = f" ({', '.join(map(code, model.names))})" if model.names else ""
        parts += [f"### {code(model.key)}{named}", f"Fingerprint: {code(_fingerprints(model))}"]
        parts += [*changes_as_markdown(_own_changes(model)), *_bullets(_notes_on(model))]
    if summary.others:
        parts += ["### Other entries", "\n".join(f"- {code(change.key)}: {change.kind}" for change in summary.others)]
    return "\n\n".join(fitting(parts, "mf update --dry-run")) + "\n"


def _cells(base: UpdatedBase) -> tuple[str, ...]:
    changed = ", ".join(map(plain, base.parts))
    return code(base.base.written), _cell(base.previous), _cell(base.base), changed


def _cell(base: Base) -> str:
    day = f" of {base.resolved[:10]}" if base.resolved else ""
    return f"{code(_digest(base))}{day}"


def _bullets(notes: Iterable[str]) -> list[str]:
    """Return notes as a list, which is one paragraph."""
    lines = [f"- {plain(note)}" for note in notes]
    return ["\n".join(lines)] if lines else []


def update_as_json(summary: UpdateSummary, failures: dict[str, Any]) -> dict[str, Any]:
    """Return the summary as JSON."""
    return {
        "version": VERSION,
        "message": commit_message(summary) or None,
        "bases": [
            {
                "base": base.base.written,
                "modelfiles": base.modelfiles,
                "previous": _as_json(base.previous),
                "current": _as_json(base.base),
                "parts": base.parts,
                "changes": changes_as_json(base.changes),
                "missing": error_as_json(base.missing)["error"] if base.missing else None,
            }
            for base in summary.bases
        ],
        "models": [
            {
                "modelfile": model.key,
                "names": model.names,
                "previous": model.previous.fingerprint,
                "current": model.pin.fingerprint,
                "changes": changes_as_json(model.changes),
                "inherited": model.inherited,
                "own": model.own,
                "edited": model.is_edited,
                "missing": error_as_json(model.missing)["error"] if model.missing else None,
            }
            for model in summary.models
        ],
        "pins": pins_as_json(summary.pins, failures),
    }


def _as_json(base: Base) -> dict[str, Any]:
    return {
        "digest": base.digest,
        "fingerprint": base.fingerprint,
        "source": base.source,
        "resolved": base.resolved,
    }
