"""Lark grammars, and their compiled tables.

A grammar `x.lark` has its LALR tables beside it in `x.tables.json`: Lark's own serialization, as JSON, so that to load
them executes nothing. They are written when the package is built or installed (`make tables` writes them anew), and are
not in version control. Where they are missing or belong to another grammar or Lark, Lark compiles the grammar.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lark import Lark
    from lark.lexer import Lexer

_SUFFIX: Final = ".tables.json"
_FORMAT: Final = 2
"""Number of this form of the tables; an existing checkout may have tables of another."""
_SHIFT: Final = 0
"""The number of the action that reads a token and enters a state."""
_ENDS: Final = ("start_states", "end_states")


def load_grammar(path: Path, *, lexer: type[Lexer] | str = "contextual", transformer: Any = None) -> Lark:
    """Return the LALR parser of a grammar file.

    Args:
        path: The grammar.
        lexer: The lexer, as in Lark's option.
        transformer: The callbacks of its rules, as in Lark's option.
    """
    from lark import Lark  # 30 ms, only for commands that parse

    text = path.read_text(encoding="utf-8")
    tables = _read_tables(path, text)
    if tables is None:
        return Lark(text, parser="lalr", lexer=lexer, transformer=transformer)
    data, memo = tables
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = lexer
    load: Any = Lark._load_from_dict  # noqa: SLF001  # the parsers that Lark generates call it, too
    parser: Lark = load(data, memo, transformer=transformer)
    return parser


def write_tables(folder: Path = Path(__file__).parent) -> Iterator[Path]:
    """Write the tables of all grammars below a folder, and yield their paths."""
    for path in sorted(folder.rglob("*.lark")):
        tables = _tables_path(path)
        tables.write_text(compile_tables(path), encoding="ascii")
        yield tables


def compile_tables(path: Path) -> str:
    """Return the tables of a grammar as JSON, for any lexer and transformer; equal grammars give equal text."""
    from lark import Lark
    from lark.grammar import Rule
    from lark.lexer import Lexer, TerminalDef, Token

    class AnyLexer(Lexer):
        """A lexer that takes every grammar."""

        def __init__(self, _: object) -> None: ...

        def lex(self, *_: object) -> Iterator[Token]:
            raise NotImplementedError

    text = path.read_text(encoding="utf-8")
    data, memo = Lark(text, parser="lalr", lexer=AnyLexer).memo_serialize([TerminalDef, Rule])
    del data["options"]["lexer"], data["options"]["transformer"], data["parser"]["lexer_conf"]["lexer_type"]
    data["parser"]["parser"] = _canonical(data["parser"]["parser"])
    content = {**_origin(text), "data": data, "memo": memo}
    return json.dumps(content, separators=(",", ":")) + "\n"


def _canonical(table: dict[str, Any]) -> dict[str, Any]:
    """Return a parse table with the tokens by name, and the states in the order in which they are reached.

    In Lark, both numbers depend on hashes. Keys stay texts in JSON, so that nothing has to be converted.
    """
    names: dict[Any, str] = table["tokens"]
    numbers = {state: number for number, (_, state) in enumerate(sorted(table["start_states"].items()))}
    states: list[dict[str, Any]] = []
    for state in (reached := [*numbers]):
        actions = sorted((names[token], *action) for token, action in table["states"][state].items())
        for _, action, target in actions:
            if action == _SHIFT and target not in numbers:
                numbers[target] = len(numbers)
                reached.append(target)
        states.append({name: (kind, numbers[to] if kind == _SHIFT else to) for name, kind, to in actions})
    ends = {kind: {start: numbers[state] for start, state in table[kind].items()} for kind in _ENDS}
    return {"tokens": {name: name for name in sorted(names.values())}, "states": states, **ends}


def _tables_path(grammar: Path) -> Path:
    return grammar.with_suffix(_SUFFIX)


def _lark_version() -> str:
    """Return the major and minor version of Lark: what it serializes may change with them."""
    import lark

    return lark.__version__.rpartition(".")[0]


def _origin(grammar: str) -> dict[str, Any]:
    """Return what tables are made from, and by what: tables of any other are stale."""
    return {"format": _FORMAT, "grammar": grammar, "lark": _lark_version()}


def _read_tables(grammar: Path, text: str) -> tuple[dict[str, Any], dict[int, Any]] | None:
    """Return the data and the memo that Lark loads; None if they are missing or stale."""
    try:
        content = json.loads(_tables_path(grammar).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or not _origin(text).items() <= content.items():
        return None
    table = content["data"]["parser"]["parser"]
    table["states"] = dict(enumerate(table["states"]))
    return content["data"], {int(number): item for number, item in content["memo"].items()}


if __name__ == "__main__":
    for written in write_tables():
        print(written)  # noqa: T201  # a program for `make tables` and the build
