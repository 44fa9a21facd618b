"""Sides, which commands compare or show: a Modelfile, now or at a revision of git, weights, or a model anywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from modelfile.catalog.versions import Version
from modelfile.errors import InputError, NotFound, ServerUnreachable, UsageError
from modelfile.git import find_repository
from modelfile.immutable import record
from modelfile.library.lookup import find_named, name_in, show
from modelfile.library.published import show_published
from modelfile.library.tags import find_models, is_word, tags_here, visible_models
from modelfile.lockfile.file import LockFile
from modelfile.names import (
    ModelName,
    Prefix,
    digest_start,
    is_path,
    join_alternatives,
    join_words,
    modelfile_at,
    split_prefix,
)
from modelfile.prediction import ExpectedModel, show_locked
from modelfile.project.discovery import LOCK_FILE, is_modelfile, is_stream
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.revisions import GitCommit, commit_of, find_commit
from modelfile.source import Source
from modelfile.stores.protocol import Registry, Store, StoredModel
from modelfile.syntax.modelfile import Modelfile

_MOST_SIMILAR: Final = 4
"""Number of paths at a revision that an error suggests."""

_SUFFIXES: Final = (".gguf", ".safetensors")
"""Endings of names that are those of weights, also where there is no such file."""

Check: TypeAlias = Callable[[Target, Version | None], object]
OnExpected: TypeAlias = Callable[[Target, ExpectedModel], object]


@record(kw_only=True)
class Sources:
    """The project, the stores and the registries that sides are read from, and what is called with what is read.

    No store is opened in vain.
    """

    project: Project
    store: Store
    """The server, or the folder that stands for it."""
    folder: Store | None = None
    """The folder of sides with `store:`."""
    registry: Registry | None = None
    on_note: Callable[[str], object] = lambda _: None
    """Receives a note if a tag alone belongs to a model that the project does not know."""
    check: Check = lambda *_: None
    """Called with each Modelfile on the disk, as `check` of `diff`."""
    on_expected: OnExpected = lambda *_: None
    """Receives a Modelfile, and the model that a build of it would create."""
    folder_is_model: bool = False
    """True if the name of a folder with a Modelfile is that of a model."""


@record(kw_only=True)
class ModelfileSide:
    """A Modelfile, or weights as one that is only FROM them."""

    name: str
    """Its path, or as it was named."""
    target: Target
    commit: GitCommit | None = None
    """The commit that it is read from; None for that on the disk."""
    is_weights: bool = False
    """True if the argument names weights."""


@record(kw_only=True)
class ModelSide:
    """A model with its contents."""

    name: str
    """The name of the model, or with a prefix as it was named."""
    stored: StoredModel
    store: Store | None
    """The server or the folder that has it; None for a model of a registry or a lock."""


@record(kw_only=True)
class RevisionSide:
    """All Modelfiles and locks of a commit."""

    name: str
    """The revision as it was named."""
    commit: GitCommit


Side: TypeAlias = "ModelfileSide | ModelSide"


def read_side(text: str, sources: Sources) -> Side:
    """Return what an argument names.

    After a prefix (`file:`, `model:`, `store:`, `lock:`, `registry:`, `git:`), it is that. Without one it is a
    Modelfile or its folder, weights or a folder of them, standard input for `-`, or a model of the store: by a tag of a
    model of the project, by its name, or by the start of its digest, in this order.

    Raises:
        UsageError: A name is invalid, or means several.
        InputError: A Modelfile, a revision or a lock cannot be read.
        NotFound: There is no such file or model.
        ServerError: The store or a registry cannot answer.
    """
    if side := _read_certain(text, sources):
        return only_one(side)
    return _read_model(text, find_models([text], sources.project, sources.store, sources.on_note), sources)


def read_sides(texts: Sequence[str], sources: Sources) -> tuple[Side | RevisionSide, ...]:
    """Return what arguments name, each as `read_side`, or a revision of git.

    Tags alone are those of one model, if one has all of them.

    Raises:
        UsageError: An argument without a prefix is a Modelfile, a model or a revision, and more than one of them.
        ModelfileError: As `read_side`.
    """
    known = {text: side for text in texts if (side := _read_certain(text, sources))}
    commits = {text: commit for text in texts if (commit := _find_commit(text, sources.project))}
    for text in texts:
        _reject_revision(text, sources.project)
    bare = [text for text in dict.fromkeys(texts) if split_prefix(text)[0] is None]
    words = [text for text in bare if text not in known]
    found: dict[str, ModelName] = {}
    if asked := [text for text in words if text not in commits or _can_be_model(text)]:
        try:
            found = find_models(asked, sources.project, sources.store, sources.on_note)
            others = [text for text in bare if text not in found and (text in known or text in commits)]
            found |= _find_exactly(others, sources.store)
        except ServerUnreachable as error:
            unknown = [text for text in words if text not in commits]
            if unknown and is_word(unknown[0]) and modelfile_at(unknown[0]) is None:
                message = f"`{unknown[0]}` is no Modelfile and no revision of git, and {error.message}"
                raise ServerUnreachable(message, hint=error.hint) from error
            if unknown:
                raise
    for text in bare:
        side = known.get(text)
        file = "weights" if isinstance(side, ModelfileSide) and side.is_weights else "a Modelfile"
        readings = {
            file: f"file:{text}" if text in known else None,
            "a model": f"model:{found[text]}" if text in found else None,
            "a revision of git": f"git:{text}" if text in commits else None,
        }
        if len(several := {kind: reading for kind, reading in readings.items() if reading}) > 1:
            hint = f"write {join_alternatives([f'`{reading}`' for reading in several.values()])}"
            raise UsageError(f"`{text}` is ambiguous: {join_words([*several])}", hint=hint)
        if text in commits:
            known[text] = RevisionSide(name=text, commit=commits[text])
    known |= {text: _read_model(text, found, sources) for text in words if text not in known}
    return tuple(known[text] for text in texts)


def _reject_revision(text: str, project: Project) -> None:
    """Reject what can only be a revision that does not exist, or git's own name of a file at a revision."""
    root = find_repository(project.start)
    if root is None or split_prefix(text)[0] or is_stream(text) or is_path(text) or modelfile_at(text):
        return
    revision, colon, path = text.partition(":")
    if colon and path and _find_commit(revision, project) and commit_of(root, revision).find_file(path):
        raise UsageError(f"`{text}` is written as for git", hint=f"write `git:{text}`")
    if not colon and not _can_be_model(text):
        commit_of(root, text)


