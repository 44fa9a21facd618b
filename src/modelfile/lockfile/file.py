"""A lock on the disk: read once, changed under a lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from modelfile.errors import InputError
from modelfile.events import Events, ignore
from modelfile.filesystem import MAX_JSON, read_file, real_path, write_atomic
from modelfile.git import find_repository
from modelfile.lockfile.lock import VERSION, Lock
from modelfile.lockfile.reader import PinSummary, has_conflicts, parse_lock, summarize, validate, version_of
from modelfile.locks import folder_lock


class LockFile:
    """A lock file, read and parsed once."""

    def __init__(self, path: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        """Read nothing yet.

        Args:
            path: The file.
            warn: Receives a warning if parts of the file are ignored, when it is read.
        """
        self.path = path
        self._warn = warn
        self._merges = self._warned = False
        self.conflicts: tuple[str, ...] = ()
        """Keys of the entries on which the sides of a merge conflict differ, and which `merge_conflicts` left out."""

    @classmethod
    def with_content(cls, path: Path, data: bytes | None) -> LockFile:
        """Return the lock of a path with its content at another time; None if there was no file."""
        lock = cls(path)
        lock.__dict__["_data"] = data
        return lock

    def merge_conflicts(self) -> None:
        """Read a lock with merge conflicts as what both sides agree on, and warn; by default that is an error."""
        if not self._merges:
            self._merges = True
            self._forget()

    @cached_property
    def _data(self) -> bytes | None:
        if self.path.is_symlink():
            self._reject_escape()
        try:
            return read_file(self.path, limit=MAX_JSON)
        except InputError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            if os.path.lexists(self.path):
                hint = "restore that file, or remove the symlink and run `mf pin`"
                raise InputError(f"`{self.path}` is a symlink to a file that does not exist", hint=hint) from error
            return None

    def _reject_escape(self) -> None:
        """Reject a symlink that leaves the repository: to change the lock would write elsewhere."""
        folder = real_path(self.path.parent)
        root, real = find_repository(folder) or folder, real_path(self.path)
        if not real.is_relative_to(root):
            message = f"`{self.path}` is a symlink to `{real}`, outside of `{root}`"
            raise InputError(message, hint="replace it by the file, or remove it and run `mf pin`")

    @cached_property
    def _content(self) -> dict[str, Any]:
        if self._data is None:
            return {"version": Lock().version, "modelfiles": {}}
        content = self._merge() or parse_lock(self._data, str(self.path))
        if version_of(content, str(self.path)) > VERSION:
            self._warn(f"`{self.path}` has a newer format than this mf reads: unknown parts are ignored")
        return content

    def _merge(self) -> dict[str, Any] | None:
        if not self._merges or self._data is None or not has_conflicts(self._data):
            return None
        from modelfile.lockfile.conflicts import merge_conflicts

        merged = merge_conflicts(self._data, str(self.path))
        if merged is None:
            return None
        if not self._warned:
            self._warned = True
            others = ", ".join(f"`{key}`" for key in merged.differing)
            rest = f"; different on both sides, so pinned anew: {others}" if others else ""
            self._warn(f"`{self.path}` has merge conflicts: the entries of both sides are merged{rest}")
        self.conflicts = merged.differing
        return merged.content

    @property
    def exists(self) -> bool:
        """True if there is a file.

        Raises:
            InputError: It cannot be read.
        """
        return self._data is not None

    def update(self, change: Callable[[Lock], Lock], events: Events = ignore) -> tuple[Lock, Lock]:
        """Change the lock as it is on the disk now, while no other process can.

        It is written atomically, and only if a byte of it changes.

        Args:
            change: Returns the new lock from the current one; an exception from it leaves the file as it is.
            events: Receives progress while another process changes it.

        Returns:
            The lock before and after.

        Raises:
            InputError: It is damaged, of a newer format, cannot be written, or another process does not release it.
        """
        with folder_lock(real_path(self.path).parent, events, "change of mf.lock"):
            self._forget()
            before = self.lock
            after = change(before)
            self.check_writable()
            if (data := after.dumps(str(self.path)).encode()) != self._data:
                write_atomic(self.path, data)
            self._forget()
            self.__dict__ |= {"_data": data, "lock": after}
            return before, after

    def _forget(self) -> None:
        """Read the file anew when it is asked for."""
        for name in ("_data", "_content", "lock", "summaries"):
            self.__dict__.pop(name, None)

    def check_writable(self) -> None:
        """Reject a newer minor version of the format, which this mf can read but not write.

        Raises:
            InputError: It is newer, or damaged.
        """
        if self.newer:
            message = f"`{self.path}` has a newer format than this mf writes, which would drop parts of it"
            raise InputError(message, hint="upgrade mf, then run the command again")

    @cached_property
    def lock(self) -> Lock:
        """The validated lock; empty if there is no file.

        Raises:
            InputError: It is damaged, or its format is not supported.
        """
        return validate(self._content, str(self.path))

    @property
    def newer(self) -> bool:
        """True if the format is a newer minor version, so that parts of the lock may be ignored.

        Raises:
            InputError: It is damaged, or its format is not supported.
        """
        return version_of(self._content, str(self.path)) > VERSION

    @cached_property
    def summaries(self) -> Mapping[str, PinSummary]:
        """The parts of the pins that a lint needs.

        Raises:
            InputError: It is damaged, or its format is not supported.
        """
        return summarize(self._content, str(self.path))

    def key(self, modelfile: Path) -> str:
        """Return a Modelfile's key; empty if the Modelfile, with symlinks resolved, is outside the lock's folder."""
        path = real_path(modelfile)
        return path.relative_to(self.path.parent).as_posix() if path.is_relative_to(self.path.parent) else ""
