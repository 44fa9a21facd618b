"""Print differences: between models by meaning, between texts by line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from modelfile.redaction import redact
from modelfile.report.terminal import Terminal, visible

if TYPE_CHECKING:
    from modelfile.differ import Change

_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def print_changes(changes: Iterable[Change], terminal: Terminal, *, err: bool = False, indent: str = "") -> None:
    """Print changes by meaning: one line each, texts as a line diff; secrets are redacted."""
    from difflib import unified_diff

    from modelfile.differ import TEXTS

    for change in changes:
        title = f"{indent}{change.title}"
        if change.aspect in TEXTS:
            terminal.write([(title, "bold")], err=err)
            old, new = ((side or "").split("\n") if side is not None else [] for side in (change.old, change.new))
            redacted = _redacted_lines(change.old or "", change.new or "")
            for line in list(unified_diff(old, new, lineterm="", n=3))[2:]:
                shown = line[:1] + redacted.get(line[1:], line[1:])
                terminal.write([(f"{indent}  {visible(shown)}", _STYLES.get(line[:1], ""))], err=err)
        else:
            old_text, new_text = (visible(redact(side)) if side else "(none)" for side in (change.old, change.new))
            terminal.write([(f"{title}: ", "bold"), (old_text, "red"), (" -> ", "dim"), (new_text, "green")], err=err)


def print_line_diff(old: str, new: str, path: str, terminal: Terminal) -> None:
    """Print a unified diff of a file's old and new text; secrets are redacted.

    Unless printed on a terminal, `patch` can apply it; a note is printed if it cannot, because of a secret.
    """
    from difflib import unified_diff

    lines = (text.split("\n") for text in (old, new))
    before, after = ([*(f"{line}\n" for line in split[:-1]), *filter(None, split[-1:])] for split in lines)
    redacted, missing = _redacted_lines(old, new), False
    for line in unified_diff(before, after, path, path):
        text = line.removesuffix("\n")
        if (safe := redacted.get(text[1:])) is not None:
            text, missing = text[:1] + safe, True
        terminal.write([(text, _STYLES.get(line[:1], ""))], exact=not terminal.is_tty())
        if not line.endswith("\n"):
            terminal.write([("\\ No newline at end of file", "dim")])
    if missing and not terminal.is_tty():
        terminal.print_note(f"{path}: a secret is redacted in the diff, so `patch` cannot apply it")


def _redacted_lines(*texts: str) -> dict[str, str]:
    """Return the lines of texts that have a secret, each with its redacted form."""
    pairs = ((text, redact(text)) for text in texts)
    return {
        line: safe
        for text, redacted in pairs
        if text != redacted
        for line, safe in zip(text.split("\n"), redacted.split("\n"), strict=True)
        if line != safe
    }
