"""Print differences: between models by meaning, between texts by line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from modelfile.report.terminal import Terminal, visible

if TYPE_CHECKING:
    from modelfile.differ import Change

_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def print_changes(changes: Iterable[Change], terminal: Terminal, *, err: bool = False, indent: str = "") -> None:
    """Print changes by meaning: one line each, texts as a line diff."""
    from difflib import unified_diff

    from modelfile.differ import TEXTS

    for change in changes:
        title = f"{indent}{change.title}"
        if change.aspect in TEXTS:
            terminal.write([(title, "bold")], err=err)
            old, new = ((side or "").split("\n") if side is not None else [] for side in (change.old, change.new))
            for line in list(unified_diff(old, new, lineterm="", n=3))[2:]:
                terminal.write([(f"{indent}  {visible(line)}", _STYLES.get(line[:1], ""))], err=err)
        else:
            old_text, new_text = (visible(side) if side else "(none)" for side in (change.old, change.new))
            terminal.write([(f"{title}: ", "bold"), (old_text, "red"), (" -> ", "dim"), (new_text, "green")], err=err)


def print_line_diff(old: str, new: str, path: str, terminal: Terminal) -> None:
    """Print a unified diff of a file's old and new text; unless printed on a terminal, `patch` can apply it."""
    from difflib import unified_diff

    lines = (text.split("\n") for text in (old, new))
    before, after = ([*(f"{line}\n" for line in split[:-1]), *filter(None, split[-1:])] for split in lines)
    for line in unified_diff(before, after, path, path):
        text = line.removesuffix("\n")
        terminal.write([(text, _STYLES.get(line[:1], ""))], exact=not terminal.is_tty())
        if not line.endswith("\n"):
            terminal.write([("\\ No newline at end of file", "dim")])
