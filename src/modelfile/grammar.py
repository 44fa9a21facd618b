"""The grammars in this folder, compiled once and kept in the user's cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelfile.filesystem import cache_folder

if TYPE_CHECKING:
    from lark import Lark


def load_grammar(path: Path, **options: Any) -> Lark:
    """The LALR parser of `<name>.lark`.

    Lark checks that the cached tables are of this grammar, these options, this Lark and this Python; it does without a
    cache that cannot be read or written.
    """
    from lark import Lark  # costs 30 ms, which a command that parses nothing need not pay

    text = path.read_text(encoding="utf-8")
    return Lark(text, parser="lalr", cache=_cache_file(path.stem), **options)


def _cache_file(name: str) -> str | bool:
    """Where to keep a grammar's tables; False where there is no place."""
    folder = cache_folder()
    return str(folder / f"{name}-{sys.implementation.cache_tag}.lark") if folder else False
