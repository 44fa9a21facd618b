"""The results of `mf diff`: as text, as a summary, as JSON; other formats are in modules of their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

from modelfile.differ.comparison import TEXTS, Change, Comparison, Impact
from modelfile.differ.texts import compare_texts
from modelfile.names import join_words, shorten_digest
from modelfile.redaction import redact
from modelfile.report.differences import Line, lines_of
from modelfile.report.json_output import VERSION, changes_as_json
from modelfile.report.terminal import Terminal, visible

DiffFormat: TypeAlias = Literal["text", "json", "markdown", "html", "github"]

_REWRITTEN: Final = "Ollama's digests differ, as each version and store of Ollama writes other manifests"


def print_comparisons(comparisons: Sequence[Comparison], terminal: Terminal, *, stat: bool = False) -> None:
    """Print the sides of comparisons and their changes; with `stat`, a line for each change instead."""
    printed = False
    for comparison in comparisons:
        if comparison.undecided:
            modelfile = comparison.new if comparison.old.digest else comparison.old
            terminal.print_note(
                f"not compared: {join_words(comparison.undecided)}, which a build decides for the files of "
                f"`{modelfile.name}`; they are known once it is built from here"
            )
        if comparison.path and comparison.same and not comparison.changes:
            terminal.print_note(
                f"`{comparison.path}` differs only in its path, or in comments, order or notation: see `--all`"
            )
            continue
        lines = [*_heading(comparison), *(_stat(comparison) if stat else lines_of(comparison.changes))]
        terminal.write_lines([*([[("", "")]] if printed and lines else []), *lines])
        printed = printed or bool(lines)


def print_versions(comparison: Comparison, terminal: Terminal) -> None:
    """Print the changes of two versions of a file, also if none has a meaning, as `git diff` prints each file."""
    if comparison.changes:
        print_comparisons([comparison], terminal)
    else:
        terminal.write([(visible(comparison.path), "bold"), ("  only whitespace differs", "")])


def print_names(comparisons: Sequence[Comparison], terminal: Terminal, *, of_files: bool) -> None:
    """Print the titles of the changes, a line each, or the paths of the files that have changed."""
    if of_files:
        terminal.write_lines([(visible(each.path), "")] for each in comparisons if each.changes)
    else:
        terminal.write_lines([(change.title, "")] for each in comparisons for change in each.changes)


def summary(comparison: Comparison) -> tuple[str, ...]:
    """Return the result in sentences: the number of changes by their impact, or that both are the same model."""
    old, new = comparison.old, comparison.new
    if comparison.same:
        known = f": {shorten_digest(old.fingerprint)}" if old.fingerprint else ""
        if old.digest and new.digest and old.digest != new.digest:
            return f"same model{known}", f"{_REWRITTEN}: {shorten_digest(old.digest)} -> {shorten_digest(new.digest)}"
        return (f"same model{known}",)
    if not comparison.changes:
        return ()
    counts = Counter(change.impact for change in comparison.changes)
    parts = ", ".join(_count(counts[impact], impact) for impact in Impact if counts[impact])
    number = len(comparison.changes)
    return (f"{number} change{'s' * (number != 1)}: {parts}",)


def _count(number: int, impact: Impact) -> str:
    return f"{number} {impact.phrase if number == 1 else impact.phrase.replace('changes', 'change')}"


def _heading(comparison: Comparison) -> Iterator[Line]:
    if comparison.same:
        yield from ([(line, style)] for line, style in zip(summary(comparison), ("bold", "dim"), strict=False))
    elif comparison.changes:
        for mark, side, other, style in (
            ("-", comparison.old, comparison.new, "red"),
            ("+", comparison.new, comparison.old, "green"),
        ):
            known = f"  {shorten_digest(side.fingerprint)}" if side.fingerprint else ""
            if not other.name:
                known = "  (deleted)" if mark == "-" else "  (new)"
            if side.name:
                yield [(f"{mark} {visible(side.name)}", style), (known, "")]
        if comparison.note:
            yield [(visible(redact(comparison.note)), "dim")]


def _stat(comparison: Comparison) -> Iterator[Line]:
    titles = [change.title for change in comparison.changes]
    width = max(map(len, titles), default=0)
    for title, change in zip(titles, comparison.changes, strict=True):
        yield [(f"  {title:<{width}}  ", ""), *_size(change)]
    if titles:
        yield from ([(line, "bold")] for line in summary(comparison))


def _size(change: Change) -> Line:
    """Return the number of lines that are added and removed, or how a value changes."""
    if change.is_moved:
        return [("moved", "")]
    if change.aspect not in TEXTS:
        return [("added" if change.old is None else "removed" if change.new is None else "changed", "")]
    blocks = [block for block in compare_texts(*change.texts).blocks if not block.is_same]
    added, removed = (sum(len(getattr(block, side)) for block in blocks) for side in ("new", "old"))
    return [(f"+{added}", "green"), (" ", ""), (f"-{removed}", "red")]


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON, as docs/schema/diff.schema.json has it; secrets are redacted."""
    return {"version": VERSION, **_as_json(comparison)}


def comparisons_as_json(comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """Return the comparisons of files as JSON, as docs/schema/diff.schema.json has it; secrets are redacted."""
    files = [{"path": each.path, **_as_json(each), "note": redact(each.note)} for each in comparisons]
    return {"version": VERSION, "same": all(each["same"] for each in files), "files": files}


def _as_json(comparison: Comparison) -> dict[str, Any]:
    old, new = (
        {"name": side.name, "fingerprint": side.fingerprint, "digest": side.digest}
        for side in (comparison.old, comparison.new)
    )
    return {
        "a": old,
        "b": new,
        "same": comparison.same,
        "changes": changes_as_json(comparison.changes),
        "undecided": comparison.undecided,
        "dropped_capabilities": comparison.dropped_capabilities,
    }


def render(comparisons: Sequence[Comparison], chosen: DiffFormat) -> str:
    """Return comparisons in a format for other programs than a terminal."""
    if chosen == "markdown":
        from modelfile.report.markdown import comparisons_as_markdown

        return comparisons_as_markdown(comparisons)
    if chosen == "github":
        from modelfile.report.github import comparisons_as_github

        return comparisons_as_github(comparisons)
    from modelfile.report.html import comparisons_as_html

    return comparisons_as_html(comparisons)
