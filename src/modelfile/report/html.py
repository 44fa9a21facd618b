"""Comparisons as one HTML file: side by side, without scripts, readable in any charset, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby, zip_longest
from typing import Final, TypeAlias

from modelfile.differ.comparison import TEXTS, Aspect, Category, Change, Comparison, impact_of
from modelfile.differ.texts import Piece
from modelfile.names import join_words
from modelfile.redaction import redact
from modelfile.report.comparisons import summary
from modelfile.report.differences import cells_of, heading_of, shows_text
from modelfile.report.terminal import visible
from modelfile.report.text_diffs import NEWLINE, Row, ShownHunk, show_text_diff

_MOST_OPEN: Final = 200
"""Number of rows from which on a text is folded."""
_STYLE: Final = """
:root { color-scheme: light dark; --text: #1f2328; --page: #fff; --soft: #59636e; --line: #d1d9e0; --head: #f6f8fa;
  --old: #ffebe9; --del: #ffc1bc; --new: #dafbe1; --ins: #94e4ab; --link: #0969da; --mark: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --page: #0d1117; --soft: #9198a1; --line: #3d444d;
  --head: #151b23; --old: #3c1618; --del: #842a2e; --new: #12301c; --ins: #1f6b34; --link: #4493f8; --mark: #d29922; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 100rem; color: var(--text); background: var(--page);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h1 code, h2 code { font-size: 1em; } h3, h4 { font-size: 1rem; }
article > section > h3 { font-size: 1.1rem; }
article { border-top: 1px solid var(--line); margin-top: 2rem; }
h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
a { color: var(--link); } :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
code, .lines { font-family: ui-monospace, monospace; font-size: .875rem; }
.skip { position: absolute; left: -100rem; } .skip:focus { position: static; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0; padding: 0; list-style: none; }
.impact { font-size: .875rem; font-weight: normal; color: var(--soft); border: 1px solid var(--line);
  border-radius: 1rem; padding: .1rem .6rem; white-space: nowrap; }
.impact.answers, .impact.interface { color: var(--mark); border-color: var(--mark); }
table { width: 100%; border-collapse: collapse; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border: 1px solid var(--line); }
thead th { background: var(--head); } .values { table-layout: fixed; }
summary { cursor: pointer; padding: .4rem 0; font-weight: 600; }
summary :is(h3, h4) { display: inline; }
.lines { table-layout: fixed; border-bottom: 1px solid var(--line); }
.lines td { border-width: 0 1px; padding: 0 .5rem; white-space: pre-wrap; tab-size: 4; }
.lines .number { width: 4.5rem; text-align: right; color: var(--soft); white-space: nowrap; }
.number.removed::before { content: "- "; } .number.added::before { content: "+ "; }
.lines .gap td { color: var(--soft); background: var(--head); }
.removed { background: var(--old); } .added { background: var(--new); }
del { background: var(--del); text-decoration: line-through; }
ins { background: var(--ins); text-decoration: underline; }
.hidden, del::before, del::after, ins::before, ins::after { position: absolute; width: 1px; height: 1px;
  overflow: hidden; clip-path: inset(100%); white-space: nowrap; }
del::before { content: " removed: "; } ins::before { content: " added: "; } del::after, ins::after { content: " end "; }
@media (max-width: 45rem) { body { padding: .5rem; }
  .sides, .sides tbody, .sides tr, .values, .values tbody, .values tr, .lines, .lines tbody, .lines tr {
    display: block; }
  .sides thead, .values thead, .lines thead { position: absolute; left: -100rem; }
  .sides th, .sides td, .values th, .values td { display: block; border-width: 0 1px; }
  .sides tr, .values tr { border: 1px solid var(--line); margin: .5rem 0; }
  .values td:empty, .sides td:empty, .lines .empty, .lines .same + .number, .lines .same + .number + .same {
    display: none; }
  .values td::before, .sides td::before { content: attr(data-label) ": "; color: var(--soft); }
  .lines tr { display: grid; grid-template-columns: 3.5rem 1fr; } .lines .number { width: auto; }
  .lines .gap td { grid-column: 1 / 3; } }
@media print { details > * { display: block; } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The sources that a browser may load from: none, whatever a prompt says."""
_TAGS: Final = {"-": "del", "+": "ins"}

_Cell: TypeAlias = "tuple[int | None, str, tuple[Piece, ...]] | None"
"""The number of a line if it begins there, the class of the cell, and its words."""


def comparisons_as_html(comparisons: Sequence[Comparison]) -> str:
    """Return comparisons as an HTML file in ASCII, which needs no other file, no script and no network."""
    title, heading, header, main = (
        _several(comparisons) if len(comparisons) != 1 or comparisons[0].path else _one(comparisons[0])
    )
    parts = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}: mf diff</title>",
        f"<style>{_STYLE}</style>\n</head>\n<body>",
        '<a class="skip" href="#changes">Skip to the changes</a>',
        f"<header>\n<h1>Differences of {heading}</h1>",
        *header,
        '<main id="changes" tabindex="-1">',
        *main,
        "</main>\n</body>\n</html>\n",
    )
    return "\n".join(parts).encode("ascii", "xmlcharrefreplace").decode()


_Parts: TypeAlias = tuple[str, str, Iterable[str], Iterable[str]]
"""The title of a page, its heading, the lines up to its main part, and those of that."""


def _one(comparison: Comparison) -> _Parts:
    names = [_text(side.name) for side in (comparison.old, comparison.new) if side.name]
    groups = _groups(comparison)
    header = (*_about(comparison), "</header>", *_contents(groups))
    main = (line for category, changes in groups for line in _section(category, changes))
    return " and ".join(names), " and ".join(f"<code>{name}</code>" for name in names), header, main


def _several(comparisons: Sequence[Comparison]) -> _Parts:
    links = (
        f'<li><a href="#file-{number}"><code>{_text(each.path)}</code> ({len(each.changes)})</a></li>'
        for number, each in enumerate(comparisons, 1)
    )
    header = ("</header>", f'<nav aria-label="Files">\n<ul>{"".join(links)}</ul>\n</nav>')
    main = (line for number, each in enumerate(comparisons, 1) for line in _article(each, f"file-{number}"))
    title = f"{len(comparisons)} file{'s' * (len(comparisons) != 1)}"
    return title, title, header, main


def _article(comparison: Comparison, name: str) -> Iterator[str]:
    """Yield one of several files."""
    heading = f"<code>{_text(comparison.path)}</code>{_state(comparison)}"
    yield f'<article aria-label="{_text(comparison.path)}">\n<h2 id="{name}">{heading}</h2>'
    yield from _about(comparison)
    for category, changes in _groups(comparison):
        yield from _section(category, changes, f"{name}-", level=3)
    yield "</article>"


def _state(comparison: Comparison) -> str:
    """Return the words after a path: that the file is new or deleted, or what it is compared with."""
    old, new = comparison.old.name, comparison.new.name
    if old and new:
        return f' <small class="impact">against <code>{_text(old)}</code></small>'
    return f' <small class="impact">{"deleted" if old else "new"}</small>'


def _groups(comparison: Comparison) -> list[tuple[Category, list[Change]]]:
    return [(category, [*group]) for category, group in groupby(comparison.changes, key=lambda each: each.category)]


def _about(comparison: Comparison) -> Iterator[str]:
    yield from _sides(comparison)
    yield from (f"<p>{_text(line[:1].upper() + line[1:])}.</p>" for line in (*summary(comparison), *_notes(comparison)))


def _text(text: str) -> str:
    return escape(visible(text))


def _notes(comparison: Comparison) -> Iterator[str]:
    if comparison.note:
        yield redact(comparison.note)
    if comparison.undecided:
        yield f"not compared: {join_words(comparison.undecided)}, which a build decides"
    if comparison.dropped_capabilities:
        yield f"the TEMPLATE drops capabilities of the base: {join_words(comparison.dropped_capabilities)}"


def _sides(comparison: Comparison) -> Iterator[str]:
    """Yield a table of both sides, without the columns that neither has, or none if there are only names."""
    sides = (("old", comparison.old), ("new", comparison.new))
    columns = [name for name in ("fingerprint", "digest") if any(getattr(side, name) for _, side in sides)]
    if columns:
        yield '<table class="sides" role="table">\n<caption class="hidden">The two sides</caption>'
        yield _head("side", "name", *columns)
        for word, side in sides:
            yield _row(word, ((name, getattr(side, name) or "unknown") for name in ("name", *columns)))
        yield "</tbody>\n</table>"


def _head(*names: str) -> str:
    cells = "".join(f'<th role="columnheader" scope="col">{name}</th>' for name in names)
    return f'<thead role="rowgroup"><tr role="row">{cells}</tr></thead>\n<tbody role="rowgroup">'


def _row(name: str, cells: Iterable[tuple[str, str]]) -> str:
    shown = "".join(
        f'<td role="cell" data-label="{label}">{f"<code>{_text(text)}</code>" if text else ""}</td>'
        for label, text in cells
    )
    return f'<tr role="row"><th role="rowheader" scope="row">{_text(name)}</th>{shown}</tr>'


def _contents(groups: Sequence[tuple[Category, list[Change]]]) -> Iterator[str]:
    if groups:
        links = (f'<li><a href="#{category}">{category} ({len(changes)})</a></li>' for category, changes in groups)
        yield f'<nav aria-label="Categories">\n<ul>{"".join(links)}</ul>\n</nav>'


def _section(category: Category, changes: Sequence[Change], prefix: str = "", level: int = 2) -> Iterator[str]:
    impact = impact_of(changes)
    shown = f'<span class="impact {impact}">{impact.phrase}</span>'
    heading = f'<h{level} id="{prefix}{category}">{category.capitalize()} {shown}</h{level}>'
    yield f'<section aria-label="{category}">\n{heading}'
    if values := [cells_of(change) for change in changes if change.aspect not in TEXTS]:
        yield f'<table class="values" role="table">\n<caption class="hidden">Values of {category}</caption>'
        yield _head("part", "old", "new", "note")
        yield from (_row(row.name, (("old", row.old), ("new", row.new), ("note", row.note))) for row in values)
        yield "</tbody>\n</table>"
    for change in changes:
        if change.aspect in TEXTS:
            yield from _folded(change, level + 1)
    yield "</section>"


def _folded(change: Change, level: int) -> Iterator[str]:
    heading = escape(heading_of(change))
    if not shows_text(change):
        yield f"<h{level}>{heading}</h{level}>"
        return
    diff = show_text_diff(*change.texts, is_template=change.aspect is Aspect.TEMPLATE, keep="\t")
    is_open = " open" if sum(len(hunk.rows) for hunk in diff.hunks) < _MOST_OPEN else ""
    yield f"<details{is_open}>\n<summary><h{level}>{heading}</h{level}></summary>"
    yield f'<table class="lines" role="table">\n<caption class="hidden">{heading}, by line</caption>'
    yield '<colgroup><col style="width: 4.5rem"><col><col style="width: 4.5rem"><col></colgroup>'
    yield _head("line", "old", "line", "new")
    for number, hunk in enumerate(diff.hunks):
        if number:
            yield f'<tr role="row" class="gap"><td role="cell" colspan="4">{hunk.heading}</td></tr>'
        yield from (f'<tr role="row">{_cells(old)}{_cells(new)}</tr>' for old, new in _side_by_side(hunk))
    yield "</tbody>\n</table>"
    yield from (f"<p>{_text(note)}</p>" for note in diff.notes)
    yield "</details>"


def _cells(cell: _Cell) -> str:
    if cell is None:
        return '<td role="cell" class="number empty"></td><td role="cell" class="empty"></td>'
    number, kind, pieces = cell
    words = "".join(_word(piece) for piece in pieces)
    shown = "" if number is None else number
    return f'<td role="cell" class="number {kind}">{shown}</td><td role="cell" class="{kind}">{words}</td>'


def _word(piece: Piece) -> str:
    tag = _TAGS.get(piece.mark)
    return f"<{tag}>{escape(piece.text)}</{tag}>" if tag else escape(piece.text)


def _side_by_side(hunk: ShownHunk) -> Iterator[tuple[_Cell, _Cell]]:
    """Yield pairs of cells: lines that stay or are edited beside each other, and those that replace others."""
    at, new_at = hunk.starts
    begins = new_begins = True
    for kind, group in groupby(hunk.rows, key=lambda row: "-+" if row.mark in "-+" else row.mark):
        rows = [*group]
        if kind == "-+":
            removed, added = ([row for row in rows if row.mark == mark] for mark in "-+")
            for old, new in zip_longest(removed, added):
                yield (old and _whole(old, at, "removed")), (new and _whole(new, new_at, "added"))
                at, new_at = at + bool(old), new_at + bool(new)
            continue
        for row in rows:
            cells = [
                (number if is_start else None, name, tuple(piece for piece in row.pieces if piece.mark != other))
                for number, is_start, name, other in (
                    (at, begins, "same" if kind == " " else "removed", "+"),
                    (new_at, new_begins, "same" if kind == " " else "added", "-"),
                )
            ]
            yield cells[0], cells[1]
            sign = row.pieces[-1].mark if row.pieces and row.pieces[-1].text == NEWLINE else "="
            begins, new_begins = sign != "+", sign != "-"
            at, new_at = at + begins, new_at + new_begins


def _whole(row: Row, number: int, kind: str) -> _Cell:
    return number, kind, tuple(Piece("=", piece.text) for piece in row.pieces)
