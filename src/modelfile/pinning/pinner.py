"""Compute the pins of Modelfiles, each after its base."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

from modelfile.catalog.versions import Version, release
from modelfile.errors import InputError, ModelfileError, NotFound, ServerError, UsageError, VerificationError
from modelfile.events import Events
from modelfile.immutable import record, replace
from modelfile.lockfile.drift import describe_change, quantized
from modelfile.lockfile.lock import SERVER, Base, Pin, newest_base
from modelfile.names import ModelName
from modelfile.pinning.check import Check, base_name, changed_files, is_utf_8, key_of, project_base
from modelfile.pinning.resolver import Resolver, is_same, quantization_of
from modelfile.project.target import Target
from modelfile.recipe.model import DEFAULT_TEMPLATE, Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.disk.new_layers import needs_server
from modelfile.stores.uploads import probe
from modelfile.weights.checks import check_weights


@record(kw_only=True)
class PinnedTarget:
    """A target with its pin."""

    target: Target
    pin: Pin
    model: Callable[[], Model]
    """Returns the model of a build; lazy, because a server may have to create it although the pin is up to date."""
    is_made: bool = False
    """True if only a server tells the model, which makes it of local files."""


@record()
class _ProjectBase:
    """A base that the project builds."""

    pinned: PinnedTarget
    quantized: bool

    def written_as(self, written: str) -> Base:
        """Return the base as the lock has it: a server decides what comes of weights that it quantizes."""
        known = None if self.quantized else self.pinned.pin.fingerprint
        name = ModelName.parse(written).full
        return Base(written=written, name=name, fingerprint=known, modelfile=self.pinned.target.key)


@record(kw_only=True)
class PinOptions:
    """The options of a pin."""

    from_server: bool = False
    """True to ask no registry, as `resolve = "server"` in a configuration does."""
    update: Callable[[ModelName], bool] = lambda _: False
    """Returns whether to resolve a base anew that is pinned already."""
    known: Callable[[Target], Model | None] = lambda _: None
    """Returns the model that the store has just made of a target's local files, so that it is not made again."""
    check: Check = lambda *_: None
    """Called with each target and each base of the project first; raises an InputError if it cannot be pinned."""


