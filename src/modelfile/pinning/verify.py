"""Compare the models of a server with the lock, by their fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from modelfile.catalog.versions import Version, release
from modelfile.differ.comparison import Change
from modelfile.differ.models import compare_models
from modelfile.errors import InputError, ModelfileError, UsageError
from modelfile.events import Events, Progress, ignore
from modelfile.git import Refusal
from modelfile.immutable import record, replace
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Base, Pin
from modelfile.names import ModelName
from modelfile.pinning.check import group_by_lock
from modelfile.pinning.find import find_in_history, lock_history
from modelfile.pinning.locked_models import LockedModels, Place
from modelfile.pinning.resolver import Resolver
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import Model, fingerprint
from modelfile.revisions import Revision
from modelfile.stores.backups import pin_alias
from modelfile.stores.protocol import Registry, Store, StoredModel, find_listed
from modelfile.stores.uploads import run_in_parallel

_THREADS: Final = 8
"""Models that the server is asked for at the same time."""


class VerifyStatus(StrEnum):
    """The comparison of a model on a server with the lock."""

    SAME = "same"
    DIFFERENT = "different"
    MISSING = "missing"
    """The server does not have it."""
    UNKNOWN = "unknown"
    """The lock has no fingerprint, because a server decides what a build gives."""


@record(kw_only=True)
class VerifiedModel:
    """A model that the lock has a fingerprint of, compared with the one on a server."""

    name: str
    kind: str
    """`base` or `model`."""
    modelfiles: tuple[str, ...]
    """Keys of the Modelfiles that are FROM it, or of the one that it is built from."""
    status: VerifyStatus
    expected: str | None
    """The fingerprint in the lock."""
    actual: str | None = None
    """The fingerprint on the server."""
    changes: tuple[Change, ...] = ()
    """The differences of the server's model from the locked one."""
    notes: tuple[str, ...] = ()
    """The origin of a model that differs, as far as it can be known, and why there are no `changes`."""
    is_required: bool = True
    """False for a base that no name asked for: a server need not have it."""

    @property
    def fails(self) -> bool:
        """True if it differs from the lock, or is required and missing."""
        return self.status is VerifyStatus.DIFFERENT or (self.status is VerifyStatus.MISSING and self.is_required)


@record(kw_only=True)
class _Expected:
    """A model to compare."""

    name: ModelName
    lock: LockFile
    keys: tuple[str, ...]
    fingerprint: str | None
    base: Base | None = None
    """The base; None for a model that a Modelfile builds."""
    ollama: str | None = None
    """Version of Ollama that the fingerprint applies to; None if it applies to all."""
    is_required: bool = True
    quantized: tuple[str, str | None] | None = None
    """The type of weights that a build quantizes, and their digest if the lock records that."""

    @property
    def kind(self) -> str:
        return "base" if self.base else "model"


def verify(
    targets: Sequence[Target],
    store: Store,
    registry: Registry | None = None,
    *,
    names: Sequence[str] = (),
    events: Events = ignore,
) -> tuple[VerifiedModel, ...]:
    r"""Compare the models of a server with the lock: the bases of Modelfiles, and the models of the configuration.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.names import ModelName
    >>> from modelfile.recipe.recipe import Recipe
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> store, ignore = MemoryStore.with_models("llama3.2:3b"), lambda _: None
    >>> _ = modelfile.pin(modelfile.Project().modelfiles(), store)
    >>> store.create(ModelName.parse("bot:v1"), Recipe(base="llama3.2:3b", system="Be kind."), {}, ignore)
    >>> (bot,) = modelfile.verify(modelfile.Project().modelfiles(), store, names=["bot:v1"])
    >>> str(bot.status), [(change.title, change.old, change.new) for change in bot.changes]
    ('different', [('system', 'Be brief.', 'Be kind.')])

    Args:
        targets: The Modelfiles.
        store: The server.
        registry: The registries, which are asked only for small layers of a base that differs; None: none.
        names: Bases in the lock, or models as `mf build` takes them; default: the bases of the Modelfiles, and the
            models that the configuration lists for them.
        events: Receives progress.

    Raises:
        InputError: The lock is damaged, there is none, or it has no entry for a name.
        ServerError: The server cannot answer.
        UsageError: A name is not valid.
    """
    expected = [*(_named(names, targets) if names else _all(targets))]
    verifier = _Verifier(targets, Resolver(store, registry, pull=False, events=events))
    listed = store.list()
    found: dict[int, StoredModel | None] = {}

    def read(number: int, name: ModelName) -> None:
        entry = find_listed(name, listed)
        found[number] = store.read(entry) if entry else None
        events(Progress(status=f"read {len(found)} of {len(expected)} models"))

    try:
        run_in_parallel([partial(read, number, one.name) for number, one in enumerate(expected)], _THREADS)
    except BaseException:
        store.interrupt()
        raise
    return tuple(verifier.compare(one, found[number], store) for number, one in enumerate(expected))


