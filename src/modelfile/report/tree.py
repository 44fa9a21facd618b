"""Trees of models as text, for Mermaid and Graphviz, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from modelfile.filesystem import format_size
from modelfile.report.models import Row, print_table, short_name
from modelfile.report.terminal import Terminal, visible
from modelfile.tree import Node, Place, Tree

_HEADINGS: Final = ("NAME", "WHERE", "SIZE", "OWN", "SHARED", "")


def print_tree(tree: Tree, terminal: Terminal) -> None:
    """Print a tree as a table, the models below what they are built on."""
    rows = [_HEADINGS, *(_row(follow, node, repeated=repeated) for follow, node, repeated in tree.rows())]
    if not any(row[2] for row in rows[1:]):
        print_table([[(*row[:end], row[-1]) for row in rows] for end in (2, 1)] + [[row[:1] for row in rows]], terminal)
        return
    narrower = [[(*row[:end], row[-1]) for row in rows] for end in (3, 2, 1)]
    print_table([rows, *narrower, [row[:3] for row in rows], [row[:1] for row in rows]], terminal)


def _row(follow: tuple[bool, ...], node: Node, *, repeated: bool) -> Row:
    indent = "".join("│   " if more else "    " for more in follow[:-1])
    branch = ("├── " if follow[-1] else "└── ") if follow else ""
    name = visible(short_name(node.name))
    if repeated:
        return (f"{indent}{branch}{name}", "", "", "", "", "built on itself: see above")
    places = ", ".join(place for place in Place if place in node.places)
    sizes = ("", "", "") if node.size is None else (format_size(node.size), _amount(node.own), _amount(node.shared))
    return (f"{indent}{branch}{name}", places, *sizes, visible(_note(node)))


def _amount(size: int | None) -> str:
    return "unknown" if size is None else format_size(size)


def _note(node: Node) -> str:
    """Return the Modelfile of a model, its files, and what is wrong with it."""
    path = node.modelfile if node.modelfile != node.name else ""
    files = f"from {', '.join(node.files)}" if node.files else ""
    return "; ".join(filter(None, (f"{path} {files}".strip(), node.problem)))


def tree_as_json(tree: Tree) -> dict[str, Any]:
    """Return a tree as JSON: the models in the order of their names."""
    return {
        "models": [
            {
                "name": node.name,
                "base": node.base,
                "modelfile": node.modelfile or None,
                "where": [place for place in Place if place in node.places],
                "files": [*node.files],
                "size": node.size,
                "own": node.own,
                "shared": node.shared,
                "problem": node.problem or None,
            }
            for node in tree.nodes.values()
        ]
    }


def tree_as_mermaid(tree: Tree) -> Iterator[str]:
    """Yield the lines of a flowchart of Mermaid, which GitHub draws in a fenced block of `mermaid`."""
    ids = {key: f"m{number}" for number, key in enumerate(tree.nodes)}
    yield "flowchart LR"
    for key, node in tree.nodes.items():
        text = "<br>".join(_escaped(line) for line in _label(node))
        yield f'  {ids[key]}["{text}"]'
    for base, models in tree.children.items():
        yield from (f"  {ids[base]} --> {ids[model]}" for model in models)


def _escaped(text: str) -> str:
    """Return a text with all that Mermaid, or the HTML in its labels, could take for markup, as codes of characters."""
    return "".join(each if each.isalnum() or each in " .:/_-," else f"#{ord(each)};" for each in text)


def tree_as_dot(tree: Tree) -> Iterator[str]:
    """Yield the lines of a graph for Graphviz's `dot`."""
    yield "digraph models {"
    yield "  rankdir=LR; node [shape=box];"
    for key, node in tree.nodes.items():
        yield f"  {_quoted(key)} [label={_quoted(chr(10).join(_label(node)))}];"
    for base, models in tree.children.items():
        yield from (f"  {_quoted(base)} -> {_quoted(model)};" for model in models)
    yield "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _label(node: Node) -> tuple[str, ...]:
    size = "" if node.size is None else format_size(node.size)
    lines = (short_name(node.name), _note(node), size)
    return tuple(visible(line) for line in lines if line)
