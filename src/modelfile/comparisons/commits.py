"""Differences of the Modelfiles and locks of a project between two commits, or a commit and the working tree."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from modelfile.comparisons.diff import compare_modelfiles
from modelfile.comparisons.sides import ModelfileSide, target_at
from modelfile.differ.comparison import Aspect, Change, ComparedSide, Comparison
from modelfile.differ.sequences import find_matches
from modelfile.errors import InputError, ModelfileError
from modelfile.filesystem import MAX_JSON, MAX_TEXT, read_file
from modelfile.immutable import replace
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.pin_changes import compare_locks
from modelfile.project.discovery import LOCK_FILE
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.revisions import GitCommit
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

_LEAST_SIMILAR: Final = 0.5
"""Share of the lines of the longer file that two versions of a renamed one have in common."""
_MOST_PAIRS: Final = 2_500
"""Number of pairs of files that are compared to find those that were renamed."""
_SHA1_DIGITS: Final = 40

_Pair: TypeAlias = "tuple[str | None, str | None]"
"""The old and the new path of a file, from the root with `/`; None where it does not exist."""


class _Tree:
    """The Modelfiles and locks of a commit or of the working tree, by path from the root with `/`."""

    def __init__(self, root: Path, project: Project, commit: GitCommit | None) -> None:
        self.root, self.project, self.commit = root, project, commit

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The paths of its files."""
        if self.commit:
            return tuple(name for name in self.commit.files if self._is_wanted(name))
        try:
            targets = self.project.modelfiles([str(self.root)])
        except InputError:  # there is none
            targets = ()
        real = {self.project.real_path(target.path) for target in targets if target.has_folder}
        folders = {folder for path in real for folder in path.parents if folder.is_relative_to(self.root)}
        locks = {path for folder in {self.root, *folders} if (path := folder / LOCK_FILE).is_file()}
        return tuple(path.relative_to(self.root).as_posix() for path in real | locks if path.is_relative_to(self.root))

    def _is_wanted(self, name: str) -> bool:
        return PurePosixPath(name).name == LOCK_FILE or self.project.is_modelfile(self.root / name)

    def content(self, name: str) -> bytes:
        """Return the content of a file."""
        if self.commit:
            return self.commit.read([name])[name]
        return read_file(self.root / name, limit=MAX_JSON if PurePosixPath(name).name == LOCK_FILE else MAX_TEXT)

    def text(self, name: str | None) -> str | None:
        """Return the text of a file, of a binary one its size and digest; None if none is there or can be read."""
        try:
            data = self.content(name) if name else None
        except InputError:
            return None
        if data is None:
            return None
        text = Source.decode(data).text.removesuffix("\n")
        return f"binary, {len(data):,} bytes, sha256:{hashlib.sha256(data).hexdigest()}" if "\0" in text else text

    def blob(self, name: str, length: int) -> str:
        """Return the id of a file's content as git has it, with this number of digits."""
        if self.commit:
            return self.commit.files[name]
        try:
            data = self.content(name)
        except InputError:  # reported where it is compared
            return ""
        new = hashlib.sha1 if length == _SHA1_DIGITS else hashlib.sha256
        return new(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()

    def label(self, name: str) -> str:
        """Return the name of a file as an argument of `mf diff`."""
        return f"git:{self.commit.written}:{name}" if self.commit else str(self.project.at(self.root / name).path)

    def side(self, name: str) -> ModelfileSide:
        """Return a Modelfile of the tree."""
        target = target_at(self.commit, name, self.project) if self.commit else self.project.at(self.root / name)
        return ModelfileSide(name=self.label(name), target=target, commit=self.commit)


def diff_project(
    project: Project, old: GitCommit, new: GitCommit | None = None, *, only: Iterable[str] = (), cosmetic: bool = False
) -> tuple[Comparison, ...]:
    """Return the differences of each Modelfile and each lock, by path; those that are the same are left out.

    Modelfiles are compared as written, without a server, and local files by the digests that locks and the cache have.
    A file that cannot be compared by meaning is compared by line, with a note.

    Args:
        project: The project, of whose repository all Modelfiles are compared.
        old: The commit to compare with.
        new: The other commit; None for the working tree.
        only: The paths of files to compare, from the root of the repository; none for all.
        cosmetic: Whether to compare comments, order and notation, too.

    Raises:
        InputError: Git or a file cannot be read.
    """
    trees = _Tree(old.root, project, old), _Tree(old.root, project, new)
    pairs = _changed(trees, frozenset(only))
    for tree, names in zip(trees, zip(*pairs, strict=True), strict=True) if pairs else ():
        if tree.commit:
            with contextlib.suppress(InputError):  # reported where it is compared
                tree.commit.read(filter(None, names))  # all at once
    ordered = sorted(((pair[1] or pair[0] or "", pair) for pair in pairs), key=itemgetter(0))
    paths = (str(project.at(old.root / name).path) for name, _ in ordered)
    compared = (_compare(trees, pair, cosmetic=cosmetic) for _, pair in ordered)
    return tuple(replace(each, path=path) for each, path in zip(compared, paths, strict=True))


class _Version(_Tree):
    """One version of a single file, whose content git has written to a file."""

    def __init__(self, project: Project, letter: str, content: bytes | None) -> None:
        super().__init__(Path(), project, None)
        self._letter, self._content = letter, content

    def content(self, name: str) -> bytes:  # noqa: ARG002  # there is one
        return self._content or b""

    def label(self, name: str) -> str:
        return f"{self._letter}/{name}"

    def side(self, name: str) -> ModelfileSide:
        modelfile = Modelfile.parse(Source.decode(self._content or b"", self.label(name)))
        return ModelfileSide(name=self.label(name), target=Target(self.project, Path(name), modelfile=modelfile))


def diff_versions(project: Project, paths: tuple[str, str], files: tuple[str, str]) -> Comparison:
    """Return the differences of two versions of a Modelfile or a lock, as git gives them to a diff driver.

    Args:
        project: The project.
        paths: The old and the new path, from the root of the repository, with `/`.
        files: The files that have the old and the new version; /dev/null for none.

    Raises:
        InputError: A version cannot be read.
    """
    contents = [None if file == os.devnull else read_file(file, limit=MAX_JSON) for file in files]
    trees = [_Version(project, letter, content) for letter, content in zip("ab", contents, strict=True)]
    old, new = (path if content is not None else None for path, content in zip(paths, contents, strict=True))
    return replace(_compare((trees[0], trees[1]), (old, new), cosmetic=True), path=paths[1])


def _changed(trees: tuple[_Tree, _Tree], only: frozenset[str]) -> list[_Pair]:
    """Return the old and the new path of each file that is not the same to the byte."""
    length = len(trees[0].commit.id) if trees[0].commit else _SHA1_DIGITS
    blobs, new_blobs = ({name: tree.blob(name, length) for name in tree.names} for tree in trees)
    removed = [name for name in blobs if name not in new_blobs]
    added = [name for name in new_blobs if name not in blobs]
    renamed = dict(_renamed(trees, removed, added, (blobs, new_blobs)))
    pairs: list[_Pair] = [(name, name) for name in blobs if new_blobs.get(name, blobs[name]) != blobs[name]]
    pairs += [(name, renamed.get(name)) for name in removed]
    pairs += [(None, name) for name in added if name not in renamed.values()]
    return [pair for pair in pairs if not only or only & {*pair}]


def _renamed(
    trees: tuple[_Tree, _Tree],
    removed: list[str],
    added: list[str],
    blobs: tuple[Mapping[str, str], Mapping[str, str]],
) -> Iterator[tuple[str, str]]:
    """Yield the files that have another path: with the same content, or with most of its lines."""
    if not removed or not added or len(removed) * len(added) > _MOST_PAIRS:
        return
    texts, new_texts = (
        {name: (tree.text(name) or "").splitlines() for name in names}
        for tree, names in zip(trees, (removed, added), strict=True)
    )
    scored = sorted(
        (
            -(2.0 if blobs[0][name] == blobs[1][new_name] else _similarity(texts[name], new_texts[new_name])),
            name,
            new_name,
        )
        for name in removed
        for new_name in added
        if (PurePosixPath(name).name == LOCK_FILE) == (PurePosixPath(new_name).name == LOCK_FILE)
    )
    used = set[str]()
    for score, name, new_name in scored:
        if -score >= _LEAST_SIMILAR and name not in used and new_name not in used:
            used |= {name, new_name}
            yield name, new_name


def _similarity(old: list[str], new: list[str]) -> float:
    return sum(match.length for match in find_matches(old, new)) / max(len(old), len(new), 1)


def _compare(trees: tuple[_Tree, _Tree], pair: _Pair, *, cosmetic: bool) -> Comparison:
    labels = [tree.label(name) if name else "" for tree, name in zip(trees, pair, strict=True)]
    sides = [ComparedSide(name=label) for label in labels]
    try:
        if PurePosixPath(pair[1] or pair[0] or "").name == LOCK_FILE:
            old, new = (_lock(tree, name) for tree, name in zip(trees, pair, strict=True))
            changes = compare_locks(old.lock, new.lock)
            changes = tuple(change for change in changes if cosmetic or change.aspect is not Aspect.PIN_RECORD)
            return Comparison(old=sides[0], new=sides[1], changes=changes, same=not changes)
        one, other = (tree.side(name) if name else None for tree, name in zip(trees, pair, strict=True))
        return compare_modelfiles(one, other, cosmetic=cosmetic, hashes=False)
    except ModelfileError as error:
        old_text, new_text = (tree.text(name) for tree, name in zip(trees, pair, strict=True))
        is_read = (old_text is None, new_text is None) == tuple(name is None for name in pair)
        note = f"compared by line: {error.message}" if is_read else error.message
        change = Change(aspect=Aspect.TEXT, old=old_text, new=new_text)
        return Comparison(old=sides[0], new=sides[1], changes=(change,), same=False, note=note)


def _lock(tree: _Tree, name: str | None) -> LockFile:
    path = tree.root / (name or LOCK_FILE)
    return LockFile.with_content(path, tree.content(name) if name else None)
