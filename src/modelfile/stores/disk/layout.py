"""The layout of Ollama's model store: which file has the manifest of a name, and which has a blob.

Source: measured on 0.9.3 (Linux); types/model/name.go, server/modelpath.go, server/manifest.go and
envconfig/config.go, alike from v0.9.3 to v0.33.0-rc2.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from errno import ELOOP
from pathlib import Path
from typing import Final

from modelfile.errors import InputError, UsageError, cannot_read, cannot_write
from modelfile.filesystem import absolute_path, home_folder, open_regular, reading
from modelfile.immutable import record, replace
from modelfile.names import ModelName

BLOBS: Final = "blobs"
MANIFESTS: Final = "manifests"
_BLOB: Final = re.compile(r"sha256-([0-9a-f]{64})")
_OLD_BLOB: Final = re.compile(r"sha256:([0-9a-f]{64})")
_HEX: Final = 64
"""Digits of a digest."""
_DEPTH: Final = 4
"""Levels below `manifests`: host, namespace, model and tag. Ollama ignores files at other depths."""
_FOLDER_MODE: Final = 0o755
_NO_STORE: Final = frozenset({"lost+found"})
"""Names that an empty folder may have: that of a new file system."""


@record()
class Layout:
    """The files of a model store."""

    root: Path
    """The folder of the store: absolute, with symlinks as they are, because Ollama writes it into manifests."""

    def blob(self, digest: str) -> Path:
        """Return the file of a blob, whose digest is `sha256:` and 64 lower-case hexadecimal digits."""
        return self.root / BLOBS / digest.replace(":", "-", 1)

    def manifest(self, name: ModelName) -> Path:
        """Return the file of a name's manifest, with the name as spelled."""
        return self.root / MANIFESTS / name.host / name.namespace / name.model / name.tag

    def manifests(self) -> Iterator[tuple[ModelName | None, Path]]:
        """Yield all files at the depth of manifests, sorted, also dangling symlinks; None for the name if it is none.

        Raises:
            InputError: A folder cannot be read.
        """
        for path in _files(self.root / MANIFESTS, _DEPTH):
            yield _name_of(path), path

    def blobs(self) -> Iterator[tuple[str, Path]]:
        """Yield digest and path of each whole blob, sorted; other files, such as partial downloads, are skipped.

        Raises:
            InputError: The folder cannot be read.
        """
        for path in _files(self.root / BLOBS, 1):
            if found := _BLOB.fullmatch(path.name):
                yield f"sha256:{found[1]}", path

    def spelled(self, name: ModelName) -> ModelName:
        """Return a name as Ollama would spell it: by names in the store that differ in case only.

        Ollama replaces each of the four parts by itself, by that of any model, and at random if there are several
        spellings. Here, a model of exactly this name wins, then one that differs in case only, then each part as
        spelled, then the first in order.
        """
        if os.path.lexists(self.manifest(name)):
            return name
        names = [found for found, _ in self.manifests() if found]
        if same := next((found for found in names if found.same_as(name)), None):
            return replace(same, tagged=name.tagged)
        return replace(
            name,
            host=_spelling(name.host, {found.host for found in names}),
            namespace=_spelling(name.namespace, {found.namespace for found in names}),
            model=_spelling(name.model, {found.model for found in names}),
            tag=_spelling(name.tag, {found.tag for found in names}),
        )


def _spelling(part: str, found: Collection[str]) -> str:
    return part if part in found else min((one for one in found if one.lower() == part.lower()), default=part)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the files at a depth below a folder, sorted by path; symlinks to folders are followed, as Ollama does."""
    with reading(folder):
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:  # removed in between, as is each folder that becomes empty
            return
    for entry in entries:
        is_folder = _is_folder(entry)
        if depth > 1 and is_folder:
            yield from _files(Path(entry.path), depth - 1)
        elif depth == 1 and not is_folder:
            yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a symlink to one; a symlink that leads to itself is as a dangling one."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == ELOOP:
            return False
        raise cannot_read(entry.path, error) from error


def _name_of(path: Path) -> ModelName | None:
    *_, host, namespace, model, tag = path.parts
    try:
        name = ModelName.parse(f"{host}/{namespace}/{model}:{tag}")
    except UsageError:
        return None
    return name if (name.host, name.namespace, name.model, name.tag) == (host, namespace, model, tag) else None


def models_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of models that an Ollama server of this user would use; None if there is no home folder.

    Args:
        environ: The environment variables, of which OLLAMA_MODELS counts; Ollama does not expand `~` in it.
    """
    text = environ.get("OLLAMA_MODELS", "").strip().strip("\"'")
    if text:
        return absolute_path(Path(text))
    home = home_folder()
    return home / ".ollama" / "models" if home else None


