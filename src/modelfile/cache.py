"""The user's cache folder: what is in it can be lost at any time, and belongs to several processes at once."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """The folder, made if need be; None where there is no place for it."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        folder = Path(caches) / "modelfile" if caches else Path.home() / ".cache" / "modelfile"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder
