"""The arguments of `mf diff`: what is compared with what."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from modelfile.comparisons.commits import diff_project
from modelfile.comparisons.diff import compare_sides, read_both
from modelfile.comparisons.sides import (
    ModelfileSide,
    ModelSide,
    RevisionSide,
    Side,
    Sources,
    modelfile_in,
    only_one,
    read_sides,
)
from modelfile.differ.comparison import Comparison
from modelfile.errors import InputError, NotFound, UsageError
from modelfile.git import find_repository
from modelfile.immutable import replace
from modelfile.library.tags import is_word, visible_models
from modelfile.names import ModelName, Prefix, join_alternatives, model_for, split_prefix
from modelfile.project.discovery import LOCK_FILE
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.revisions import GitCommit, commit_of, common_ancestor, find_range
from modelfile.stores.protocol import Store


def compare_arguments(
    texts: Sequence[str],
    sources: Sources,
    *,
    model: str | None = None,
    other: Store | None = None,
    cosmetic: bool = False,
) -> Comparison | tuple[Comparison, ...]:
    """Return the differences of what arguments name, as git reads its own.

    - Two sides are compared with each other; two revisions by all of their Modelfiles and locks; a revision and a
      Modelfile by what that was at the revision.
    - A model is compared with the Modelfile that it is built from, and with two servers with itself.
    - A Modelfile is compared with what it was in the last commit, and one at a revision with what it is now.
    - A revision is compared with the working tree. `A..B` are two revisions; `A...B` is B since it left A.
    - Without an argument, the last commit is compared with the working tree.

    Args:
        texts: At most two arguments.
        sources: The project, and the stores and registries of sides.
        model: The model that tags alone belong to; without a tag, it is compared itself.
        other: The server of models of the second argument, if it is another.
        cosmetic: Whether to compare comments, order and notation of Modelfiles, too.

    Returns:
        A comparison of two sides, or those of all files that differ between two revisions.

    Raises:
        ModelfileError: As of `diff`.
    """
    project = sources.project
    if model is not None:
        texts = [f"{model}:{text}" if is_word(text) else text for text in texts] or [model]
    if not texts:
        return diff_project(project, _commit("HEAD", project), cosmetic=cosmetic)
    if other:
        old, new = _on_two_servers(texts, sources, other)
        return compare_sides(old, new, sources, cosmetic=cosmetic)
    if len(texts) == 1:
        return _compare_one(texts[0], sources, cosmetic=cosmetic)
    one, two = read_both(texts, sources)
    if isinstance(one, RevisionSide) and isinstance(two, RevisionSide):
        return diff_project(project, one.commit, two.commit, cosmetic=cosmetic)
    for revision, lock in ((one, two), (two, one)):
        if (
            isinstance(revision, RevisionSide)
            and isinstance(lock, ModelfileSide)
            and lock.target.path.name == LOCK_FILE
        ):
            only = [_path_in(revision.commit, lock, project)]
            found = diff_project(project, revision.commit, only=only, cosmetic=cosmetic)
            return found if revision is one else tuple(each.mirrored() for each in found)
    old, new = _at_revision(one, two, project), _at_revision(two, one, project)
    return compare_sides(old, new, sources, cosmetic=cosmetic)


def _on_two_servers(texts: Sequence[str], sources: Sources, other: Store) -> tuple[Side, Side]:
    """Return both sides, each of its server; models bear the name of the server, as they are mostly of one name."""
    sides = (
        only_one(*read_sides([texts[0]], sources)),
        only_one(*read_sides([texts[-1]], replace(sources, store=other))),
    )
    old, new = (
        replace(side, name=f"{side.name} {side.store.location.where}")
        if isinstance(side, ModelSide) and side.store in (sources.store, other)
        else side
        for side in sides
    )
    return old, new


def _compare_one(text: str, sources: Sources, *, cosmetic: bool) -> Comparison | tuple[Comparison, ...]:
    """Return the differences of an argument from its counterpart."""
    project = sources.project
    prefix, rest = split_prefix(text)
    if prefix in (None, Prefix.GIT) and not Path(rest).exists() and (found := find_range(rest)):
        old, new = (_commit(revision, project) for revision in found[:2])
        return diff_project(project, common_ancestor(old, new) if found[2] else old, new, cosmetic=cosmetic)
    side = _read_built(text, sources)
    if isinstance(side, RevisionSide):
        return diff_project(project, side.commit, cosmetic=cosmetic)
    if isinstance(side, ModelfileSide) and not side.commit:
        if side.target.is_stdin or side.is_weights:
            raise UsageError(
                f"`{text}` has no earlier version", hint=f"name two sides, as in `mf diff Modelfile {text}`"
            )
        commit = _commit("HEAD", project)
        return diff_project(project, commit, only=[_path_in(commit, side, project)], cosmetic=cosmetic)
    target = side.target if isinstance(side, ModelfileSide) else _find_modelfile(side.stored.name, project)
    if target is None:
        raise InputError(f"no Modelfile here builds {side.name}", hint="name two sides, as in `mf diff A B`")
    now = project.at(target.path)
    return compare_sides(side, ModelfileSide(name=str(now.path), target=now), sources, cosmetic=cosmetic)


def _read_built(text: str, sources: Sources) -> Side | RevisionSide:
    """Return what an argument names; of a model without a tag, the configured one, or else the one built last."""
    prefix, name = split_prefix(text)
    sources = replace(sources, folder_is_model=True)
    if prefix not in (None, Prefix.MODEL) or not is_word(name):
        return read_sides([text], sources)[0]
    named = next((each.named for each in sources.project.targets if each.named.untagged == name), None)
    if named:
        return read_sides([f"{Prefix.MODEL}:{named}"], sources)[0]
    try:
        return read_sides([text], sources)[0]
    except NotFound:
        built = [model.name for model in visible_models(sources.store) if model.name.untagged == name]
        if not built:
            raise
        sources.on_note(f"`{text}` is {built[0]}, which was built last")
        return read_sides([f"{Prefix.MODEL}:{built[0]}"], sources)[0]


def _find_modelfile(name: ModelName, project: Project) -> Target | None:
    """Return the Modelfile that a model is built from: by the configuration, earlier builds, or its path."""
    listed = [target for target in project.targets if name.same_model_as(target.named)]
    found = [target for target in listed if name.same_as(target.named)] or listed
    if not found:
        with contextlib.suppress(InputError):  # there is no Modelfile
            every = project.modelfiles([str(find_repository(project.start) or project.start)])
            found = [each for each in every if name.untagged in each.built_models()]
            found = found or [each for each in every if model_for(each.path) == name.model]
    if len({project.real_path(each.path) for each in found}) > 1:
        paths = join_alternatives([f"`{each.path}`" for each in found])
        raise UsageError(f"{name} is built from several Modelfiles", hint=f"name one of them, too: {paths}")
    return found[0] if found else None


def _at_revision(side: Side | RevisionSide, beside: Side | RevisionSide, project: Project) -> Side:
    """Return what the Modelfile on the other side was at a revision."""
    has_versions = isinstance(beside, ModelfileSide) and beside.target.has_folder and not beside.is_weights
    if isinstance(side, RevisionSide) and isinstance(beside, ModelfileSide) and has_versions:
        return modelfile_in(side.commit, _path_in(side.commit, beside, project), project)
    return only_one(side)


def _path_in(commit: GitCommit, side: ModelfileSide, project: Project) -> str:
    """Return the path of a Modelfile from the root of the repository."""
    path = project.real_path(side.target.path)
    if not path.is_relative_to(commit.root):
        raise InputError(f"`{side.name}` is outside of the repository `{commit.root}`")
    return path.relative_to(commit.root).as_posix()


def _commit(revision: str, project: Project) -> GitCommit:
    root = find_repository(project.start)
    if root is None:
        hint = "name two sides, as in `mf diff my-bot:v1 Modelfile`"
        raise InputError(f"`{project.start.absolute()}` is in no git repository", hint=hint)
    return commit_of(root, revision)
