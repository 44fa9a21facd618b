"""The folder of a server on this machine: found, and proved to be its own, so that weights need not be sent to it.

A copy within the disk, or blocks shared by two files, take a fraction of the time of an upload, which the server writes
and hashes, too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from modelfile.manifest import digest_of
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.layout import BLOBS, Layout, models_folder

_SERVICE: Final = Path("/usr/share/ollama/.ollama/models")
"""Folder of the service that Ollama's installer for Linux sets up (scripts/install.sh)."""
_PROBE_SIZE: Final = 32
"""Random bytes of a probe."""


def folders_of_servers(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders in which a server on this machine may have its models.

    Args:
        environ: The environment variables, of which OLLAMA_MODELS counts.
    """
    yield from dict.fromkeys(folder for folder in (models_folder(environ), models_folder({}), _SERVICE) if folder)


def find_blobs(folders: Iterable[Path], has_blob: Callable[[str], bool]) -> Blobs | None:
    """Return the blobs of a server, if they are in one of the folders, and it is ours to write to; else None.

    The proof is a blob of random bytes, which is written into the folder for a moment: only a server that uses this
    folder has it as long as it is there.

    Args:
        folders: The folders to try.
        has_blob: Returns whether the server has the blob of a digest.
    """
    for folder in folders:
        if not _is_owned(folder / BLOBS):
            continue
        layout, probe = Layout(folder), os.urandom(_PROBE_SIZE)
        digest = digest_of(probe)
        with _probe(layout.blob(digest), probe) as is_written:
            is_seen = is_written and has_blob(digest)
        if is_seen and not has_blob(digest):  # what has any blob proves nothing
            return Blobs(layout)
    return None


@contextlib.contextmanager
def _probe(path: Path, content: bytes) -> Iterator[bool]:
    """Write a file for the time of the context; False if the folder is read-only or full."""
    try:
        try:
            with path.open("xb") as file:  # not flushed to the disk: it is there for a moment
                file.write(content)
        except OSError:
            yield False
        else:
            yield True
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _is_owned(folder: Path) -> bool:
    try:
        return hasattr(os, "geteuid") and folder.is_dir() and folder.stat().st_uid == os.geteuid()
    except OSError:
        return False