def _can_be_model(text: str) -> bool:
    """Return whether a revision of git can be a model, too, so that the store has to be asked."""
    try:
        return name_in(text) is None or (text != "HEAD" and not text.endswith("_HEAD"))
    except UsageError:
        return False


def _find_exactly(texts: Sequence[str], store: Store) -> dict[str, ModelName]:
    """Return the models that texts are the names, or the starts of the digests of."""
    listed, found = visible_models(store) if texts else (), dict[str, ModelName]()
    for text in texts:
        with contextlib.suppress(NotFound, UsageError):
            found[text] = find_named(text, listed, store).name
    return found


def _read_certain(text: str, sources: Sources) -> Side | RevisionSide | None:
    """Return a Modelfile, or a side with a prefix; None for what can only be a model or a revision."""
    prefix, name = split_prefix(text)
    if prefix is Prefix.GIT:
        return _read_revision(text, name, sources.project)
    if prefix in (None, Prefix.FILE):
        if weights := _read_weights(name, sources, only_path=prefix is Prefix.FILE or is_path(name)):
            return weights
        path = Path(name) if is_stream(name) else modelfile_at(text, folder_is_model=sources.folder_is_model)
        if path is None:
            return None
        target = sources.project.at(path)
        return ModelfileSide(name=str(target.path), target=target)
    stored, store = read_prefixed(text, sources)
    return ModelSide(name=text, stored=stored, store=store)


def _read_weights(name: str, sources: Sources, *, only_path: bool) -> ModelfileSide | None:
    """Return the weights at a path as a Modelfile that is only FROM them; None if there are none."""
    path = Path(name)
    if is_word(name) and path.suffix.lower() in _SUFFIXES and not path.exists():
        raise InputError(f"file not found: `{name}`")
    if is_stream(name) or not path.exists() or (path.is_dir() and sources.folder_is_model and not only_path):
        return None
    from modelfile.syntax.quoting import quote
    from modelfile.weights.reading import is_weights

    if not is_weights(path):
        return None
    target = sources.project.at(path)
    text = f"FROM {quote(str(path.absolute()))}\n"
    modelfile = Modelfile.parse(Source(text=text, path=str(target.path)))
    return ModelfileSide(name=str(target.path), target=target.with_modelfile(modelfile), is_weights=True)


def only_one(side: Side | RevisionSide) -> Side:
    """Return a side that is no revision with all its Modelfiles.

    Raises:
        InputError: It is.
    """
    if isinstance(side, RevisionSide):
        raise _not_in(side.commit, side.name, "")
    return side


def _find_commit(text: str, project: Project) -> GitCommit | None:
    """Return the commit that a text without a prefix means; None if it is none, or can only be a path."""
    root = find_repository(project.start)
    if root is None or split_prefix(text)[0] or is_stream(text) or is_path(text):
        return None
    try:
        return find_commit(root, text)
    except InputError:  # reported where a revision is asked for
        return None


def read_prefixed(text: str, sources: Sources) -> tuple[StoredModel, Store | None]:
    """Return the model that a name with a prefix means, and the server or folder that has it.

    Raises:
        ModelfileError: As `read_side`.
    """
    prefix, name = split_prefix(text)
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


def _read_revision(text: str, name: str, project: Project) -> ModelfileSide | RevisionSide:
    """Return a revision of git, or a Modelfile at one, from `REV` or `REV:PATH`."""
    revision, colon, path = name.partition(":")
    root = find_repository(project.start)
    if root is None:
        raise InputError(f"`{text}` cannot be read: `{project.start.absolute()}` is in no git repository")
    commit = commit_of(root, revision)
    return modelfile_in(commit, path, project, text) if colon else RevisionSide(name=text, commit=commit)


def modelfile_in(commit: GitCommit, path: str, project: Project, text: str = "") -> ModelfileSide:
    """Return a Modelfile of a commit.

    Args:
        commit: The commit.
        path: Its path, or that of its folder, as `GitCommit.find_file` reads it.
        project: The project.
        text: The argument that names it (default: `git:REV:PATH`).

    Raises:
        InputError: The commit does not have it, or it cannot be read.
    """
    found = commit.find_file(path)
    if found is None:
        raise _not_in(commit, text, path)
    name = text or f"git:{commit.written}:{found}"
    return ModelfileSide(name=name, target=target_at(commit, found, project), commit=commit)


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
    hint = "name a Modelfile, a model, a tag of the model here, or a revision of git"
    hint = f"name the model: {join_alternatives(tagged)}" if tagged else hint
    return NotFound(
        f"no file or model `{text}` (looked for {join_alternatives(tried)} {store.location.where})", hint=hint
    )
