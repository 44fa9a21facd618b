"""Print the unified diff of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Final

from modelfile.characters import escape_controls
from modelfile.redaction import redact
from modelfile.report.terminal import Terminal

_NO_NEWLINE: Final = "\\ No newline at end of file"
_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def print_line_diff(old: str, new: str, path: str, terminal: Terminal) -> None:
    """Print a unified diff of a file's old and new text: escaped on a terminal, otherwise as `patch` can apply it.

    Secrets are redacted; a note is printed if `patch` cannot apply the diff because of one. Where GitHub
    would obey a line of the diff, commands turn that off around it: `patch` ignores these two lines. Other CI systems
    have no such commands, so what they would obey is escaped.
    """
    path = escape_controls(path)
    splits = (text.split("\n") for text in (old, new))
    before, after = ([*(f"{line}\n" for line in split[:-1]), *filter(None, split[-1:])] for split in splits)
    lines = _unified(before, after, path)
    redacted = _redacted_lines(old, new)
    if terminal.is_styled():
        terminal.write_lines([(line, _STYLES.get(line[:1], ""))] for line in _redacted(lines, redacted))
        return
    written = StringIO(newline="")  # to join them would need all lines once more
    written.writelines(f"{line}\n" for line in _redacted(lines, redacted))
    text = written.getvalue()
    is_exact = terminal.write_without_commands(text)
    if terminal.is_tty():
        return
    if not is_exact:
        terminal.print_note(f"{path}: commands to the CI system are escaped in the diff, so `patch` cannot apply it")
    if redacted.keys() & {line[1:].removesuffix("\n") for line in lines}:
        terminal.print_note(f"{path}: a secret is redacted in the diff, so `patch` cannot apply it")
    if any(line.startswith("-") and line.endswith("\r\n") for line in lines):
        terminal.print_note(f"{path}: lines that seem unchanged have CRLF line endings, which become LF")


def _redacted(lines: Iterable[str], redacted: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a unified diff without their newlines, with a note after one that has none."""
    for line in lines:
        shown = line[1:].removesuffix("\n")
        yield line[:1] + redacted.get(shown, shown)
        if not line.endswith("\n"):
            yield _NO_NEWLINE


def _unified(old: Sequence[str], new: Sequence[str], path: str) -> list[str]:
    """Return a unified diff."""
    from modelfile.differ.texts import compare_lines, find_hunks  # most files need no diff

    lines: list[str] = []
    for hunk in find_hunks(compare_lines(old, new)):
        lines.append(f"{hunk.heading}\n")
        for block in hunk.blocks:
            lines += (f"{' ' if block.is_same else '-'}{line}" for line in block.old)
            lines += () if block.is_same else (f"+{line}" for line in block.new)
    return [f"--- {path}\n", f"+++ {path}\n", *lines] if lines else []


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
