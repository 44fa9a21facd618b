"""What a rule may know of what is around a Modelfile: the files beside it, its project, its lock."""

from __future__ import annotations

from functools import cache, lru_cache, partial
from pathlib import Path

from modelfile.catalog.catalog import Catalog
from modelfile.errors import InputError
from modelfile.linter.rule import Context, EscapedPath, LockStatus
from modelfile.lockfile import Header, find_lock, find_repository, headers, key_in, read_content, text_digest
from modelfile.syntax.modelfile import Modelfile


def context_of(
    modelfile: Modelfile,
    path: Path | None,
    *,
    target: Catalog,
    registries: tuple[str, ...] | None = None,
    project: Path | None = None,
) -> Context:
    """What is known of a Modelfile that stands, or is to stand, at a path.

    Args:
        modelfile: It.
        path: Its path; None where it has none.
        target: What there is in the Ollama version that it is for.
        registries: The hosts that bases may come from; None: any.
        project: The folder that it is not to leave, where it stands in no repository.

    Raises:
        InputError: The lock is damaged, or of a later version.
    """
    if path is None:
        return Context(modelfile=modelfile, target=target, registries=registries, formatted=_formatted)
    return Context(
        modelfile=modelfile,
        target=target,
        registries=registries,
        formatted=_formatted,
        exists=cache(partial(_exists, path.parent)),
        weightless=cache(partial(_weightless, path.parent, target)),
        outside=partial(_outside, path.parent, project),
        locked=_locked(modelfile, path),
    )


def _locked(modelfile: Modelfile, path: Path) -> LockStatus | None:
    lock = find_lock(path.parent)
    key = key_in(lock, path) if lock else ""
    if lock is None or not key:
        return None
    header = _headers(lock.read_bytes(), str(lock)).get(key)
    if header is None:
        return LockStatus(listed=False)
    return LockStatus(current=header.text in (None, text_digest(modelfile)), base=header.base)


@lru_cache(maxsize=8)
def _headers(data: bytes, path: str) -> dict[str, Header]:
    return headers(read_content(data, path))


def _exists(folder: Path, written: str) -> bool:
    from modelfile.filesystem import expand  # 5 ms that a file without paths does not need

    try:
        return expand(written, folder).exists()
    except (InputError, OSError, ValueError):
        return False


def _weightless(folder: Path, target: Catalog, written: str) -> bool:
    from modelfile.filesystem import expand

    try:
        path = expand(written, folder)
        if not path.is_dir():
            return False
    except (InputError, OSError, ValueError):
        return False
    from modelfile.weights.folder import weights_in

    try:
        weights_in(path, target.version)
    except InputError:
        return True
    return False


def _outside(folder: Path, project: Path | None, written: str) -> EscapedPath | None:
    """Whether a path leaves the repository, or the project where there is no repository."""
    from modelfile.filesystem import expand

    folder = folder.resolve()
    root = find_repository(folder) or (project and project.resolve())
    try:
        path = expand(written, folder)
        target = path.resolve()
        if target.is_dir() and (leaving := _link_out_of(path)):
            return leaving
        if root is None or not folder.is_relative_to(root) or target.is_relative_to(root):
            return None
        return EscapedPath(target=str(target), linked=path.is_relative_to(root))
    except (InputError, OSError, ValueError, RuntimeError):
        return None


def _link_out_of(folder: Path) -> EscapedPath | None:
    from modelfile.weights.folder import sent_of

    real = folder.resolve()
    leaving = next((file for file in map(Path.resolve, sent_of(folder)) if not file.is_relative_to(real)), None)
    return EscapedPath(target=str(leaving), linked=True, refused=True) if leaving else None


def _formatted(modelfile: Modelfile) -> str:
    from modelfile.formatter import format_modelfile  # only where somebody wants the rule

    try:
        return format_modelfile(modelfile)
    except InputError:
        return modelfile.text  # the rules say what is wrong with it
