"""Copies of a model's weights out of a folder of models, each compared with its digest."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from modelfile.errors import InputError, cannot_write
from modelfile.events import Events, Progress
from modelfile.filesystem import absolute_path, open_regular, place_new
from modelfile.stores.disk.copies import BlobWriter
from modelfile.stores.disk.files import sync, temporary_file
from modelfile.stores.protocol import StoredModel
from modelfile.weights.digests import digests_of


def path_from(folder: Path, path: Path) -> str:
    """Return the path of a file as a Modelfile in a folder writes it, which is no name of a model.

    >>> path_from(Path("bot"), Path("bot/tiny.gguf")), path_from(Path("bot"), Path("tiny.gguf"))
    ('./tiny.gguf', '../tiny.gguf')
    """
    relative = Path(os.path.relpath(absolute_path(path), absolute_path(folder))).as_posix()  # as Ollama: by the text
    return relative if relative.split("/")[0] in (".", "..") else f"./{relative}"


def copy_files(stored: StoredModel, blobs: Mapping[str, str], folder: Path, events: Events) -> dict[str, Path]:
    """Copy the weights, adapters and drafts of a model to a folder, which is made; return their paths by digest.

    They share their blocks with the blobs where the disk can. A file that is there is taken if it is the same.

    Args:
        stored: The model.
        blobs: The paths of their blobs by digest.
        folder: The folder.
        events: Receives progress.

    Raises:
        InputError: A blob is missing or damaged, a file cannot be written, or another one has its name.
    """
    copied = {}
    with _made(folder):
        for digest, name in _names(stored).items():
            copied[digest] = folder / name
            _copy(Path(blobs[digest]), digest, copied[digest], events)
    return copied


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder; after a failure, remove those that were made and are empty."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # the first that is not empty
            for path in missing:
                path.rmdir()
        raise


def _names(stored: StoredModel) -> dict[str, str]:
    """Return a file name for each digest, as in `bot-v1.gguf` and `bot-v1-adapter.gguf`."""
    model, stem = stored.model, f"{stored.name.model}-{stored.name.tag}"
    kinds = {"": model.weights[:1], "-projector": model.weights[1:], "-adapter": model.adapters, "-draft": model.drafts}
    return {
        digest: f"{stem}{kind}{f'-{number}' if number > 1 else ''}.gguf"
        for kind, digests in kinds.items()
        for number, digest in enumerate(digests, start=1)
    }


def _copy(blob: Path, digest: str, path: Path, events: Events) -> None:
    with open_regular(blob) as source, temporary_file(path.parent, 0o666) as (file, temporary):
        if path.is_file() and path.stat().st_size == blob.stat().st_size and digests_of([path])[path] == digest:
            return
        if path.exists() or path.is_symlink():
            raise InputError(f"`{path}` exists already, and is another file", hint="name another folder")
        total, done = blob.stat().st_size, 0

        def report(count: int) -> None:
            nonlocal done
            done += count
            events(Progress(status=f"copying {path.name}", total=total, completed=done))

        writer = BlobWriter(file, path)
        if writer.clone(source):
            writer.hash_clone(report)
        else:
            writer.copy(source, report)
        if writer.digest != digest:
            raise InputError(f"`{blob}` is damaged: its content has another digest", hint="run `mf store check`")
        sync(file)
        place_new(temporary, path)
