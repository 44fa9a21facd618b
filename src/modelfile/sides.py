"""Sides, which commands compare or show: a Modelfile, now or at a revision of git, or a model, and wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from modelfile.errors import InputError, NotFound, UsageError
from modelfile.git import find_repository
from modelfile.immutable import record
from modelfile.library.lookup import show
from modelfile.library.published import show_published
from modelfile.library.tags import find_models, tags_here, visible_models
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Base
from modelfile.names import ModelName, Prefix, digest_start, join_alternatives, modelfile_at, split_prefix
from modelfile.prediction import restore_base
from modelfile.project.discovery import LOCK_FILE, is_modelfile, is_stream
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.revisions import GitCommit, commit_of
from modelfile.source import Source
from modelfile.stores.protocol import Registry, Store, StoredModel
from modelfile.syntax.modelfile import Modelfile

_MOST_SIMILAR: Final = 4
"""Number of paths at a revision that an error suggests."""


@record(kw_only=True)
class Sources:
    """The project, the stores and the registries that sides are read from, none of which is opened in vain."""

    project: Project
    store: Store
    """The server, or the folder that stands for it."""
    folder: Store | None = None
    """The folder of sides with `store:`."""
    registry: Registry | None = None
    on_note: Callable[[str], object] = lambda _: None
    """Receives a note if a tag alone belongs to a model that the project does not know."""
    folder_is_model: bool = False
    """True if the name of a folder with a Modelfile is that of a model."""


@record(kw_only=True)
class ModelfileSide:
    """A Modelfile."""

    name: str
    """Its path, or as it was named."""
    target: Target
    commit: GitCommit | None = None
    """The commit that it is read from; None for that on the disk."""


@record(kw_only=True)
class ModelSide:
    """A model with its contents."""

    name: str
    """The name of the model, or with a prefix as it was named."""
    stored: StoredModel
    store: Store | None
    """The server or the folder that has it; None for a model of a registry or a lock."""


Side: TypeAlias = "ModelfileSide | ModelSide"


def read_side(text: str, sources: Sources) -> Side:
    """Return what an argument names.

    After a prefix (`file:`, `model:`, `store:`, `lock:`, `registry:`, `git:`), it is that. Otherwise it is the first of
    these that exists: a Modelfile or its folder, standard input for `-`, a tag of a model of the project, a model of
    the store, a model by the start of its digest.

    Raises:
        UsageError: A name is invalid, or means several.
        InputError: A Modelfile, a revision or a lock cannot be read.
        NotFound: There is no such file or model.
        ServerError: The store or a registry cannot answer.
    """
    return read_sides((text,), sources)[0]


def read_sides(texts: Sequence[str], sources: Sources) -> tuple[Side, ...]:
    """Return what arguments name: tags alone are those of one model, if one has all of them.

    Raises:
        ModelfileError: As `read_side`.
    """
    known = {text: side for text in texts if (side := _read_certain(text, sources))}
    words = [text for text in texts if text not in known]
    found = find_models(words, sources.project, sources.store, sources.on_note)
    known |= {text: _read_model(text, found, sources) for text in words}
    return tuple(known[text] for text in texts)


def _read_certain(text: str, sources: Sources) -> Side | None:
    """Return a Modelfile, or a side with a prefix; None for what can only be a model of the store."""
    prefix, name = split_prefix(text)
    if prefix is Prefix.GIT:
        return _read_revision(text, name, sources.project)
    if prefix in (None, Prefix.FILE):
        path = Path(name) if is_stream(name) else modelfile_at(text, folder_is_model=sources.folder_is_model)
        if path is None:
            return None
        target = sources.project.at(path)
        return ModelfileSide(name=str(target.path), target=target)
    stored, store = _read_prefixed(text, prefix, name, sources)
    return ModelSide(name=text, stored=stored, store=store)


def _read_prefixed(text: str, prefix: Prefix, name: str, sources: Sources) -> tuple[StoredModel, Store | None]:
    """Return the model that a prefix and a name mean, and the server or folder that has it."""
    match prefix:
        case Prefix.LOCK:
            return show_locked(name, sources.project, sources.store, sources.registry), None
        case Prefix.REGISTRY if sources.registry:
            return show_published(name, sources.registry), None
        case Prefix.STORE if sources.folder:
            return show(name, sources.folder), sources.folder
        case Prefix.MODEL:
            return show(name, sources.store), sources.store
        case _:
            missing = "registry" if prefix is Prefix.REGISTRY else "folder"
            raise UsageError(f"`{text}` cannot be read: no {missing} was given")


def _read_revision(text: str, name: str, project: Project) -> ModelfileSide:
    """Return a Modelfile at a revision of git, from `REV:PATH`."""
    revision, colon, path = name.partition(":")
    root = find_repository(project.start)
    if root is None:
        raise InputError(f"`{text}` cannot be read: `{project.start.absolute()}` is in no git repository")
    commit = commit_of(root, revision)
    found = commit.find_file(path) if colon else None
    if found is None:
        raise _not_in(commit, text, path)
    return ModelfileSide(name=text, target=target_at(commit, found, project), commit=commit)


def _not_in(commit: GitCommit, text: str, path: str) -> InputError:
    """Return the error for a path that a commit does not have; its hint names those that it may mean."""
    names = [name for name in commit.files if is_modelfile(PurePosixPath(name).name)]
    tried = [f"`git:{commit.written}:{name}`" for name in (commit.similar_files(path, names) or names)[:_MOST_SIMILAR]]
    message = f"no Modelfile `{path}` at `{commit.written}`" if path else f"`{text}` names no Modelfile"
    return InputError(message, hint=f"write {join_alternatives(tried)}" if tried else "there is no Modelfile")


def target_at(commit: GitCommit, name: str, project: Project) -> Target:
    """Return a Modelfile of a commit, with the lock of that commit; its local files are those on the disk.

    Args:
        commit: The commit.
        name: The path of the Modelfile from the root of the repository, with `/`.
        project: The project.

    Raises:
        InputError: It cannot be read.
    """
    locks = (str(above / LOCK_FILE) for above in PurePosixPath(name).parents)
    lock = next(filter(commit.files.__contains__, locks), None)
    read = commit.read([name, *([lock] if lock else [])])
    source = Source.decode(read[name], f"git:{commit.written}:{name}")
    return Target(
        project,
        project.at(commit.root / name).path,
        modelfile=Modelfile.parse(source),
        lock=LockFile.with_content(commit.root / (lock or LOCK_FILE), read[lock] if lock else None),
    )


def show_locked(name: str, project: Project, store: Store, registry: Registry | None) -> StoredModel:
    """Return a base as the locks of a project have it, from them and small layers.

    Args:
        name: The name of the base, where no tag means `latest`.
        project: The project.
        store: The store of bases that no registry has.
        registry: The registries of layers that are not in the cache.

    Raises:
        UsageError: The name is invalid, or several versions of the base are locked.
        NotFound: None is.
        InputError: A lock is damaged.
        ServerError: Its layers cannot be read.
    """
    from modelfile.pinning.pin_aliases import locks_of

    wanted, found = ModelName.parse(name), dict[str, tuple[str, Base]]()
    for lock in locks_of(project):
        for key, pin in lock.modelfiles.items():
            if pin.base and pin.base.fingerprint and wanted.same_as(ModelName.parse(pin.base.name)):
                found.setdefault(pin.base.fingerprint, (key, pin.base))
    if not found:
        raise NotFound(f"no base {wanted} in mf.lock", hint="run `mf pin`, or name a base as FROM does")
    if len(found) > 1:
        keys = " and ".join(f"`{key}`" for key, _ in found.values())
        raise UsageError(f"several versions of {wanted} in mf.lock: those of {keys}", hint="run `mf update`")
    ((_, base),) = found.values()
    return restore_base(wanted, base, store, registry)


def _read_model(text: str, found: Mapping[str, ModelName], sources: Sources) -> ModelSide:
    store = sources.store
    if text in found:
        stored = show(str(found[text]), store)
    elif digest_start(text):
        try:
            stored = show(text, store)
        except NotFound:
            raise _missing(text, sources.project, store) from None
    else:
        raise _missing(text, sources.project, store)
    return ModelSide(name=str(stored.name), stored=stored, store=store)


def _missing(text: str, project: Project, store: Store) -> NotFound:
    if digest_start(text) and "…" in text:
        tried = ["its digest"]
    else:
        tried = list(dict.fromkeys((*tags_here(text, project), str(ModelName.parse(text)))))
    tagged = [f"`{model.name}`" for model in visible_models(store) if model.name.tag == text]
    hint = "name a Modelfile, a model, or a tag of the model here"
    hint = f"name the model: {join_alternatives(tagged)}" if tagged else hint
    return NotFound(
        f"no file or model `{text}` (looked for {join_alternatives(tried)} {store.location.where})", hint=hint
    )
