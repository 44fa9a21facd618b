"""The lint context of a Modelfile: the files next to it, its project and its lock."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from errno import ENAMETOOLONG
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from modelfile.catalog.catalog import Catalog
from modelfile.errors import InputError
from modelfile.filesystem import expand, expand_text, real_path
from modelfile.git import find_repository
from modelfile.linter.rule import Context, EscapedPath, LockStatus, RejectedFile
from modelfile.project.target import Target
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Draft, From

if TYPE_CHECKING:
    from modelfile.project.gitignore import Ignored
    from modelfile.weights.header import GGUFHeader

_T = TypeVar("_T")
_MOST_ASKED: Final = 20
"""Number of missing files that are compared with the names around them."""
_MOST_NEIGHBORS: Final = 1000
"""Number of names in a folder that a missing file is compared with."""


def context_of(
    target: Target, ollama: Catalog, *, has_folder: bool, ollama_is_given: bool = False, reads_weights: bool = True
) -> Context:
    """Return the context for linting a Modelfile.

    Args:
        target: The Modelfile.
        ollama: Facts about the Ollama version that it is for.
        has_folder: Whether its paths can be looked up; those of standard input cannot.
        ollama_is_given: Whether somebody named that version; otherwise it is the newest known.
        reads_weights: Whether rules may read the headers of local weights.

    Raises:
        InputError: The Modelfile cannot be read.
    """
    registries = target.config.registries
    if not has_folder:
        return Context(
            modelfile=target.modelfile,
            ollama=ollama,
            ollama_is_given=ollama_is_given,
            registries=registries,
            formatter=_formatted,
        )
    modelfile, lock_status, lock_error = target.modelfile, None, None
    try:
        lock_status = _lock_status(target)
    except InputError as error:
        lock_error = error
    exists = _remember(partial(_exists, target))
    missing_weights = _remember(partial(_missing_weights, target, ollama, exists))
    rejected_files = _remember(lambda _: tuple(_rejected_files(target, ollama, exists, missing_weights)))
    return Context(
        modelfile=modelfile,
        ollama=ollama,
        ollama_is_given=ollama_is_given,
        registries=registries,
        memory=target.config.memory_size,
        formatter=_formatted,
        exists=exists,
        neighbors=_find_neighbors(target),
        is_ignored=_find_ignored(target),
        missing_weights=missing_weights,
        find_escape=partial(_find_escape, target),
        headers=_remember(partial(_headers, target, ollama)) if reads_weights else None,
        rejected_files=partial(rejected_files, ""),
        lock_status=lock_status,
        lock_error=lock_error,
    )


def _remember(look: Callable[[str], _T]) -> Callable[[str], _T]:
    """Return a function that looks at each path once. `functools.cache` takes longer to make than most are used."""
    seen: dict[str, _T] = {}

    def ask(written: str) -> _T:
        if written not in seen:
            seen[written] = look(written)
        return seen[written]

    return ask


def _lock_status(target: Target) -> LockStatus | None:
    lock = target.lock
    key = lock.key(target.path) if lock else ""
    if lock is None or not key:
        return None
    pin = lock.summaries.get(key)
    if pin is None:
        return LockStatus(listed=False)
    return LockStatus(current=pin.text in (None, target.text_digest), base=pin.base)


def _exists(target: Target, written: str) -> bool:
    """Return whether Ollama takes it for a path: it does so unless there is nothing."""
    try:
        target.project.stat(expand_text(written, target.folder))
    except (FileNotFoundError, InputError, ValueError):
        return False
    except OSError as error:
        return error.errno != ENAMETOOLONG  # other rules say more about it
    return True


def _find_neighbors(target: Target) -> Callable[[str], tuple[str, ...]]:
    """Return a function that lists the names in the folder of a path, for the first paths that it is asked about.

    It lists the first of very many names, and none of a folder that cannot be read.
    """
    asked = set[str]()

    def neighbors(written: str) -> tuple[str, ...]:
        asked.add(written)
        if len(asked) > _MOST_ASKED:
            return ()
        try:
            with os.scandir(expand(written, target.folder).parent) as entries:
                return tuple(sorted(entry.name for entry in islice(entries, _MOST_NEIGHBORS)))
        except (InputError, OSError, ValueError):
            return ()

    return neighbors


def _find_ignored(target: Target) -> Callable[[str], bool | None]:
    """Return a function that says whether git ignores a path, or for a folder weights in it.

    It returns None outside of a repository.
    """

    def find(_: str) -> tuple[Path, Ignored] | None:
        from modelfile.project.gitignore import Ignored  # only for files that are missing

        folder = real_path(target.folder)
        root = find_repository(folder)
        return (folder, Ignored(root)) if root else None

    repository = _remember(find)

    def is_ignored(written: str) -> bool | None:
        if (found := repository("")) is None:
            return None
        folder, ignored = found
        try:
            path = expand(written, folder)
        except InputError:
            return False
        examples = (path / "model.gguf", path / "model.safetensors") if _is_folder(target, path) else (path,)
        return any(example in ignored for example in examples)

    return is_ignored


def _is_folder(target: Target, path: Path) -> bool:
    try:
        return stat.S_ISDIR(target.project.stat(path).st_mode)
    except OSError:
        return False


def _missing_weights(target: Target, ollama: Catalog, exists: Callable[[str], bool], written: str) -> str:
    path = expand(written, target.folder) if exists(written) else None
    if path is None or not _is_folder(target, path):
        return ""
    from modelfile.weights.folder import find_weights

    try:
        find_weights(path, ollama.version)
    except InputError as error:
        return error.hint or error.message
    return ""


def _headers(target: Target, ollama: Catalog, written: str) -> Mapping[str, GGUFHeader]:
    from modelfile.recipe.recipe import files_at
    from modelfile.weights.checks import read_headers  # most Modelfiles name no file

    try:
        files = files_at(expand(written, target.folder), ollama.version, target.project.stat)
        return {str(path): header for path, header in read_headers(files).items()}
    except (InputError, OSError, ValueError):
        return {}  # unusable-weights reports it


def _find_escape(target: Target, written: str) -> EscapedPath | None:
    """Return where a path leads if it leaves the repository, or the project if there is no repository."""
    folder = real_path(target.folder)
    file = target.config.file
    root = find_repository(folder) or (file and real_path(file.parent))
    try:
        path = expand(written, target.folder)
        real = target.project.real_path(path)
        if root is None or not folder.is_relative_to(root) or real.is_relative_to(root):
            return None
        return EscapedPath(target=str(real), by_symlink=expand(written, folder).is_relative_to(root))
    except (InputError, OSError, ValueError, RuntimeError):
        return None


def _rejected_files(
    target: Target, ollama: Catalog, exists: Callable[[str], bool], missing_weights: Callable[[str], str]
) -> Iterator[RejectedFile]:
    named = [
        node
        for node in target.modelfile.of_type((From, Adapter, Draft))
        if node.keyword.text.upper() in ollama.instructions  # otherwise unknown-instruction
        and node.value.closed
        and exists(node.value.text)
        and not missing_weights(node.value.text)
    ]
    found = []
    if named:
        from modelfile.linter.local_files import rejected_files  # most Modelfiles name no file

        found = [*rejected_files(target, named, ollama.version)]
    yield from found
    kinds = target.project.quantizations(target) - {""} if target.config.models and not found else ()
    if kinds:
        from modelfile.linter.local_files import rejected_quantizations

        yield from rejected_quantizations(target, sorted(kinds), ollama.version)


def _formatted(modelfile: Modelfile) -> str:
    from modelfile.formatter import format_modelfile  # only for the opt-in rule on formatting

    try:
        return format_modelfile(modelfile)
    except InputError:
        return modelfile.text  # other rules report why it cannot be formatted