def _all(targets: Sequence[Target]) -> Iterator[_Expected]:
    """Yield the bases and the models of the configuration."""
    has_lock = False
    for lock, group in group_by_lock(targets).items():
        has_lock = has_lock or lock.exists
        entries = [(target, entry) for target in group if (entry := lock.lock.modelfiles.get(target.key))]
        bases: dict[tuple[str, str | None], tuple[Base, list[str]]] = {}
        for target, entry in entries:
            if (base := entry.base) and not base.modelfile:
                bases.setdefault((base.name.lower(), base.fingerprint), (base, []))[1].append(target.key)
        for base, keys in bases.values():
            yield _Expected(
                name=ModelName.parse(base.name),
                lock=lock,
                keys=tuple(keys),
                fingerprint=base.fingerprint,
                base=base,
                is_required=False,
            )
        for target, entry in entries:
            for name, kind in _models_of(target):
                yield _model(name, target, lock, entry, kind)
    if targets and not has_lock:
        raise InputError("there is no mf.lock", hint="run `mf pin`, and commit mf.lock")


def _model(name: ModelName, target: Target, lock: LockFile, entry: Pin, kind: str) -> _Expected:
    known, upper = None if kind else entry.fingerprint, kind.upper()
    quantized = (upper, (entry.quantized or {}).get(upper)) if kind else None
    return _Expected(
        name=name, lock=lock, keys=(target.key,), fingerprint=known, ollama=entry.ollama, quantized=quantized
    )


def _models_of(target: Target) -> Iterator[tuple[ModelName, str]]:
    """Yield the models that the nearest configuration lists for a Modelfile, and the type they are quantized to."""
    project, file = target.project, target.project.find_config(target.folder)
    for model in project.load_config(file).models if file else ():
        if project.real_path(model.modelfile) == project.real_path(target.path):
            yield model.name, model.quantize or ""


def _named(names: Sequence[str], targets: Sequence[Target]) -> Iterator[_Expected]:
    """Yield what names mean: a base in the lock, or a model that a Modelfile of the project builds."""
    known = [one for one in _all(targets) if one.base]
    project = targets[0].project if targets else Project()
    for text in names:
        name = ModelName.parse(text)
        bases = [one for one in known if one.name.same_as(name)]
        if bases:
            yield from (replace(one, is_required=True) for one in bases)
            continue
        try:
            target = project.target(text)
        except UsageError as error:
            hint = error.hint if name.tagged else f"name its tag, as in `mf verify {name.untagged}:v1`"
            raise UsageError(error.message, hint=hint) from error
        lock, entry = project.lock_to_write(target.folder), target.pin
        if entry is None:
            raise InputError(f"`{target.path}`, of which {target.named} is built, is not pinned", hint="run `mf pin`")
        yield _model(target.named, target, lock, entry, target.quantize)


