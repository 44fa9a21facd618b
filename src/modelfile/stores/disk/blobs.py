"""Blobs of a model store: each appears whole, under the name of its digest, or not at all.

A blob is written to a temporary file in the same folder, flushed to the disk, compared with its size and digest, and
renamed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.errors import InputError, VerificationError
from modelfile.filesystem import changed_while_read, open_regular, read_up_to
from modelfile.manifest import Layer, digest_of
from modelfile.names import shorten_digest
from modelfile.stores.disk.copies import BackgroundCopy, BlobWriter, check_copy
from modelfile.stores.disk.files import (
    open_own,
    remove_abandoned,
    sync,
    sync_folder,
    temporary_file,
    write_all,
    writing_to,
)
from modelfile.stores.disk.layout import BLOBS, Layout, give_owner
from modelfile.stores.uploads import run_in_parallel
from modelfile.weights.digests import is_same, recall_digest, unchanged

if TYPE_CHECKING:
    from modelfile.weights.header import GGUFHeader

_SYNCS: Final = 16
"""Files that are flushed to the disk at once."""
_ASIDE: Final = "mf-removed-"
"""Start of the names of blobs that are about to be removed; the digits of their digests follow."""
_BLOB_MODE: Final = 0o644
"""Mode of every blob that Ollama writes, whatever the umask (measured on 0.9.3)."""
_CHECK: Final = "run `mf store check --repair` to restore it"


class Blobs:
    """The blobs of a store; several threads and processes may use them at once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._folder = layout.root / BLOBS
        self._copies: dict[Path, BackgroundCopy] = {}
        self._is_tidy = False
        self._headers: dict[str, GGUFHeader] = {}

    def size(self, digest: str) -> int | None:
        """Return the size of a blob in bytes; None if the store does not have it, or it is a dangling symlink."""
        path = self._layout.blob(digest)
        for each in (path, path.with_name(digest)):
            with contextlib.suppress(OSError):
                return each.stat().st_size
        return None

    def path(self, digest: str) -> Path:
        """Return the file of a blob, which may not exist; in a store of an old Ollama, `sha256:<hex>`."""
        path = self._layout.blob(digest)
        return old if not path.exists() and (old := path.with_name(digest)).exists() else path

    def header(self, digest: str) -> GGUFHeader:
        """Return the header of a blob that is a GGUF file; it is read once.

        Raises:
            InputError: It cannot be read, or is none.
        """
        from modelfile.weights.gguf import read_header  # most commands read no weights

        if (known := self._headers.get(digest)) is None:
            known = self._headers[digest] = read_header(self.path(digest))
        return known

    def put(self, content: bytes) -> tuple[str, int]:
        """Write bytes, unless the store has them, and return their digest and size.

        Raises:
            InputError: They cannot be written.
        """
        self.put_all([content])
        return digest_of(content), len(content)

    def put_all(self, contents: Iterable[bytes]) -> None:
        """Write several blobs; they are flushed to the disk together, which takes little longer than one.

        Raises:
            InputError: They cannot be written.
        """
        wanted = {digest_of(content): content for content in contents}
        self._tidy()
        with contextlib.ExitStack() as stack:
            written = list[tuple[FileIO, Path, str]]()
            for digest, content in wanted.items():
                if self.size(digest) != len(content) or not self._contains(digest, content):
                    file, path = stack.enter_context(temporary_file(self._folder))
                    written.append((file, path, digest))
                    with writing_to(self._layout.blob(digest)):
                        write_all(file, content)
            self._commit(written)

    def _contains(self, digest: str, content: bytes) -> bool:
        try:
            return self.path(digest).read_bytes() == content
        except OSError:  # removed since
            return False

    @contextlib.contextmanager
    def writing(self, digest: str, size: int | None = None) -> Iterator[BlobWriter]:
        """Write a blob piece by piece; it appears at the end of the context.

        Args:
            digest: The digest that it must have.
            size: The size that it must have, in bytes; None for any.

        Raises:
            VerificationError: It has another size or digest; nothing remains of it.
            InputError: It cannot be written; nothing remains of it.
        """
        with self._writing(digest) as writer:
            yield writer
            if size is not None and writer.size != size:
                raise VerificationError(f"{shorten_digest(digest)} has {writer.size:,} bytes instead of {size:,}")
            if writer.digest != digest:
                raise VerificationError(f"{shorten_digest(digest)} has another digest: {shorten_digest(writer.digest)}")

    def place(self, path: Path, digest: str, on_sent: Callable[[int], None]) -> None:
        """Make a blob of a local file, unless the store has it.

        Where the file system can, both share their blocks (reflink), so that no disk space is taken; else the file is
        copied. It is hashed unless its digest is known: that of the cache, for a file in the same state.

        Args:
            path: The file.
            digest: Its digest.
            on_sent: Called with the number of bytes after each piece.

        Raises:
            InputError: The file cannot be read, or is not what the digest says; or the blob cannot be written.
        """
        with open_regular(path) as source:
            state = os.fstat(source.fileno())
            if self.size(digest) == state.st_size:
                on_sent(state.st_size)
                return
            is_known = recall_digest(path, state) == digest
            if self._place_begun(path, digest, state if is_known else None, on_sent):
                return
            with self._writing(digest) as writer:
                if writer.clone(source):
                    writer.hash_clone(on_sent) if not is_known else on_sent(state.st_size)
                else:
                    check_copy(path, state, self._folder)
                    if not is_known or not writer.copy_unhashed(source, on_sent):
                        is_known = False
                        source.seek(0)
                        writer.copy(source, on_sent)
                if not unchanged(state, os.fstat(source.fileno())):
                    raise changed_while_read(path)
                if not is_known and writer.digest != digest:
                    hint = "run the command again"
                    raise InputError(f"`{path}` has changed since its digest was computed", hint=hint)

    def begin(self, path: Path) -> None:
        """Begin to copy a file that is being hashed, to be placed then, unless a blob has its size and may be it."""
        with contextlib.suppress(InputError, OSError):  # reported when it is placed
            size = path.stat().st_size
            if path not in self._copies and all(other.stat().st_size != size for _, other in self._layout.blobs()):
                self._tidy()
                self._copies[path] = BackgroundCopy(path, self._folder)

    def close(self) -> None:
        """Remove the copies that were begun and not placed."""
        while self._copies:
            self._copies.popitem()[1].close()

    def _place_begun(
        self, path: Path, digest: str, known: os.stat_result | None, on_sent: Callable[[int], None]
    ) -> bool:
        """Place a copy that was begun; return False if there is none that is known to have the digest.

        Args:
            path: The file.
            digest: The digest.
            known: The state of the file in which it has the digest; None if nobody knows.
            on_sent: Called with the number of bytes after each piece.
        """
        if (copy := self._copies.pop(path, None)) is None:
            return False
        with contextlib.closing(copy):
            if known is None or not is_same(copy.state, known) or not copy.wait(on_sent):
                return False
            self._commit([(copy.file, copy.temporary, digest)])
            return True

    def read(self, layer: Layer) -> bytes:
        """Return a small blob.

        Raises:
            InputError: It is missing, or has another size or digest than in its manifest.
        """
        path, what = self.path(layer.digest), f"blob {shorten_digest(layer.digest)}"
        if not path.exists():
            raise InputError(f"{what} is missing in `{self._layout.root}`", hint=_CHECK)
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != layer.size:
                raise InputError(f"{what} is damaged: it has {size:,} bytes instead of {layer.size:,}", hint=_CHECK)
            content = read_up_to(layer.size, file, path)
        if digest_of(content) != layer.digest:
            raise InputError(f"{what} is damaged: its content has another digest", hint=_CHECK)
        return content

    def remove(self, digests: Collection[str], named: Callable[[], Collection[str] | None]) -> None:
        """Remove blobs that no manifest names.

        Each is renamed first, and gets its name back if a manifest names it by then: a server that runs on the same
        folder may have written one. If the process is killed in between, `settle` does that. To be called while the
        lock of the store is held.

        Args:
            digests: Their digests.
            named: Returns the digests that manifests name; None if nobody knows.

        Raises:
            InputError: One cannot be removed.
        """
        for digest in sorted(digests):
            self.set_aside(self.path(digest), digest)
        for error in self.settle(named).values():
            raise error

    def set_aside(self, path: Path, digest: str) -> Path:
        """Rename a blob that is about to be removed, unless it is gone, and return its new path; `settle` removes it.

        Raises:
            InputError: It cannot be renamed.
        """
        aside = self._folder / f"{_ASIDE}{digest.removeprefix('sha256:')}"
        with writing_to(path), contextlib.suppress(FileNotFoundError):
            path.rename(aside)
        return aside

    def settle(self, named: Callable[[], Collection[str] | None]) -> dict[Path, InputError]:
        """Remove the blobs that were renamed to be removed, but for those that a manifest names.

        Args:
            named: Returns the digests that manifests name; None if nobody knows.

        Returns:
            The blobs that the system does not remove, which have their names again, and why.

        Raises:
            InputError: One cannot be given its name back.
        """
        self.put_back(named)
        refused: dict[Path, InputError] = {}
        for path in self.aside():
            blob = self._layout.blob(_digest_of(path))
            try:
                with writing_to(blob), contextlib.suppress(FileNotFoundError):
                    path.unlink()
            except InputError as error:
                refused[blob] = error
                with contextlib.suppress(OSError):
                    path.rename(blob)
        return refused

    def put_back(self, named: Callable[[], Collection[str] | None]) -> None:
        """Give the blobs that were renamed to be removed their names back if a manifest names them, or nobody knows.

        Raises:
            InputError: One cannot be renamed.
        """
        if not (aside := self.aside()):
            return
        found = named()
        for path in aside:
            digest = _digest_of(path)
            if (found is None or digest in found) and self.size(digest) is None:
                with writing_to(self._layout.blob(digest)), contextlib.suppress(FileNotFoundError):
                    path.rename(self._layout.blob(digest))

    def aside(self) -> list[Path]:
        """Return the blobs that were renamed to be removed, sorted: a removal was killed, or a process is at it."""
        return sorted(self._folder.glob(f"{_ASIDE}*"))

    def adopt(self, temporary: Path, digest: str, size: int) -> None:
        """Make a blob of a complete file in the folder of blobs that was hashed already, such as a download.

        Raises:
            VerificationError: It has another size.
            InputError: It cannot be made one.
        """
        with writing_to(self._layout.blob(digest)), open_own(temporary) as file:
            if (found := os.fstat(file.fileno()).st_size) != size:
                raise VerificationError(f"{shorten_digest(digest)} has {found:,} bytes instead of {size:,}")
            self._commit([(file, temporary, digest)])

    def _tidy(self) -> None:
        """Remove what killed processes left, once: it may take the space that is needed now."""
        if not self._is_tidy:
            remove_abandoned(self._folder)
            self._is_tidy = True

    @contextlib.contextmanager
    def _writing(self, digest: str) -> Iterator[BlobWriter]:
        self._tidy()
        with temporary_file(self._folder) as (file, path):
            yield BlobWriter(file, self._layout.blob(digest))
            self._commit([(file, path, digest)])

    def _commit(self, written: Sequence[tuple[FileIO, Path, str]]) -> None:
        """Flush temporary files to the disk, and give them the names of their digests."""
        for file, _, digest in written:
            with writing_to(self._layout.blob(digest)):
                if hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), _BLOB_MODE)
                give_owner(file.fileno(), self._folder)
        run_in_parallel([partial(self._sync, file, digest) for file, _, digest in written], _SYNCS)
        for _, path, digest in written:
            with writing_to(self._layout.blob(digest)):
                path.replace(self._layout.blob(digest))
        if written:
            sync_folder(self._folder)

    def _sync(self, file: FileIO, digest: str) -> None:
        with writing_to(self._layout.blob(digest)):
            sync(file)


def _digest_of(aside: Path) -> str:
    return f"sha256:{aside.name.removeprefix(_ASIDE)}"
