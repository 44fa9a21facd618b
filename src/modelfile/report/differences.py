"""Print differences: between models by meaning, between texts by line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from modelfile.characters import escape_controls
from modelfile.redaction import redact
from modelfile.report.terminal import Terminal, visible

if TYPE_CHECKING:
    from modelfile.differ import Change

_NO_NEWLINE: Final = "\\ No newline at end of file"
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
    """Print a unified diff of a file's old and new text: escaped on a terminal, otherwise as `patch` can apply it.

    Secrets are redacted; a note is printed if `patch` cannot apply the diff because of one. Where GitHub
    would obey a line of the diff, commands turn that off around it: `patch` ignores these two lines.
    """
    from difflib import unified_diff

    path = escape_controls(path)
    splits = (text.split("\n") for text in (old, new))
    before, after = ([*(f"{line}\n" for line in split[:-1]), *filter(None, split[-1:])] for split in splits)
    lines = [*unified_diff(before, after, path, path)]
    redacted = _redacted_lines(old, new)
    diff = [line[:1] + redacted.get(line[1:].removesuffix("\n"), line[1:].removesuffix("\n")) for line in lines]
    for number in reversed([number for number, line in enumerate(lines) if not line.endswith("\n")]):
        diff.insert(number + 1, _NO_NEWLINE)
    if terminal.is_styled():
        for line in diff:
            terminal.write([(line, _STYLES.get(line[:1], ""))])
        return
    text = "".join(f"{line}\n" for line in diff)
    terminal.write_content(_without_commands(text) if any(map(terminal.has_command, diff)) else text)
    if terminal.is_tty():
        return
    if redacted.keys() & {line[1:].removesuffix("\n") for line in lines}:
        terminal.print_note(f"{path}: a secret is redacted in the diff, so `patch` cannot apply it")
    if any(line.startswith("-") and line.endswith("\r\n") for line in lines):
        terminal.print_note(f"{path}: lines that seem unchanged have CRLF line endings, which become LF")


def _without_commands(text: str) -> str:
    """Enclose a text in the commands that make GitHub obey none of its lines ("Stopping workflow commands")."""
    from secrets import token_hex

    token = token_hex(16)
    return f"::stop-commands::{token}\n{text}::{token}::\n"


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
