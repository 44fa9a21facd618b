"""Revisions of git: commits, the files that they have, and the versions of one file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from modelfile.errors import InputError
from modelfile.filesystem import MAX_JSON, MAX_TEXT, format_size
from modelfile.git import Refusal, ask_git

_MOST_REVISIONS: Final = 1_000
"""Number of commits whose version of a file is read."""
_MOST_READ: Final = 64 << 20
"""Bytes of versions of a file that are read."""
_FILES: Final = ("100644", "100755")
"""The modes of files in trees, not of symlinks and submodules."""
_RANGE: Final = re.compile(r"([^:]*?)(\.{2,3})([^./:][^:]*|)")
_ID_DIGITS: Final = 12
"""Digits of a commit's id that name it."""
_SHALLOW: Final = "this clone is shallow: run `git fetch --unshallow`, or in CI set its fetch depth to 0"


class GitCommit:
    """A commit, as it was named."""

    def __init__(self, root: Path, commit: str, written: str) -> None:
        """Read nothing yet.

        Args:
            root: The root of the repository.
            commit: Its full id.
            written: The revision that names it, for messages.
        """
        self.root, self.id, self.written = root, commit, written
        self._contents: dict[str, bytes] = {}

    @cached_property
    def files(self) -> Mapping[str, str]:
        """The blobs of its files by path from the root with `/`, without symlinks and submodules.

        Raises:
            InputError: Git does not list them.
        """
        entries = (line.partition(b"\t") for line in ask_git(self.root, "ls-tree", "-r", "-z", self.id).split(b"\0"))
        listed = ((os.fsdecode(name), *head.decode().split()) for head, tab, name in entries if tab)
        return {name: blob for name, mode, _, blob in listed if mode in _FILES}

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files that it has.

        Raises:
            InputError: One is too large, or this clone does not have it.
        """
        blobs = {name: self.files[name] for name in names}
        known = self._contents
        if unread := {blob: name for name, blob in blobs.items() if blob not in known}:
            wanted = "\n".join(unread)
            checked = ask_git(self.root, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=wanted)
            sizes = dict(self._sizes(checked.decode().splitlines(), unread))
            known |= _blobs(ask_git(self.root, "cat-file", "--batch=", stdin=wanted), sizes)
        return {name: known[blob] for name, blob in blobs.items()}

    def _sizes(self, lines: Iterable[str], names: Mapping[str, str]) -> Iterator[tuple[str, int]]:
        for blob, size in map(str.split, lines):
            name = names[blob]
            if not size.isdigit():
                raise InputError(f"`{self.written}:{name}` is not in this clone", hint="run `git fetch --refetch`")
            limit = MAX_JSON if PurePosixPath(name).name == "mf.lock" else MAX_TEXT
            if int(size) > limit:
                raise InputError(f"`{self.written}:{name}` is larger than {format_size(limit)}")
            yield blob, int(size)

    def find_file(self, path: str) -> str | None:
        """Return the path of a Modelfile: as it is written, or that in the folder of this path; None if it is neither.

        Args:
            path: A path from the root of the repository, or after `./` from the current folder.
        """
        start = Path.cwd().relative_to(self.root) if path.startswith(".") else ""
        name = os.path.normpath(PurePosixPath(start, path)).replace(os.sep, "/")
        names = (name, "Modelfile" if name == "." else f"{name}/Modelfile")
        return next((each for each in names if each in self.files), None)

    def similar_files(self, path: str, names: Iterable[str]) -> list[str]:
        """Return those of some files that a path may mean: in another case or folder, or with a similar name."""
        from difflib import get_close_matches

        names = [*names]
        wanted, last = path.lower().removeprefix("./"), PurePosixPath(path).name.lower()
        same = [name for name in names if name.lower() in (wanted, f"{wanted}/modelfile")]
        below = [name for name in names if name.lower().endswith(f"/{wanted}")]
        close = get_close_matches(path, names, cutoff=0.7)
        alike = [name for name in names if PurePosixPath(name).name.lower() == last]
        return [*dict.fromkeys((*same, *below, *close, *alike))]


def find_commit(root: Path, revision: str) -> GitCommit | None:
    """Return the commit of a revision as `git rev-parse` reads it; None if it is none.

    Raises:
        InputError: Git is not installed, or does not accept the repository.
    """
    if not revision or "\0" in revision or "\n" in revision:
        return None
    try:
        found = ask_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", ok=(1,))
    except InputError as error:
        unsaid = error.message.endswith("failed: ")  # as --quiet has it, of an entry that the reflog does not have
        if unsaid or "ambiguous" in error.message or "unknown revision" in error.message:
            return None
        raise
    return GitCommit(root, found.decode().strip(), revision) if found.strip() else None


def commit_of(root: Path, revision: str) -> GitCommit:
    """Return the commit of a revision.

    Raises:
        InputError: There is none.
    """
    if found := find_commit(root, revision):
        return found
    if find_commit(root, "HEAD") is None:
        raise InputError(f"`{root}` has no commit yet", hint="commit first, or name two sides, as in `mf diff A B`")
    hint = _SHALLOW if _is_shallow(root) else "`git branch -a` and `git tag` list revisions"
    raise InputError(f"unknown revision `{revision}`", hint=hint)


def common_ancestor(one: GitCommit, other: GitCommit) -> GitCommit:
    """Return the commit at which two branches part, as `git diff A...B` compares it with B.

    Raises:
        InputError: There is none here.
    """
    if found := ask_git(one.root, "merge-base", one.id, other.id, ok=(1,)).decode().split():
        return GitCommit(one.root, found[0], found[0][:_ID_DIGITS])
    hint = _SHALLOW if _is_shallow(one.root) else f"write `{one.written}..{other.written}` to compare the two"
    raise InputError(f"`{one.written}` and `{other.written}` have no common commit", hint=hint)


def find_range(text: str) -> tuple[str, str, bool] | None:
    """Return the revisions of a range, and whether to compare from where they part; None if a text is no range.

    >>> find_range("main...topic"), find_range("v1.0.."), find_range("v1.0")
    (('main', 'topic', True), ('v1.0', 'HEAD', False), None)
    """
    found = _RANGE.fullmatch(text)
    return (found[1] or "HEAD", found[3] or "HEAD", found[2] == "...") if found else None


def _is_shallow(root: Path) -> bool:
    return ask_git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


class Revision(NamedTuple):
    """A file as a commit has it."""

    commit: str
    """The commit's full id."""
    seconds: int
    """The time of the commit, in seconds since 1970."""
    content: bytes
    """Empty if the commit removed the file."""