def open_layout(root: Path, *, create: bool, missing_ok: bool = False) -> Layout:
    """Return the layout of a folder that is a model store.

    Args:
        root: The folder.
        create: Whether the store is to be written to: an empty folder, or a path that does not exist, becomes a store.
        missing_ok: Whether an empty folder, or a path that does not exist, counts as a store without models.

    Raises:
        InputError: It is no store, cannot be read, or is to be written to and belongs to another user.
    """
    root = absolute_path(root)
    try:
        names = {entry.name for entry in os.scandir(root)}
    except FileNotFoundError as error:
        if not (create or missing_ok):
            hint = "check its path; a build or a pull makes a store there"
            raise InputError(f"no model store at `{root}`: there is no such folder", hint=hint) from error
        names = set()
    except NotADirectoryError as error:
        hint = "name a folder, as in `--store models`"
        raise InputError(f"no model store at `{root}`: a file is in its place", hint=hint) from error
    except OSError as error:
        raise cannot_read(root, error) from error
    if not names & {BLOBS, MANIFESTS} and (names - _NO_STORE or not (create or missing_ok)):
        raise _no_store(root)
    for folder in (root / BLOBS, root / MANIFESTS):
        if os.path.lexists(folder) and not folder.is_dir():
            raise InputError(f"`{root}` is no model store: `{folder.name}` is not a folder")
    if create:
        _create(root)
        reject_foreign(root)
        _rename_old_blobs(root / BLOBS)
    return Layout(root)


def _no_store(root: Path) -> InputError:
    inner = root / "models"
    is_parent = (inner / BLOBS).is_dir() or (inner / MANIFESTS).is_dir()
    hint = f"did you mean `{inner}`?" if is_parent else "a build or pull makes a store in an empty folder"
    return InputError(f"`{root}` is no model store: it has no folders `{BLOBS}` and `{MANIFESTS}`", hint=hint)


def _create(root: Path) -> None:
    for folder in (root / BLOBS, root / MANIFESTS):
        try:
            make_folders(folder)
        except OSError as error:
            raise cannot_write(folder, error) from error


def make_folders(folder: Path) -> None:
    """Create a folder of a store, and those above it, each for the owner of the one above it."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=_FOLDER_MODE)
        give_owner(folder, folder.parent)


def _rename_old_blobs(folder: Path) -> None:
    """Rename blobs of old stores (`sha256:<hex>`), as the server does when it starts (server/fixblobs.go)."""
    for path in _files(folder, 1):
        if found := _OLD_BLOB.fullmatch(path.name):
            try:
                rename_old_blob(path, path.with_name(f"sha256-{found[1]}"))
            except FileNotFoundError:  # another process was faster
                continue
            except OSError as error:
                raise cannot_write(path, error) from error


def rename_old_blob(path: Path, new: Path) -> bool:
    """Give a blob of an old store its new name, and return whether it has it.

    If a file has that name, too, the one stays whose bytes are those of the digest, of two such files the new one: a
    server renames the old one in any case, and either may be incomplete.

    Raises:
        OSError: It cannot be renamed or removed.
        InputError: It cannot be read.
    """
    if new.exists() and (_is_whole(new, new.name[-_HEX:]) or not _is_whole(path, new.name[-_HEX:])):
        path.unlink()
        return False
    path.replace(new)
    return True


def _is_whole(path: Path, hexadecimal: str) -> bool:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == hexadecimal


def give_owner(path: Path | int, folder: Path) -> None:
    """Give a new file the owner of its folder, if we are root: its server could not use it otherwise.

    Args:
        path: The descriptor of the file, or the path of a new folder; a symlink, which the owner of `folder` may have
            put in its place, is not followed.
        folder: The folder.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        state = folder.stat()
        if (state.st_uid, state.st_gid) != (0, 0):
            os.chown(path, state.st_uid, state.st_gid, follow_symlinks=isinstance(path, int))


def reject_foreign(root: Path) -> None:
    """Reject a store of another user: its server could not use what we would write there.

    Since 0.21 Ollama sets the times of the blobs that it uses, which only their owner may do (server/layer.go). Root
    may write: files get the owner of their folder.

    Raises:
        InputError: It belongs to another user, and we are not root.
    """
    if not hasattr(os, "geteuid"):
        return
    with reading(root):
        owner = (root / BLOBS).stat().st_uid
    if os.geteuid() not in (0, owner):
        user = _user(owner)
        hint = f"run it as that user, as in `sudo -u {user} mf …`, or use a folder of your own"
        raise InputError(f"cannot write to the model store `{root}`: it belongs to user {user}", hint=hint)


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"
