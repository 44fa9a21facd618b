"""Find out what a digest or a fingerprint is: in the lock, on a server, and in the git history of the lock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from modelfile.errors import InputError, NotFound, ServerError, UsageError
from modelfile.events import Events, Progress, ignore
from modelfile.git import Refusal, find_repository
from modelfile.immutable import asdict, record
from modelfile.lockfile.file import LockFile
from modelfile.manifest import Manifest, digest_of
from modelfile.pinning.outdated import kind_in_words
from modelfile.project.project import Project
from modelfile.revisions import Revision, file_history
from modelfile.stores.backups import is_internal, is_pin_alias
from modelfile.stores.protocol import ListedModel, Store, StoredModel
from modelfile.stores.staging import STAGING
from modelfile.stores.uploads import run_in_parallel

_THREADS: Final = 8
"""Models of a server that are read at the same time."""
_QUERY: Final = re.compile(r"(?:(sha256|mf1)[:-])?([0-9a-f]{6,64})(?:…|\.\.\.)?", re.IGNORECASE)
_IN_TAG: Final = re.compile(r"sha256-([0-9a-f]{64})", re.IGNORECASE)
_DIGITS: Final = 64


@record(kw_only=True)
class Commit:
    """A commit of the lock."""

    id: str
    time: datetime


@record(kw_only=True)
class Occurrence:
    """A meaning of a digest, and where it has that."""

    location: str
    """`lock`, `server`, `store` (a folder) or `history`: the versions of the lock in git."""
    kind: str
    """As `model`, `base`, `manifest`, `file`, `Modelfile`, `pin alias`, `backup`, or a layer, as `weights`."""
    name: str
    """The base, the model or the file that it belongs to."""
    modelfile: str | None = None
    """In a lock: the key of the Modelfile in whose entry it is."""
    since: Commit | None = None
    """In the history: the first commit that has it."""
    until: Commit | None = None
    """In the history: the commit that removed it; None if the last commit still has it."""


@record(kw_only=True)
class FoundDigest:
    """A digest or a fingerprint, and all that it is."""

    digest: str
    """`sha256:` or `mf1:` and 64 hexadecimal digits."""
    occurrences: tuple[Occurrence, ...]


@record(kw_only=True)
class FindResult:
    """The result of `find`."""

    digests: tuple[FoundDigest, ...]
    """Several if the digits are ambiguous."""
    unasked: tuple[str, ...] = ()
    """Places that could not be searched, each with the reason."""


def find(
    text: str, project: Project | None = None, store: Store | None = None, *, events: Events = ignore
) -> FindResult:
    r"""Find out what a digest, a fingerprint or the start of one is.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryRegistry, MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> registry = MemoryRegistry.with_models("llama3.2:3b")
    >>> (change,) = modelfile.pin(modelfile.Project().modelfiles(), MemoryStore(), registry)
    >>> (found,) = modelfile.find(change.pin.base.digest[:19]).digests
    >>> [(one.location, one.kind, one.name, one.modelfile) for one in found.occurrences]
    [('lock', 'manifest', 'llama3.2:3b', 'Modelfile')]

    Args:
        text: At least six hexadecimal digits, with or without `sha256:` or `mf1:`.
        project: The project whose lock, and its history in git, is searched (default: that of this folder).
        store: The server to search; None: none.
        events: Receives progress.

    Raises:
        InputError: The lock is damaged.
        NotFound: No digest and no fingerprint begins so.
        UsageError: The text is no digest.
    """
    query = _Query(text)
    project = project or Project()
    lock = project.find_lock(project.start)
    found: dict[str, dict[Occurrence, None]] = {}
    unasked, searched = [], []

    def add(occurrences: Iterable[tuple[str, Occurrence]]) -> None:
        for digest, occurrence in occurrences:
            found.setdefault(digest, {})[occurrence] = None

    if lock:
        searched.append("mf.lock")
        add((digest, Occurrence(location="lock", **facts)) for digest, facts in _in_lock(asdict(lock.lock), query))
        past = _in_history(lock, query)
        if isinstance(past, Refusal):
            unasked.append(f"the git history of mf.lock: {past}")
        else:
            searched.append("its git history")
            add(past[0])
            if past[1]:
                unasked.append("the older versions of mf.lock in git, of which there are too many")
    if store:
        try:
            add(_on_server(query, store, events))
        except ServerError as error:
            unasked.append(error.message)
        else:
            searched.append(str(store.location))
    if not found:
        parts = {"searched": ", ".join(searched), "not searched": "; ".join(unasked)}
        hint = "; ".join(f"{part}: {places}" for part, places in parts.items() if places)
        raise NotFound(f"no digest or fingerprint begins with `{query.text}`", hint=hint)
    digests = (FoundDigest(digest=digest, occurrences=tuple(found[digest])) for digest in sorted(found))
    return FindResult(digests=tuple(digests), unasked=tuple(unasked))


class _Query:
    """The digits to look for."""

    def __init__(self, text: str) -> None:
        match = _QUERY.fullmatch(text)
        if match is None:
            hint = "pass at least 6 of its hexadecimal digits, with or without `sha256:` or `mf1:`"
            raise UsageError(f"invalid digest: `{text}`", hint=hint)
        self.kind, self.digits = (match[1] or "").lower(), match[2].lower()
        self.text = f"{self.kind}:{self.digits}" if self.kind else self.digits

    def matches(self, digest: object) -> bool:
        if not isinstance(digest, str):
            return False
        kind, _, digits = digest.partition(":")
        return digits.startswith(self.digits) and (not self.kind or kind == self.kind)


def _in_lock(content: Mapping[str, Any], query: _Query) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a digest is in a lock; what does not look like one in an older lock is skipped."""
    entries = content.get("modelfiles")
    for key, entry in entries.items() if isinstance(entries, dict) else ():
        for digest, kind, name in _in_entry(key, entry if isinstance(entry, dict) else {}):
            if query.matches(digest):
                yield str(digest), {"kind": kind, "name": name, "modelfile": key}