def _about_quantized(one: _Expected, actual: Model) -> str:
    """Return how far a quantized model can be compared: Ollama and each program may make other weights of a file."""
    kind, digest = one.quantized or ("", None)
    if digest is None:
        return "only a server can tell what its quantization gives"
    if digest in actual.weights:
        return f"its weights are those that mf.lock records for {kind}; its prompts and parameters were not compared"
    return f"its weights are not those that mf.lock records for {kind}: another program, or a server, quantized them"


class _Verifier:
    """Compares models, and reads the history of each lock once, if a model differs."""

    def __init__(self, targets: Sequence[Target], resolver: Resolver) -> None:
        self._locked = LockedModels(targets, resolver)
        self._histories: dict[Path, Sequence[Revision] | None] = {}

    def compare(self, one: _Expected, stored: StoredModel | None, store: Store) -> VerifiedModel:
        """Return the comparison of a model with the server's."""
        result = partial(
            VerifiedModel,
            name=str(stored.name if stored else one.name),
            kind=one.kind,
            modelfiles=one.keys,
            expected=one.fingerprint,
            actual=stored.fingerprint if stored else None,
            is_required=one.is_required,
        )
        if stored is None:
            return result(status=VerifyStatus.MISSING)
        if one.fingerprint is None:
            return result(status=VerifyStatus.UNKNOWN, notes=(_about_quantized(one, stored.model),))
        if stored.fingerprint == one.fingerprint:
            return result(status=VerifyStatus.SAME)
        changes, problem = self._changes(one, stored.model, release(store.ollama))
        notes = [*self._origin(one, stored, store), *([f"its parts cannot be compared: {problem}"] if problem else [])]
        return result(status=VerifyStatus.DIFFERENT, changes=changes, notes=tuple(notes))

    def _changes(self, one: _Expected, actual: Model, ollama: Version | None) -> tuple[tuple[Change, ...], str]:
        """Return the differences from the locked model, or why it is not known."""
        try:
            expected = self._locked.base(one.base) if one.base else self._build(one)
        except ModelfileError as error:
            return (), error.message
        return compare_models(expected, actual, ollama=ollama), ""

    def _build(self, one: _Expected) -> Model:
        entry_of: Callable[[Place], Pin | None] = lambda place: one.lock.lock.modelfiles.get(place[1])  # noqa: E731  # a name for the type
        model = self._locked.build((one.lock.path, one.keys[0]), entry_of)
        if fingerprint(model) != one.fingerprint:
            raise InputError(f"`{one.keys[0]}` has changed since `mf pin`")
        return model

    def _origin(self, one: _Expected, stored: StoredModel, store: Store) -> Iterator[str]:
        """Yield where a model comes from that is not the locked one."""
        if one.base and one.base.digest:
            alias = pin_alias(one.name, one.base.digest)
            kept = store.find(alias)
            if kept and kept.fingerprint == one.fingerprint:
                yield "its pin alias has the locked one, from which `mf build` builds"
        elif one.ollama not in (None, store.ollama):
            yield f"it was pinned for Ollama {one.ollama}, and the {store.location.noun} has {store.ollama}"
        entries = one.lock.lock.modelfiles.items()
        if maker := next((key for key, entry in entries if entry.fingerprint == stored.fingerprint), None):
            yield f"it is what `{maker}` builds"
            return
        revisions = self._history(one.lock)
        if revisions is None:
            return
        past = [found for found in find_in_history(revisions, stored.fingerprint) if found.kind == one.kind]
        if past and (since := past[0].since):
            until = f" until {past[0].until.time:%Y-%m-%d}" if past[0].until else ""
            yield f"it is an older one: mf.lock had it from {since.time:%Y-%m-%d}{until}"
        elif one.base:
            yield "no version of mf.lock has had it: its tag was pulled again, or it was built by hand"
        else:
            yield "no version of mf.lock has had it: it was rebuilt by hand, or from a Modelfile that was not pinned"

    def _history(self, lock: LockFile) -> Sequence[Revision] | None:
        if lock.path not in self._histories:
            history = lock_history(lock)
            self._histories[lock.path] = None if isinstance(history, Refusal) else history[0]
        return self._histories[lock.path]
