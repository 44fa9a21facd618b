"""Compare the bases in locks with what their registries have now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from modelfile.errors import InputError, ModelfileError, NotFound
from modelfile.events import Events, Progress, ignore
from modelfile.immutable import record
from modelfile.lockfile.lock import SERVER, Base
from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName
from modelfile.pinning.check import group_by_lock
from modelfile.project.target import Target
from modelfile.stores.protocol import Registry, Store, StoredModel, find_listed
from modelfile.stores.uploads import run_in_parallel

_THREADS: Final = 16
"""Bases that registries are asked for at the same time."""
_WORDS: Final = {"model": "weights", "params": "parameters", "prompt": "template"}
"""Kinds of layers in the words of `mf diff`, where they differ."""
_VERSION: Final = re.compile(r"(v?)(\d+(?:\.\d+)*)")


class BaseStatus(StrEnum):
    """The comparison of a base in a lock with its source."""

    CURRENT = "current"
    OUTDATED = "outdated"
    GONE = "gone"
    """Its source no longer has the tag."""
    UNKNOWN = "unknown"
    """Its source could not be asked."""


@record(kw_only=True)
class LayerChange:
    """Layers of one kind that differ between two manifests."""

    layer: str
    """Their kind: `weights`, `template`, `parameters`, `license` …; `config` for the config."""
    old: tuple[str, ...]
    """Digests that only the old manifest has."""
    new: tuple[str, ...]
    """Digests that only the new manifest has."""


@record(kw_only=True)
class LockedBase:
    """A base in a lock, compared with its source now."""

    lock: Path
    base: Base
    """As the lock has it."""
    modelfiles: tuple[str, ...]
    """Keys of the Modelfiles that are FROM it."""
    status: BaseStatus
    digest: str | None = None
    """Digest that the source has now; of a server, Ollama's digest there. None if it has none, or was not asked."""
    fingerprint: str | None = None
    """Fingerprint that the server has now, of a base that was pinned from it."""
    changes: tuple[LayerChange, ...] = ()
    """The layers that differ; none of a base from a server, which shows no manifest."""
    newer_tags: tuple[str, ...] | None = None
    """Tags of the same model with a higher version; None if the registry cannot list tags."""
    error: ModelfileError | None = None
    """The reason why the source could not be asked."""


@record(kw_only=True)
class Outdated:
    """The result of `outdated`."""

    bases: tuple[LockedBase, ...]
    unpinned: tuple[str, ...] = ()
    """Paths of the Modelfiles that are not in a lock."""

    @property
    def moved(self) -> tuple[LockedBase, ...]:
        """The bases that are not as they were pinned, or gone."""
        return tuple(base for base in self.bases if base.status in (BaseStatus.OUTDATED, BaseStatus.GONE))


def outdated(
    targets: Sequence[Target],
    registry: Registry,
    store: Store | None = None,
    *,
    events: Events = ignore,
) -> Outdated:
    r"""Compare the bases in the locks of Modelfiles with what their sources have now; nothing is pulled or written.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.names import ModelName
    >>> from modelfile.recipe.model import Model
    >>> from modelfile.stores.memory import MemoryRegistry, MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> registry = MemoryRegistry.with_models("llama3.2:3b")
    >>> _ = modelfile.pin(modelfile.Project().modelfiles(), MemoryStore(), registry)
    >>> _ = registry.push(ModelName.parse("llama3.2:3b"), Model(weights=("sha256:" + "0" * 64,)))
    >>> (base,) = modelfile.outdated(modelfile.Project().modelfiles(), registry).moved
    >>> str(base.status), base.base.written, [change.layer for change in base.changes]
    ('outdated', 'llama3.2:3b', ['weights'])

    Args:
        targets: The Modelfiles; those without an entry in a lock are `unpinned`.
        registry: The registries, of which each base is asked for once, several at a time.
        store: The server of bases that were pinned from it; None: their status is unknown.
        events: Receives progress.

    Raises:
        InputError: A lock is damaged, or there is none.
    """
    found: dict[tuple[Path, str, str | None], tuple[Base, list[str]]] = {}
    unpinned, without_lock = [], True
    for lock, group in group_by_lock(targets).items():
        without_lock = without_lock and not lock.exists
        for target in group:
            entry = lock.lock.modelfiles.get(target.key)
            if entry is None:
                unpinned.append(str(target.path))
            elif entry.base and entry.base.modelfile is None:
                base = entry.base
                proof = base.digest or base.fingerprint
                found.setdefault((lock.path, base.name.lower(), proof), (base, []))[1].append(target.key)
    if targets and without_lock:
        raise InputError("there is no mf.lock", hint="run `mf pin`, and commit mf.lock")
    asked = _Sources([base for base, _ in found.values()], registry, store, events)
    bases = (asked.compare(base, path, tuple(keys)) for (path, *_), (base, keys) in found.items())
    return Outdated(bases=tuple(sorted(bases, key=lambda one: one.base.name)), unpinned=tuple(unpinned))


_Answer: TypeAlias = "Manifest | StoredModel | ModelfileError | None"


