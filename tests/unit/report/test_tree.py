"""Trees of models as text, for Mermaid and Graphviz, and as JSON."""

import io

import pytest

from modelfile.report.terminal import Terminal
from modelfile.report.tree import print_tree, tree_as_dot, tree_as_json, tree_as_mermaid
from modelfile.tree import Node, Place, Tree

STORE, PROJECT = frozenset({Place.STORE}), frozenset({Place.PROJECT})
TREE = Tree.of(
    [
        Node(name="base:v1", places=frozenset({Place.SERVER, Place.LOCK}), size=2_000),
        Node(name="bot:v1", base="base:v1", modelfile="bot/Modelfile", places=STORE, size=2_100, own=100, shared=2_000),
        Node(name="top:v1", base="bot:v1", places=STORE, size=2_100, own=0, shared=2_100, problem="lacks a layer"),
        Node(
            name="w.Modelfile", modelfile="w.Modelfile", places=frozenset({Place.PROJECT}), files=("a.gguf", "b.gguf")
        ),
        Node(name='a"<b>]', problem="not found \x1b[31m"),
    ]
)


def printed(tree: Tree, width: int = 0) -> str:
    out = io.StringIO()
    print_tree(tree, Terminal(io.StringIO(), out, io.StringIO(), {"COLUMNS": str(width)} if width else {}))
    return out.getvalue()


def test_text() -> None:
    assert (
        printed(TREE)
        == """\
NAME            WHERE           SIZE        OWN   SHARED
a"<b>]                                                    not found <U+001B>[31m
base:v1         lock, server  2.0 kB    unknown  unknown
└── bot:v1      store         2.1 kB  100 bytes   2.0 kB  bot/Modelfile
    └── top:v1  store         2.1 kB    0 bytes   2.1 kB  lacks a layer
w.Modelfile     project                                   from a.gguf, b.gguf
"""
    )


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (80, "NAME WHERE SIZE OWN SHARED"),
        (79, "NAME WHERE SIZE"),
        (60, "NAME WHERE SIZE"),
        (59, "NAME WHERE"),
        (52, "NAME WHERE"),
        (51, "NAME"),
        (38, "NAME"),
    ],
)
def test_what_is_wrong_is_printed_at_any_width(width: int, columns: str) -> None:
    lines = printed(TREE, width).splitlines()
    assert " ".join(lines[0].split()) == columns
    assert lines[4].endswith("lacks a layer")


def test_a_note_that_is_too_long_leaves_the_other_columns() -> None:
    tree = Tree.of([Node(name="bot:v1", places=STORE, size=2_000, problem="x" * 80)])
    assert printed(tree, 80) == "NAME    WHERE    SIZE\nbot:v1  store  2.0 kB\n"
    assert printed(tree, 20) == "NAME\nbot:v1\n"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_text_fits_the_terminal(width: int) -> None:
    lines = printed(TREE, width).splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= width


def test_a_tree_without_sizes_and_a_circle() -> None:
    tree = Tree.of([Node(name="a:1", base="b:1"), Node(name="b:1", base="a:1"), Node(name="c:1", base="a:1")])
    assert (
        printed(tree)
        == """\
NAME         WHERE
a:1
├── b:1
│   └── a:1         built on itself: see above
└── c:1
"""
    )


def test_mermaid_takes_no_name_for_markup() -> None:
    assert [*tree_as_mermaid(TREE)] == [
        "flowchart LR",
        '  m0["a#34;#60;b#62;#93;<br>not found #60;U#43;001B#62;#91;31m"]',
        '  m1["base:v1<br>2.0 kB"]',
        '  m2["bot:v1<br>bot/Modelfile<br>2.1 kB"]',
        '  m3["top:v1<br>lacks a layer<br>2.1 kB"]',
        '  m4["w.Modelfile<br>from a.gguf, b.gguf"]',
        "  m1 --> m2",
        "  m2 --> m3",
    ]


def test_dot_quotes_names() -> None:
    assert [*tree_as_dot(TREE)] == [
        "digraph models {",
        "  rankdir=LR; node [shape=box];",
        '  "a\\"<b>]" [label="a\\"<b>]\\nnot found <U+001B>[31m"];',
        '  "base:v1" [label="base:v1\\n2.0 kB"];',
        '  "bot:v1" [label="bot:v1\\nbot/Modelfile\\n2.1 kB"];',
        '  "top:v1" [label="top:v1\\nlacks a layer\\n2.1 kB"];',
        '  "w.Modelfile" [label="w.Modelfile\\nfrom a.gguf, b.gguf"];',
        '  "base:v1" -> "bot:v1";',
        '  "bot:v1" -> "top:v1";',
        "}",
    ]


def test_json() -> None:
    models = tree_as_json(TREE)["models"]
    assert [model["name"] for model in models] == ['a"<b>]', "base:v1", "bot:v1", "top:v1", "w.Modelfile"]
    assert models[2] == {
        "name": "bot:v1",
        "base": "base:v1",
        "modelfile": "bot/Modelfile",
        "where": ["store"],
        "files": [],
        "size": 2_100,
        "own": 100,
        "shared": 2_000,
        "problem": None,
    }
    assert (models[1]["where"], models[1]["own"], models[1]["base"]) == (["lock", "server"], None, None)
