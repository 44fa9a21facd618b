"""Loading of Lark grammars, whose tables are cached in the user's cache folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelfile.filesystem import cache_folder

if TYPE_CHECKING:
    from lark import Lark


def load_grammar(path: Path, **options: Any) -> Lark:
    """Return the LALR parser of a grammar file.

    Lark checks that the cached tables belong to this grammar, these options, this Lark and this Python. A cache that
    cannot be read or written is ignored.
    """
    from lark import Lark  # 30 ms, only for commands that parse

    text = path.read_text(encoding="utf-8")
    return Lark(text, parser="lalr", cache=_cache_file(path.stem), **options)


def _cache_file(name: str) -> str | bool:
    """Return the path of a grammar's cached tables; False if there is no cache folder."""
    folder = cache_folder()
    return str(folder / f"{name}-{sys.implementation.cache_tag}.lark") if folder else False
