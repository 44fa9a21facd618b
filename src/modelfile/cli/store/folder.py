"""The folder that the commands of `mf store` work on."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from modelfile.cli.locations import Use, folder_of, open_folder

if TYPE_CHECKING:
    from modelfile.stores.disk.store import FolderStore


def open_named(store: str | None, use: Use) -> AbstractContextManager[FolderStore]:
    """Open the folder of --store, or else of MF_STORE, of the configuration, or that of the server of this user.

    Raises:
        UsageError: There is none.
        InputError: It is no store that can be used.
    """
    return open_folder(folder_of(store, Use.READ), use=use)
