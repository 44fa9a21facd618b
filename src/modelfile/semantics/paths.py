"""Paths as a Modelfile writes them."""

from __future__ import annotations

import os
from pathlib import Path

from modelfile.errors import InputError


def expand(text: str, folder: Path) -> Path:
    """A path as Ollama reads it: `~` is the home folder, what is not absolute is relative to the Modelfile's folder.

    `a/../b` is `b`, whether there is an `a` or not.
    """
    try:
        path = Path(text).expanduser() if text.startswith("~") else folder / text
    except RuntimeError:
        raise InputError(f"no such user: `{text}`") from None
    return Path(os.path.normpath(path))
