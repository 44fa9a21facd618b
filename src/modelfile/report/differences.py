"""Print differences: between models by meaning, between texts by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from modelfile.characters import escape_controls
from modelfile.redaction import redact
from modelfile.report.terminal import Terminal, visible

if TYPE_CHECKING:
    from modelfile.differ import Change

_CONTEXT: Final = 3
"""Number of lines printed around a change."""
_MOST_COMPARED: Final = 2_000
"""Number of lines in both texts that are compared with each other."""
_NO_NEWLINE: Final = "\\ No newline at end of file"
_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def print_changes(changes: Iterable[Change], terminal: Terminal, *, err: bool = False, indent: str = "") -> None:
    """Print changes by meaning: one line each, texts as a line diff; secrets are redacted."""
    from modelfile.differ import TEXTS

    for change in changes:
        title = f"{indent}{change.title}"
        if change.aspect in TEXTS:
            terminal.write([(title, "bold")], err=err)
            for line in text_diff(change):
                terminal.write([(f"{indent}  {line}", _STYLES.get(line[:1], ""))], err=err)
        else:
            old_text, new_text = values_of(change)
            terminal.write([(f"{title}: ", "bold"), (old_text, "red"), (" -> ", "dim"), (new_text, "green")], err=err)


def text_diff(change: Change) -> Iterator[str]:
    """Yield the line diff of a text, without its heading; escaped, secrets redacted."""
    old, new = ((side or "").split("\n") if side is not None else [] for side in (change.old, change.new))
    redacted = _redacted_lines(change.old or "", change.new or "")
    for line in _unified(old, new, lineterm="")[2:]:
        yield visible(line[:1] + redacted.get(line[1:], line[1:]))


def values_of(change: Change) -> tuple[str, str]:
    """Return the old and the new value of what is no text; escaped, secrets redacted."""
    old, new = (visible(redact(side)) if side else "(none)" for side in (change.old, change.new))
    return old, new


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


def _unified(old: list[str], new: list[str], path: str = "", lineterm: str = "\n") -> list[str]:
    """Return a unified diff."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, "", "")
    matcher.opcodes = _changes(old, new)  # type: ignore[attr-defined]  # where get_opcodes keeps them
    lines = [f"--- {path}{lineterm}", f"+++ {path}{lineterm}"]
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        lines.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@{lineterm}")
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                lines += (f" {line}" for line in old[old_start:old_end])
                continue
            lines += (f"-{line}" for line in old[old_start:old_end])
            lines += (f"+{line}" for line in new[new_start:new_end])
    return lines if len(lines) > len(("---", "+++")) else []


_Opcode: TypeAlias = "tuple[Literal['replace', 'delete', 'insert', 'equal'], int, int, int, int]"


def _changes(old: list[str], new: list[str]) -> list[_Opcode]:
    """Return the changes as difflib does; of long texts, one from the first to the last line that differs.

    To look for the lines that stayed the same takes time in proportion to the square of their number.
    """
    from difflib import SequenceMatcher

    start = sum(1 for _ in takewhile(_are_equal, zip(old, new, strict=False)))
    backward = zip(reversed(old), reversed(new), strict=False)
    same_end = sum(1 for _ in takewhile(_are_equal, islice(backward, min(len(old), len(new)) - start)))
    old_end, new_end = len(old) - same_end, len(new) - same_end
    before, after = old[start:old_end], new[start:new_end]
    changes: list[_Opcode] = [("replace", start, old_end, start, new_end)]
    if len(before) + len(after) <= _MOST_COMPARED:
        found = SequenceMatcher(None, before, after).get_opcodes()
        changes = [(tag, *(offset + start for offset in offsets)) for tag, *offsets in found]  # type: ignore[misc]  # four
    ends: list[_Opcode] = [("equal", 0, start, 0, start), ("equal", old_end, len(old), new_end, len(new))]
    return [ends[0], *changes, ends[1]] if before or after else []


def _are_equal(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _range(start: int, end: int) -> str:
    """Return a range of lines as unified diffs have it; one without lines stands after a line."""
    length = end - start
    return f"{start + 1}" if length == 1 else f"{start + (length > 0)},{length}"


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
