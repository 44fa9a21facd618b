"""The model that a build of a Modelfile would create, as far as it can be known ahead."""

from __future__ import annotations

import contextlib

from modelfile.builder.constraints import UPDATE, check_pin, constraints, locked_base
from modelfile.builder.forecast import expected_model, is_opaque, predict, undecided
from modelfile.builder.snapshot import as_created, recall_observation
from modelfile.catalog.versions import NEWEST, release
from modelfile.differ.models import dropped_capabilities
from modelfile.errors import InputError, NotFound, ServerError, ServerUnreachable, UsageError, VerificationError
from modelfile.immutable import record
from modelfile.lockfile.lock import Base
from modelfile.names import ModelName
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.stores.protocol import Registry, Store, StoredModel


@record(kw_only=True)
class ExpectedModel:
    """The model that a build of a Modelfile would create."""

    model: Model
    base: StoredModel | None
    version: str
    """The version of Ollama that would create it."""
    fingerprint: str | None = None
    """The fingerprint in the lock, if a part of the model is undecided."""
    undecided: tuple[str, ...] = ()
    """Parts that only the server knows, taken from the model that it is compared with."""

    @property
    def dropped_capabilities(self) -> tuple[tuple[str, str], ...]:
        """The capabilities that the base's template gives and that of the model does not, each with its variable."""
        return dropped_capabilities(self.base.model, self.model) if self.base else ()


def expect(target: Target, store: Store, registry: Registry | None = None) -> ExpectedModel | None:
    r"""Return the model that a build of a Modelfile would create; None if only the server can tell.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> expected = expect(modelfile.Project().target("bot:v1"), MemoryStore.with_models("llama3.2:3b"))
    >>> expected.model.system
    'Be brief.'

    If the store does not answer, the base is that of mf.lock, and the version of Ollama is the configured one or the
    newest.

    Args:
        target: The Modelfile.
        store: The store of its base.
        registry: The registries of layers of a locked base that are not in the cache.

    Raises:
        InputError: The Modelfile is rejected, or a file that it names cannot be read.
        NotFound: The store does not have the base.
        ServerError: The store cannot answer.
        VerificationError: The store does not have the locked base.
    """
    base, known, version = _predict(target, store, registry)
    return ExpectedModel(model=known, base=base, version=version) if known else None


def version_for(target: Target, store: Store) -> str:
    """Return the version of Ollama that would build a Modelfile in a store.

    If the store does not answer, it is the configured version or the newest that is known.
    """
    try:
        return as_created(target, store).ollama
    except ServerUnreachable:
        return target.config.ollama or str(NEWEST)


def expect_beside(target: Target, other: StoredModel, store: Store, registry: Registry | None) -> ExpectedModel:
    """Return the model that a build of a Modelfile would create, its unknown parts taken from another model.

    Raises:
        ModelfileError: As `expect`.
    """
    base, known, ollama = _predict(target, store, registry, "; two Modelfiles can be compared without a server")
    if known:
        return ExpectedModel(model=known, base=base, version=ollama)
    version = release(ollama)
    recipe, digests = target.recipe(version), target.digests(version)
    locked = _locked_fingerprint(target, recipe, ollama)
    if locked == other.fingerprint:
        return ExpectedModel(model=other.model, base=base, version=ollama)
    expected = expected_model(recipe, digests, base=base.model if base else None, created=other.model, version=ollama)
    parts = undecided(recipe, digests, created=other.model, version=ollama)
    return ExpectedModel(
        model=expected,
        base=base,
        version=ollama,
        fingerprint=locked if parts else None,
        undecided=parts,
    )


def _predict(
    target: Target, store: Store, registry: Registry | None, alternative: str = ""
) -> tuple[StoredModel | None, Model | None, str]:
    """Return the base of a Modelfile, the model that a build would create if it can be known, and Ollama's version."""
    ollama = version_for(target, store)
    version = release(ollama)
    recipe, digests, base, observed = target.recipe(version), target.digests(version), None, None
    if recipe.base:
        name = ModelName.parse(recipe.base)
        base = _find_base(name, _locked_base(target, recipe), store, registry)
        if base is None:
            command = "build" if target.project.base_of(target) else "pull"
            hint = f"run `mf {command} {name}`{alternative}"
            raise NotFound(f"base {name} of `{target.path}` not found {store.location.where}", hint=hint)
    if is_opaque(recipe):
        with contextlib.suppress(InputError):  # a damaged lock decides nothing
            recipe = target.with_detected(recipe, target.pin, digests)
        with contextlib.suppress(ServerUnreachable):
            observed = recall_observation(recipe, digests, base, store)
    return base, predict(recipe, digests, base.model if base else None, observed, ollama), ollama


def find_locked_base(target: Target, store: Store, registry: Registry | None) -> StoredModel | None:
    """Return the base of a Modelfile as mf.lock has it, from that and small layers; None if it is not recorded.

    Raises:
        ServerError: Its layers cannot be read.
    """
    recipe = target.recipe()
    locked = _locked_base(target, recipe)
    if recipe.base is None or locked is None or locked.manifest is None:
        return None
    return restore_base(ModelName.parse(recipe.base), locked, store, registry)


def _find_base(name: ModelName, locked: Base | None, store: Store, registry: Registry | None) -> StoredModel | None:
    """Return a base as a build would have it: the locked one, or else that of the name; None if it is nowhere."""
    try:
        base = store.find(name)
        if locked and locked.digest and locked.fingerprint not in (None, base and base.fingerprint):
            from modelfile.builder.bases import find_locked  # most bases are as they were pinned

            if (found := find_locked(name, locked, store)) is None and base:
                check_pin(str(name), str(locked.fingerprint), base.fingerprint, UPDATE)
            base = found
    except ServerUnreachable:
        if locked is None or locked.manifest is None:
            raise
        return restore_base(name, locked, store, registry)
    if base is None and locked and locked.manifest:
        with contextlib.suppress(ServerError, VerificationError):  # what is missing in the store is reported
            return restore_base(name, locked, store, registry)
    return base


def restore_base(name: ModelName, base: Base, store: Store, registry: Registry | None) -> StoredModel:
    """Return a base as a lock has it, from it and small layers.

    Raises:
        InputError: The lock is damaged.
        ServerError: Its layers cannot be read.
    """
    from modelfile.pinning.resolver import Resolver

    resolver = Resolver(store, registry, pull=False)
    return StoredModel(
        name=name,
        digest=base.digest or "",
        model=resolver.restore(base),
        family=resolver.architecture(base),
        known_fingerprint=base.fingerprint,
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


def _locked_base(target: Target, recipe: Recipe) -> Base | None:
    with contextlib.suppress(InputError):  # a damaged lock decides nothing
        return locked_base(target, recipe)
    return None


def _locked_fingerprint(target: Target, recipe: Recipe, ollama: str) -> str | None:
    with contextlib.suppress(InputError):  # a damaged lock decides nothing
        return constraints(target, recipe).locked_fingerprint(ollama)
    return None