class Pinner:
    """Pins Modelfiles of one lock.

    If the project builds a base, and its Modelfile is pinned too or up to date in the lock, the base is the model that
    it builds, whether or not the store has that yet.

    An entry whose facts hold stays as it is, and nobody is asked. A new Modelfile FROM a base that another one in the
    lock is FROM gets the same.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        pins: Mapping[str, Pin],
        *,
        resolver: Resolver,
        events: Events,
        options: PinOptions,
    ) -> None:
        """Ask nothing yet.

        Args:
            targets: The Modelfiles to pin.
            pins: The entries of the lock.
            resolver: Finds bases; its server also makes models of local weights.
            events: Receives progress.
            options: The options.
        """
        self._targets = {target.key: target for target in targets}
        self._pins = pins
        self._resolver = resolver
        self._events = events
        self._options = options
        self._checked: dict[str, ModelfileError | None] = {}
        self._current: dict[str, bool] = {}
        self._done: dict[str, PinnedTarget | ModelfileError | None] = {}
        self.read: dict[str, Pin | None] = {}
        """Entries of the lock that the pins depend on."""
        self.missing: set[ModelName] = set()
        """Bases that the lock does not have, which the pins depend on too."""

    def fetch(self) -> None:
        """Ask the registries for all bases that are not in the lock, several at a time."""
        names = []
        for target in self._targets.values():
            with contextlib.suppress(ModelfileError):  # raised again when it is pinned
                if name := self._to_fetch(target):
                    names.append(name)
        self._resolver.fetch(names)

    def _to_fetch(self, target: Target) -> ModelName | None:
        self._check(target)
        written = target.recipe(self._version_of(target)).base
        if not written or self._from_server(target) or project_base(target):
            return None
        name, previous = base_name(target, written), self._entry_of(target)
        kept = previous and self._is_current(target) and not self._options.update(name)
        if kept and previous and previous.base and previous.base.is_complete:
            return None
        target.check_registry(name)
        locked = self._locked_base(target, name)
        return None if locked and locked.manifest else name

    def pin(self, target: Target) -> PinnedTarget | None:
        """Return a target with its pin; None while it is computed, as in a cycle.

        Raises:
            ModelfileError: It cannot be pinned because of its files, or those of its base.
        """
        key = key_of(target)
        if key not in self._done:
            self._done[key] = None
            try:
                self._check(target)
                self._done[key] = self._compute(target)
            except ModelfileError as error:
                self._done[key] = error
        if isinstance(found := self._done[key], ModelfileError):
            raise found
        return found

    def _check(self, target: Target) -> None:
        if target.key not in self._checked:
            self._checked[target.key] = None
            try:
                self._options.check(target, self._version_of(target))
            except InputError as error:
                self._checked[target.key] = error
        if found := self._checked[target.key]:
            raise found

    def _from_server(self, target: Target) -> bool:
        return self._options.from_server or target.config.resolve == SERVER

    def _version_of(self, target: Target) -> Version | None:
        """Return the version of Ollama that decides what becomes of a target's files; None if it has none that matter.

        For files that are as they were pinned, it is the version that they were pinned with.
        """
        if target.base and not target.names_folder and not target.recipe().converts_adapters:
            return None
        if self._is_current(target) and (entry := self._entry_of(target)):
            return release(entry.ollama) if entry.ollama else None
        with contextlib.suppress(ServerError), self._resolver.server() as store:
            return release(store.ollama)
        return None

    def _is_current(self, target: Target) -> bool:
        """Return whether the entry of a target still holds; False where its files cannot be read."""
        if target.key not in self._current:
            entry, current = self._entry_of(target), False
            with contextlib.suppress(InputError):  # raised when it is pinned
                current = entry is not None and not any(changed_files(target, entry, self._events))
            self._current[target.key] = current
        return self._current[target.key]

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
        self._check(maker)
        if not self._is_current(maker):
            return None
        now = self.pin(maker)
        same = now and now.pin.fingerprint == entry.fingerprint
        return _ProjectBase(now, quantized=bool(maker.quantize)) if now and same else None

    def _compute(self, target: Target) -> PinnedTarget:
        version = self._version_of(target)
        recipe, previous = target.recipe(version), self._entry_of(target)
        kept = previous if self._is_current(target) else None
        if not recipe.base and kept and not kept.base and (kept.template is not None or not needs_server(recipe)):
            return PinnedTarget(target=target, pin=kept, model=partial(self._made, target), is_made=True)
        for path in recipe.local_files:
            if not is_utf_8(str(path)):
                raise InputError(f"the name of `{path}` is not UTF-8, so that no lock can have it", hint="rename it")
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version)
        if not recipe.base:
            self._check_quantizations(target)
            return self._upon_files(target, recipe)
        if base := self._base_of(target):
            self._check_quantizations(target)
            return self._upon_project(target, base, base.written_as(recipe.base), kept)
        return self._upon_base(target, recipe, recipe.base, kept)

    def _check_quantizations(self, target: Target, base_type: str = "", *, on_server: bool = False) -> None:
        """Reject a quantization in mf.toml that a build would reject, also one with llama-quantize."""
        version = self._version_of(target)
        if on_server:
            with self._resolver.server() as store:
                version = release(store.ollama)
        for kind in quantized(target.project.quantizations(target)):
            try:
                target.check_quantization(kind, version, base_type=base_type, here=True)
            except UsageError as error:
                raise InputError(error.message, hint=error.hint, rule=error.rule) from error

    def _upon_project(self, target: Target, base: _ProjectBase, recorded: Base, kept: Pin | None) -> PinnedTarget:
        model = partial(self._apply, target, lambda: self._model_of(base.pinned, recorded))
        entry = kept if kept and kept.base == recorded else self._entry(target, recorded, model)
        return PinnedTarget(target=target, pin=entry, model=model, is_made=base.pinned.is_made)

    def _upon_base(self, target: Target, recipe: Recipe, written: str, kept: Pin | None) -> PinnedTarget:
        name, restore = base_name(target, written), self._resolver.restore
        if kept and kept.base and kept.base.modelfile is None and not self._options.update(name):
            base = self._completed(target, name, kept.base)
            return self._pinned_upon(target, recipe, base, partial(restore, base), replace(kept, base=base))
        target.check_registry(name)
        if (locked := self._locked_base(target, name)) and (model := self._restored(locked)):
            self._check_quantizations(target, quantization_of(locked))
            return self._pinned_upon(target, recipe, replace(locked, written=written), model, None)
        found = self._resolver.resolve(name, from_server=self._from_server(target))
        self._check_quantizations(target, found.quantization, on_server=found.base.source == SERVER)
        base, previous = replace(found.base, written=written), self._entry_of(target)
        if previous and previous.base and is_same(previous.base, base):
            base = previous.base
        same = kept if kept and kept.base == base else None
        return self._pinned_upon(target, recipe, base, lambda: found.model, same)

    def _locked_base(self, target: Target, name: ModelName) -> Base | None:
        """Return what the lock has of a base: in the entry of a target, or the newest of the others."""
        if self._options.update(name):
            return None
        entry = self._entry_of(target)
        found = newest_base([entry] if entry else [], name) or newest_base(self._pins.values(), name)
        if found is None:
            self.missing.add(name)
        return found

    def _restored(self, locked: Base) -> Callable[[], Model] | None:
        """Return the model of a locked base; None if only the server had it, which has another one now or none."""
        if locked.manifest is not None:
            return partial(self._resolver.restore, locked)
        try:
            model = self._resolver.restore(locked)
        except (NotFound, VerificationError):
            return None
        return lambda: model

    def _completed(self, target: Target, name: ModelName, base: Base) -> Base:
        """Return a base of format 1.0, which a server had, with its source and, if a registry has it, its manifest."""
        if base.is_complete:
            return base
        if self._from_server(target):
            return replace(base, source=SERVER)
        try:
            found = self._resolver.find_in_registry(name)
        except ModelfileError:  # later, perhaps
            return base
        if found and found.base.fingerprint == base.fingerprint:
            return replace(found.base, written=base.written)
        return replace(base, source=SERVER)

    def _pinned_upon(
        self, target: Target, recipe: Recipe, base: Base | None, inherited: Callable[[], Model], kept: Pin | None
    ) -> PinnedTarget:
        """Return the pin of a target upon a base; a server has to convert adapters that are no GGUF files."""
        if recipe.converts_adapters and base:
            bare = Recipe(base=str(ModelName.parse(base.name)), adapters=recipe.adapters, drafts=recipe.drafts)
            inherited = cache(partial(self._create, target, bare))
        model = partial(self._apply, target, inherited)
        if kept:
            return PinnedTarget(target=target, pin=kept, model=model, is_made=recipe.converts_adapters)
        entry = self._entry(target, base, model)
        if recipe.converts_adapters:
            with self._resolver.server() as store:
                entry = replace(entry, ollama=store.ollama)
        return PinnedTarget(target=target, pin=entry, model=model, is_made=recipe.converts_adapters)

    def _upon_files(self, target: Target, recipe: Recipe) -> PinnedTarget:
        if not recipe.files:
            raise InputError(f"`{target.key}`: FROM is empty", hint="name a model, or weights in a file or folder")
        bare = cache(partial(self._bare, target))
        model = cache(partial(self._made, target, bare))
        entry = self._entry(target, None, model)
        if entry.fingerprint:
            digests = target.digests(self._version_of(target), self._events)
            built = tuple(digest for digest in model().weights if digest not in digests.values())
            with self._resolver.server() as store:
                entry = replace(entry, ollama=store.ollama, built=built or None)
        made = bare if recipe.template or not entry.fingerprint else model
        template = self._template(target, made, required=entry.fingerprint is not None)
        return PinnedTarget(target=target, pin=replace(entry, template=template), model=model, is_made=True)

    def _template(self, target: Target, made: Callable[[], Model], *, required: bool) -> str | None:
        """Return the template that a server makes of the chat template in local weights; None if they tell themselves.

        Weights that are always quantized are pinned without a server, too: then it is not `required`.
        """
        recipe = self._with_detected(target, target.recipe(self._version_of(target)))
        if (found := recipe.detected) is not None or not needs_server(recipe):
            return found
        with contextlib.suppress(*([] if required else [ModelfileError])):
            found = made().template
        return "" if found == DEFAULT_TEMPLATE else found

    def _made(self, target: Target, bare: Callable[[], Model] | None = None) -> Model:
        """Return the model of a target that is FROM local files, of which the server makes a model first."""
        if known := self._options.known(target):
            return known
        recipe = target.recipe(self._version_of(target))
        return self._predict(target, recipe) or self._apply(target, bare or partial(self._bare, target))

    def _bare(self, target: Target) -> Model:
        """Return the model that the server makes of the local files of a target alone."""
        recipe = target.recipe(self._version_of(target))
        adapters, drafts = (recipe.adapters, recipe.drafts) if recipe.converts_adapters else ((), ())
        return self._create(target, Recipe(files=recipe.files, adapters=adapters, drafts=drafts))

    def _create(self, target: Target, bare: Recipe) -> Model:
        if predicted := self._predict(target, bare):
            return predicted
        with self._resolver.server() as store:
            return probe(bare, target.digests(self._version_of(target), self._events), store, self._events)

    def _predict(self, target: Target, recipe: Recipe) -> Model | None:
        """Return the model that the store makes of local files; None if it has to make it first, as a server has."""
        with self._resolver.server() as store:
            digests = target.digests(self._version_of(target), self._events)
            return store.predict(self._with_detected(target, recipe), digests)

    def _with_detected(self, target: Target, recipe: Recipe) -> Recipe:
        digests = target.digests(self._version_of(target), self._events)
        return target.with_detected(recipe, self._entry_of(target), digests)

    def _apply(self, target: Target, inherited: Callable[[], Model]) -> Model:
        """Return the model of a Modelfile; of what is inherited, a probe has the adapters that the server converts."""
        version = self._version_of(target)
        recipe = target.recipe(version)
        if recipe.converts_adapters and not self._base_of(target):
            recipe = replace(recipe, adapters=(), drafts=())
        return inherited().with_recipe(recipe, target.digests(version, self._events), version)

    def _entry(self, target: Target, base: Base | None, model: Callable[[], Model]) -> Pin:
        quantizations = target.project.quantizations(target)
        predictable = "" in quantizations and not (base and base.fingerprint is None)
        files, previous = target.portable_digests(self._version_of(target), self._events), self._entry_of(target)
        return Pin(
            text=target.text_digest,
            base=base,
            files=files,
            quantized=previous.quantized if previous and previous.files == files else None,
            fingerprint=fingerprint(model()) if predictable else None,
            quantize=quantized(quantizations) or None,
        )

    def _model_of(self, base: PinnedTarget, recorded: Base) -> Model:
        """Return the base's contents: if a server makes it, from the store if it has them; else from its Modelfile.

        Raises:
            VerificationError: This version of Ollama makes another model of its weights than the pinned one.
        """
        if base.is_made or recorded.fingerprint is None:
            with self._resolver.server() as store:
                found = store.find(ModelName.parse(recorded.name))
            if found and found.fingerprint == recorded.fingerprint:
                return found.model
        model, key = base.model(), base.target.key
        if (made := fingerprint(model)) != recorded.fingerprint:
            with self._resolver.server() as store:
                what = f"the model that Ollama {store.ollama} makes of `{key}`"
            hint = f"use Ollama {base.pin.ollama}, or remove `{key}` from mf.lock and run `mf pin`"
            raise VerificationError(describe_change(what, str(recorded.fingerprint), made), hint=hint)
        return model