class _Sources:
    """The answers of registries and of a server, each asked once for a name."""

    def __init__(self, bases: Iterable[Base], registry: Registry, store: Store | None, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._answers: dict[tuple[str, bool], _Answer] = {}
        self._tags: dict[str, tuple[str, ...] | None] = {}
        self._done = 0
        names = {(base.name.lower(), base.source == SERVER): ModelName.parse(base.name) for base in bases}
        asked = {key: name for key, name in names.items() if not key[1]}
        versioned = {name.untagged.lower(): name for name in asked.values() if _versions(name.tag)}
        self._total = len(names) + len(versioned)
        ask: list[Callable[[], None]] = [partial(self._resolve, *each) for each in asked.items()]
        ask += [partial(self._list, *each) for each in versioned.items()]
        try:
            run_in_parallel(ask, _THREADS)
        except BaseException:
            registry.interrupt()
            raise
        self._ask_server({key: name for key, name in names.items() if key[1]}, store)

    def _resolve(self, key: tuple[str, bool], name: ModelName) -> None:
        try:
            self._answers[key] = self._registry.resolve(name)
        except ModelfileError as error:
            self._answers[key] = error
        self._count()

    def _list(self, key: str, name: ModelName) -> None:
        try:
            self._tags[key] = self._registry.tags(name)
        except ModelfileError:  # the base itself is reported
            self._tags[key] = None
        self._count()

    def _ask_server(self, names: Mapping[tuple[str, bool], ModelName], store: Store | None) -> None:
        if not names:
            return
        try:
            listed = store.list() if store else ()
        except ModelfileError as error:
            self._answers |= dict.fromkeys(names, error)
            return
        if store is None:
            self._answers |= dict.fromkeys(names, NotFound("no server is asked"))
            return

        def read(key: tuple[str, bool], name: ModelName) -> None:
            found = find_listed(name, listed)
            try:
                self._answers[key] = store.read(found) if found else None
            except ModelfileError as error:
                self._answers[key] = error
            self._count()

        run_in_parallel([partial(read, *each) for each in names.items()], _THREADS)

    def _count(self) -> None:
        self._done += 1
        self._events(Progress(status=f"asked {self._done} of {self._total} times"))

    def compare(self, base: Base, lock: Path, modelfiles: tuple[str, ...]) -> LockedBase:
        """Return a base of some Modelfiles compared with the answer on it."""
        name, answer = ModelName.parse(base.name), self._answers[base.name.lower(), base.source == SERVER]
        result = partial(LockedBase, lock=lock, base=base, modelfiles=modelfiles, newer_tags=self._newer(name))
        match answer:
            case None:
                return result(status=BaseStatus.GONE)
            case ModelfileError():
                return result(status=BaseStatus.UNKNOWN, error=answer)
            case Manifest() if base.source is None:
                hint = "run `mf pin`, which completes the entry"
                older = f"{base.written} was pinned by an older mf, which did not record its source"
                return result(status=BaseStatus.UNKNOWN, error=InputError(older, hint=hint))
            case Manifest():
                changes = layer_changes(Manifest.parse(base.manifest, "the manifest"), answer) if base.manifest else ()
                is_same = answer.digest == base.digest
                status = BaseStatus.CURRENT if is_same else BaseStatus.OUTDATED
                return result(status=status, digest=answer.digest, changes=() if is_same else changes)
            case StoredModel():
                is_same = answer.fingerprint == base.fingerprint
                status = BaseStatus.CURRENT if is_same else BaseStatus.OUTDATED
                return result(status=status, digest=answer.digest, fingerprint=answer.fingerprint)

    def _newer(self, name: ModelName) -> tuple[str, ...] | None:
        tags = self._tags.get(name.untagged.lower())
        return None if tags is None else newer_tags(name.tag, tags)


def layer_changes(old: Manifest, new: Manifest) -> tuple[LayerChange, ...]:
    """Return the layers by which two manifests differ, by kind; the config comes last."""
    before, after = _digests_by_kind(old), _digests_by_kind(new)
    changes = []
    for kind in dict.fromkeys((*before, *after)):
        olds, news = before.get(kind, ()), after.get(kind, ())
        if olds != news:
            removed = tuple(digest for digest in olds if digest not in news)
            added = tuple(digest for digest in news if digest not in olds)
            changes.append(LayerChange(layer=kind, old=removed, new=added))
    return tuple(sorted(changes, key=lambda change: change.layer == "config"))


def kind_in_words(layer: Layer) -> str:
    """Return the kind of a layer in the words of `mf diff`.

    >>> kind_in_words(Layer(media_type="application/vnd.ollama.image.model", digest="sha256:" + "0" * 64, size=1))
    'weights'
    """
    return _WORDS.get(layer.kind, layer.kind)


def _digests_by_kind(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for layer in (*manifest.layers, manifest.config):
        kind = kind_in_words(layer)
        found[kind] = (*found.get(kind, ()), layer.digest)
    return found


def newer_tags(tag: str, tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that differ from a tag only in that their versions are higher, the highest first.

    Numbers with a unit, such as `3b` and `q4`, are no versions: another size is another model.

    >>> newer_tags("v1.2-3b", ["v1.10-3b", "v1.3-3b", "v1.1-3b", "v2-8b", "latest"])
    ('v1.10-3b', 'v1.3-3b')
    """
    own = _versions(tag)
    others = {other: _versions(other) for other in tags if _shape(other) == _shape(tag)}
    newer = [other for other, versions in others.items() if versions > own]
    return tuple(sorted(newer, key=lambda other: others[other], reverse=True))


def _parts(tag: str) -> list[str]:
    return re.split("([-_+])", tag)


def _versions(tag: str) -> tuple[tuple[int, ...], ...]:
    """Return the versions in a tag, as numbers; none of a tag such as `latest` and `3b`."""
    found = (_VERSION.fullmatch(part) for part in _parts(tag))
    return tuple(tuple(map(int, match[2].split("."))) for match in found if match)


def _shape(tag: str) -> tuple[str, ...]:
    """Return a tag without the numbers of its versions."""
    return tuple(_VERSION.sub(r"\1#", part) if _VERSION.fullmatch(part) else part for part in _parts(tag))