def file_history(path: Path, root: Path) -> tuple[list[Revision], bool] | Refusal:
    """Return the versions of a file in the commits that changed it, the newest first, or why git does not say.

    At most 1,000 commits and 64 MiB are read; the second value is True if there are more.

    Args:
        path: The file, which need not exist now.
        root: The root of the repository.
    """
    name = path.relative_to(root).as_posix()
    if "\n" in name:
        return Refusal("its path has a newline")
    git = partial(ask_git, root, f"--work-tree={root}", "--literal-pathspecs")
    try:
        if not git("rev-parse", "--verify", "--quiet", "HEAD", ok=(1,)):
            return [], False  # there is no commit yet
        wanted = git("rev-list", "--timestamp", f"--max-count={_MOST_REVISIONS + 1}", "HEAD", "--", name)
        commits = [(commit, int(time)) for time, commit in map(str.split, wanted.decode().splitlines())]
        more = len(commits) > _MOST_REVISIONS
        del commits[_MOST_REVISIONS:]
        objects = [f"{commit}:{name}" for commit, _ in commits]
        checked = git("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin="\n".join(objects))
        blobs = [line.rpartition(" ")[::2] for line in os.fsdecode(checked).splitlines()]
        sizes: dict[str, int] = {}
        for count, (blob, size) in enumerate(blobs):
            if size.isdigit() and blob not in sizes:
                if sum(sizes.values()) + int(size) > _MOST_READ:
                    del commits[count:]
                    more = True
                    break
                sizes[blob] = int(size)
        contents = _blobs(git("cat-file", "--batch=", stdin="\n".join(sizes)), sizes) if sizes else {}
    except InputError as error:
        return Refusal(error.message)
    versions = zip(commits, blobs, strict=False)
    return [Revision(commit, time, contents.get(blob, b"")) for (commit, time), (blob, _) in versions], more


def _blobs(printed: bytes, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """Return the contents of blobs by their ids, of which git prints each between two newlines."""
    contents, start = {}, 1
    for blob, size in sizes.items():
        contents[blob] = printed[start : start + size]
        start += size + len("\n\n")
    return contents
