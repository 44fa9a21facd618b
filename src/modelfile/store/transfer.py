"""Bring a base or a file into a store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from modelfile.errors import ServerError
from modelfile.names import ModelName
from modelfile.store.base import Progress, Store

Listener: TypeAlias = Callable[[Progress], None]
"""Is told how it goes."""


def fetch(base: ModelName, store: Store, listen: Listener) -> None:
    """Pull a base from its registry.

    Raises:
        ServerError: It is not to be had.
    """
    try:
        for progress in store.fetch(base):
            listen(progress)
    except ServerError as error:
        if type(error) is not ServerError:
            raise
        raise ServerError(
            f"the base {base} is not on the server and cannot be pulled: {error.message}",
            hint="check its name and tag; if it is meant as a path, it has to exist beside the Modelfile",
        ) from error


def send(path: Path, digest: str, store: Store, listen: Listener) -> None:
    """Upload a file."""
    size = path.stat().st_size
    sent = 0

    def on_sent(length: int) -> None:
        nonlocal sent
        sent += length
        listen(Progress(status=f"uploading {path.name}", total=size, completed=sent))

    store.put_blob(digest, path, on_sent)
