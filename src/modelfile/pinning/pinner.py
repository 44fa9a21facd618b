"""Compute the pins of Modelfiles, each after its base."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cache, partial
from pathlib import Path

from modelfile.catalog.versions import release
from modelfile.errors import InputError, ModelfileError, NotFound, UsageError, VerificationError
from modelfile.events import Events
from modelfile.lockfile.drift import describe_change, quantized
from modelfile.lockfile.lock import Base, Pin
from modelfile.locks import name_lock
from modelfile.names import ModelName
from modelfile.pinning.check import Check, base_name, changed_files, is_utf_8, key_of, project_base
from modelfile.project.target import Target
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.protocol import Store, StoredModel, missing_after
from modelfile.stores.staging import staging_name
from modelfile.stores.uploads import pull_base, upload_all
from modelfile.weights.checks import check_quantization, check_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedTarget:
    """A target with its pin."""

    target: Target
    pin: Pin
    model: Callable[[], Model]
    """Returns the model of a build; lazy, because a server may have to create it although the pin is up to date."""


@dataclass(frozen=True, slots=True)
class _ProjectBase:
    """A base that the project builds."""

    pinned: PinnedTarget
    _: KW_ONLY
    quantized: bool

    def written_as(self, written: str) -> Base:
        """Return the base as the lock has it: a server decides what comes of weights that it quantizes."""
        known = None if self.quantized else self.pinned.pin.fingerprint
        name = ModelName.parse(written).full
        return Base(written=written, name=name, fingerprint=known, modelfile=self.pinned.target.key)


class Pinner:
    """Pins Modelfiles of one lock.

    If the project builds a base, and its Modelfile is pinned too or up to date in the lock, the base is the model that
    it builds, whether or not the store has that yet.

    An entry whose facts hold stays as it is, also those that differ between machines: the digest of a base on the
    server that was asked, and the version of Ollama that built local weights.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        pins: Mapping[str, Pin],
        *,
        store: Store,
        events: Events,
        pull: bool,
        check: Check,
    ) -> None:
        """Ask nothing yet.

        Args:
            targets: The Modelfiles to pin.
            pins: The entries of the lock.
            store: The store to ask for bases.
            events: Receives progress.
            pull: Whether to pull a base that the store does not have.
            check: Called with each target and each base of the project first; raises an InputError if it cannot be
                pinned.
        """
        self._targets = {target.key: target for target in targets}
        self._pins = pins
        self._store = store
        self._version = release(store.ollama)
        self._events = events
        self._pull = pull
        self._check = check
        self._done: dict[str, PinnedTarget | InputError | None] = {}
        self.read: dict[str, Pin | None] = {}
        """Entries of the lock that the pins depend on."""

    def pin(self, target: Target) -> PinnedTarget | None:
        """Return a target with its pin; None while it is computed, as in a cycle.

        Raises:
            InputError: It cannot be pinned because of its files, or those of its base.
        """
        key = key_of(target)
        if key not in self._done:
            self._done[key] = None
            try:
                self._check(target, self._version)
                self._done[key] = self._compute(target)
            except InputError as error:
                self._done[key] = error
        if isinstance(found := self._done[key], InputError):
            raise found
        return found

    def _entry_of(self, target: Target) -> Pin | None:
        return self.read.setdefault(target.key, self._pins.get(target.key))

    def _base_of(self, target: Target) -> _ProjectBase | None:
        maker = project_base(target)
        if maker is None:
            return None
        if maker.key in self._targets:
            now = self.pin(self._targets[maker.key])
            return _ProjectBase(now, quantized=bool(maker.quantize)) if now else None
        entry = self._entry_of(maker)
        if entry is None:
            return None
        self._check(maker, self._version)
        if any(changed_files(maker, entry, self._events)):
            return None
        now = self.pin(maker)
        same = now and now.pin.fingerprint == entry.fingerprint
        return _ProjectBase(now, quantized=bool(maker.quantize)) if now and same else None

    def _compute(self, target: Target) -> PinnedTarget:
        recipe, previous = target.recipe(self._version), self._entry_of(target)
        for path in recipe.local_files:
            if not is_utf_8(str(path)):
                raise InputError(f"the name of `{path}` is not UTF-8, so that no lock can have it", hint="rename it")
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, self._version)
        kept = previous if previous and not any(changed_files(target, previous, self._events)) else None
        if not recipe.base:
            self._check_quantizations(target)
            return self._upon_files(target, recipe, kept)
        if base := self._base_of(target):
            self._check_quantizations(target)
            return self._upon_project(target, base, base.written_as(recipe.base), kept)
        return self._upon_store(target, recipe.base, previous, kept)

    def _check_quantizations(self, target: Target, base_type: str = "") -> None:
        """Reject a quantization in mf.toml that a build would reject."""
        recipe = target.recipe(self._version)
        for kind in quantized(target.project.quantizations(target)):
            try:
                check_quantization(recipe.files, kind, self._version, base=recipe.base, base_type=base_type)
            except UsageError as error:
                raise InputError(f"`{target.path}`: {error.message}", hint=error.hint) from error

    def _upon_project(self, target: Target, base: _ProjectBase, recorded: Base, kept: Pin | None) -> PinnedTarget:
        model = partial(self._apply, target, lambda: self._model_of(base.pinned, recorded))
        if kept and kept.base == recorded:
            return PinnedTarget(target=target, pin=kept, model=model)
        return PinnedTarget(target=target, pin=self._entry(target, recorded, model), model=model)

    def _upon_store(self, target: Target, written: str, previous: Pin | None, kept: Pin | None) -> PinnedTarget:
        recorded, found = self._find_base(base_name(target, written), written)
        self._check_quantizations(target, found.quantization)
        if previous and previous.base and replace(recorded, digest=previous.base.digest) == previous.base:
            recorded = previous.base
        recipe, digests = target.recipe(self._version), target.digests(self._version, self._events)
        if recipe.converts_adapters:
            bare = Recipe(base=str(found.name), adapters=recipe.adapters, drafts=recipe.drafts)
            model = partial(self._apply, target, cache(partial(_probe, bare, digests, self._store, self._events)))
            if kept and kept.base == recorded:
                return PinnedTarget(target=target, pin=kept, model=model)
            entry = replace(self._entry(target, recorded, model), ollama=self._store.ollama)
        else:
            model = partial(self._apply, target, lambda: found.model)
            entry = self._entry(target, recorded, model)
        same = kept and (kept.base, kept.fingerprint) == (recorded, entry.fingerprint)
        return PinnedTarget(target=target, pin=kept if kept and same else entry, model=model)

    def _upon_files(self, target: Target, recipe: Recipe, kept: Pin | None) -> PinnedTarget:
        if not recipe.files:
            raise InputError(f"`{target.key}`: FROM is empty", hint="name a model, or weights in a file or folder")
        digests = target.digests(self._version, self._events)
        bare = Recipe(files=recipe.files)
        if recipe.converts_adapters:
            bare = replace(bare, adapters=recipe.adapters, drafts=recipe.drafts)
        probe = cache(partial(_probe, bare, digests, self._store, self._events))
        model = partial(self._apply, target, probe)
        if kept and kept.base is None:
            return PinnedTarget(target=target, pin=kept, model=model)
        entry = self._entry(target, None, model)
        if entry.fingerprint:
            built = tuple(digest for digest in probe().weights if digest not in digests.values())
            entry = replace(entry, ollama=self._store.ollama, built=built or None)
        return PinnedTarget(target=target, pin=entry, model=model)

    def _apply(self, target: Target, inherited: Callable[[], Model]) -> Model:
        """Return the model of a Modelfile; of what is inherited, a probe has the adapters that the server converts."""
        recipe = target.recipe(self._version)
        if recipe.converts_adapters and not self._base_of(target):
            recipe = replace(recipe, adapters=(), drafts=())
        return inherited().with_recipe(recipe, target.digests(self._version, self._events))

    def _entry(self, target: Target, base: Base | None, model: Callable[[], Model]) -> Pin:
        quantizations = target.project.quantizations(target)
        predictable = "" in quantizations and not (base and base.fingerprint is None)
        return Pin(
            text=target.text_digest,
            base=base,
            files=target.portable_digests(self._version, self._events),
            fingerprint=fingerprint(model()) if predictable else None,
            quantize=quantized(quantizations) or None,
        )

    def _model_of(self, base: PinnedTarget, recorded: Base) -> Model:
        """Return the base's contents: from the store if it has them, otherwise from its Modelfile.

        Raises:
            VerificationError: This version of Ollama makes another model of its weights than the pinned one.
        """
        found = self._store.find(ModelName.parse(recorded.name))
        if found and found.fingerprint == recorded.fingerprint:
            return found.model
        model, key = base.model(), base.target.key
        if (made := fingerprint(model)) != recorded.fingerprint:
            what = f"the model that Ollama {self._store.ollama} makes of `{key}`"
            hint = f"use Ollama {base.pin.ollama}, or remove `{key}` from mf.lock and run `mf pin`"
            raise VerificationError(describe_change(what, str(recorded.fingerprint), made), hint=hint)
        return model

    def _find_base(self, name: ModelName, written: str) -> tuple[Base, StoredModel]:
        store = self._store
        found = store.find(name)
        if found is None and self._pull:
            pull_base(name, store, self._events)
            found = store.find(name)
        if found is None and self._pull:
            raise missing_after("pulled", name, store.location)
        if found is None:
            raise NotFound(f"base {name} not found on {store.location}", hint="leave out --no-pull, to pull it")
        return Base(written=written, name=name.full, digest=found.digest, fingerprint=found.fingerprint), found


def _probe(bare: Recipe, digests: Mapping[Path, str], store: Store, events: Events) -> Model:
    """Create a model from local files alone: the store may add a template and parameters, rewrite or convert files."""
    first = bare.local_files[0]
    name = staging_name(ModelName(model="mf-probe", tag=digests[first].replace(":", "-")))
    with name_lock(name.full, str(store.location), events, f"pin of {first.name}"):  # deleting it deletes its blobs
        upload_all({path: digests[path] for path in bare.local_files}, store, events)
        try:
            store.create(name, bare, digests, events)
            found = store.find(name)
            if found is None:
                raise missing_after("created", name, store.location)
            return found.model
        finally:
            with contextlib.suppress(ModelfileError):  # an error in the block above matters more
                store.delete(name)