def _in_entry(key: str, entry: Mapping[str, Any]) -> Iterator[tuple[object, str, str]]:
    yield entry.get("fingerprint"), "model", key
    yield entry.get("text"), "Modelfile", key
    files, base = entry.get("files"), entry.get("base")
    for path, digest in files.items() if isinstance(files, dict) else ():
        yield digest, "file", path
    for digest in entry.get("built") or ():
        yield digest, "converted weights", key
    if not isinstance(base, dict):
        return
    name = str(base.get("written"))
    yield base.get("fingerprint"), "base", name
    yield base.get("digest"), "manifest", name
    if isinstance(text := base.get("manifest"), str):
        try:
            manifest = Manifest.parse(text, "the manifest")
        except InputError:
            return
        for layer in manifest.blobs:
            yield layer.digest, kind_in_words(layer), name


def _in_history(lock: LockFile, query: _Query) -> tuple[list[tuple[str, Occurrence]], bool] | Refusal:
    """Return what a digest is in the commits of a lock, and whether there are older ones, or why git does not say."""
    history = lock_history(lock)
    if isinstance(history, Refusal):
        return history
    revisions, more = history
    return list(_in_revisions(revisions, query)), more


def lock_history(lock: LockFile) -> tuple[list[Revision], bool] | Refusal:
    """Return the versions of a lock in git, and whether there are more, or why git does not say."""
    root = find_repository(lock.path.parent)
    return file_history(lock.path, root) if root else Refusal("it is in no git repository")


def find_in_history(revisions: Sequence[Revision], digest: str) -> tuple[Occurrence, ...]:
    """Return what a whole digest or fingerprint is in the versions of a lock, the newest first."""
    return tuple(occurrence for _, occurrence in _in_revisions(revisions, _Query(digest)))


def _in_revisions(revisions: Sequence[Revision], query: _Query) -> Iterator[tuple[str, Occurrence]]:
    seen: dict[tuple[str, str, str, str], list[int]] = {}
    for number, revision in enumerate(revisions):
        for digest, facts in _in_revision(revision, query):
            seen.setdefault((digest, *facts.values()), []).append(number)
    for (digest, kind, name, modelfile), numbers in seen.items():
        since, until = revisions[numbers[-1]], revisions[numbers[0] - 1] if numbers[0] else None
        yield (
            digest,
            Occurrence(
                location="history",
                kind=kind,
                name=name,
                modelfile=modelfile,
                since=_commit(since),
                until=_commit(until) if until else None,
            ),
        )


def _in_revision(revision: Revision, query: _Query) -> Iterator[tuple[str, dict[str, Any]]]:
    if query.digits.encode() not in revision.content:
        return
    try:
        content = json.loads(revision.content)
    except (ValueError, RecursionError):  # a lock with merge conflicts was committed
        return
    if isinstance(content, dict):
        yield from _in_lock(content, query)


def _commit(revision: Revision) -> Commit:
    return Commit(id=revision.commit, time=datetime.fromtimestamp(revision.seconds, UTC))


def _on_server(query: _Query, store: Store, events: Events) -> list[tuple[str, Occurrence]]:
    """Return what a digest is on a server: names and manifests are listed; for layers, all models are read."""
    listed, found = store.list(), list[tuple[str, str, str]]()
    for model in listed:
        kind, name = _kind_of(model), str(model.name)
        found.append((model.digest, kind, name))
        if in_tag := _IN_TAG.match(model.name.tag):
            found.append((f"sha256:{in_tag[1].lower()}", kind, name))
    done = []

    def read(model: ListedModel) -> None:
        if stored := store.read(model):
            found.extend(_in_model(stored, _kind_of(model)))
        done.append(model)
        events(Progress(status=f"read {len(done)} of {len(listed)} models"))

    try:
        run_in_parallel([partial(_suppressed, read, model) for model in listed], _THREADS)
    except BaseException:
        store.interrupt()
        raise
    matching = sorted({item for item in found if query.matches(item[0])})
    whole = f"sha256:{query.digits}" if len(query.digits) == _DIGITS and query.kind != "mf1" else ""
    if whole and not matching and store.has_blob(whole):
        matching = [(whole, "blob", "no listed model")]
    return [(digest, Occurrence(location=store.location.noun, kind=kind, name=name)) for digest, kind, name in matching]


def _suppressed(read: Callable[[ListedModel], None], model: ListedModel) -> None:
    """Read a model; one that the server cannot show is skipped."""
    try:
        read(model)
    except ServerError as error:
        if "unreachable" in error.code:
            raise


def _kind_of(model: ListedModel) -> str:
    if is_pin_alias(model.name):
        return "pin alias"
    if model.name.tag.startswith(STAGING):
        return "staging tag"
    return "backup" if is_internal(model.name) else "model"


def _in_model(stored: StoredModel, kind: str) -> Iterator[tuple[str, str, str]]:
    name, model = str(stored.name), stored.model
    yield stored.fingerprint, kind, name
    for layer, digests in (("weights", model.weights), ("adapter", model.adapters), ("draft", model.drafts)):
        yield from ((digest, layer, name) for digest in digests)
    for layer, text in (("template", model.template), ("system", model.system), ("license", model.license)):
        yield digest_of(text.encode("utf-8", "surrogatepass")), layer, name
