"""Local weights and adapters: their digests, and what is no weights at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modelfile.errors import InputError
from modelfile.semantics.recipe import Recipe

_GGUF_MAGICS: Final = (b"GGUF", b"FUGG")
_LFS_POINTER: Final = b"version https://git-lfs"


def digests_of(recipe: Recipe) -> Mapping[Path, str]:
    """`sha256:…` of every local file of a recipe.

    Raises:
        InputError: One cannot be read, or is a GGUF by its name and none by its bytes.
    """
    return {path: _digest(path) for path in recipe.local_files}


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(len(_LFS_POINTER))
            if head == _LFS_POINTER:
                raise InputError(f"`{path}` is a git-lfs pointer, not the weights", hint="run `git lfs pull`")
            if path.suffix == ".gguf" and not head.startswith(_GGUF_MAGICS):
                raise InputError(f"`{path}` is not a GGUF file", hint="was it downloaded whole? Ollama would refuse it")
            file.seek(0)
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror or error}") from error
