"""One at a time on this machine makes a model under a name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Final

from modelfile.cache import cache_folder
from modelfile.names import ModelName
from modelfile.progress import Listener, Progress

_PATIENCE: Final = 1.0
"""In seconds: so often it is told that another is waited for."""


@contextlib.contextmanager
def alone(name: ModelName, place: str, listen: Listener, what: str) -> Iterator[None]:
    """Wait until nothing else of this user on this machine makes a model under a name at a place.

    The lock belongs to the process: the system releases it however that ends. Where nothing can be written, as in some
    containers, nobody is waited for.

    Args:
        name: The name under which it is made, not the one that it takes in the end.
        place: The server's URL.
        listen: Is told who is waited for.
        what: What is done under the name, as in `build of bot:v1`.
    """
    from filelock import FileLock, Timeout  # 10 ms that what has nothing to do does not need

    at = re.sub(r"//(localhost|127\.0\.0\.1|\[::1\]):", "//loopback:", place)
    key = hashlib.sha256(f"{at} {name.full.lower()}".encode()).hexdigest()
    folder = _folder()
    if folder is None:
        yield
        return
    lock = FileLock(folder / f"{key}.lock")
    patience = 0.0
    while True:
        try:
            lock.acquire(timeout=patience)
            break
        except Timeout:
            patience = _PATIENCE
            listen(Progress(status=f"waiting for another {what} on this machine"))
        except OSError:  # the disk is full
            break
    try:
        yield
    finally:
        lock.release()


def _folder() -> Path | None:
    """Where the locks are: in the cache, else among the temporary files; None where neither can be written."""
    with contextlib.suppress(OSError):
        mine = f"modelfile-{os.getuid()}" if hasattr(os, "getuid") else "modelfile"  # users share /tmp
        for parent in filter(None, (cache_folder(), Path(gettempdir(), mine))):
            folder = parent / "locks"
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return None
