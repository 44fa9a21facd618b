"""Pin a Modelfile: ask a store what its base is now."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelfile.catalog.versions import release
from modelfile.errors import InputError, ModelfileError, NotFound
from modelfile.events import Events
from modelfile.filesystem import name_lock
from modelfile.lock.schema import Base, Pin, ProjectBase
from modelfile.lockfile import text_digest
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe, resolve
from modelfile.stores.protocol import Store
from modelfile.stores.staging import staging_name
from modelfile.stores.uploads import fetch, send_all
from modelfile.syntax.modelfile import Modelfile
from modelfile.weights.digests import digests_of

_LOG: Final = "look at the server's log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A Modelfile of the project."""

    root: Path
    """The lock's folder."""
    path: Path
    modelfile: Modelfile

    @property
    def key(self) -> str:
        """The Modelfile's path in the lock, with `/`."""
        return self.path.resolve().relative_to(self.root).as_posix()

    @property
    def folder(self) -> Path:
        """What paths in the Modelfile are relative to."""
        return self.path.parent

    def portable(self, path: Path) -> str:
        """A local file's path as the lock has it: from the Modelfile's folder or from `~`, where it can be."""
        for file in (path.absolute(), path.resolve()):
            if file.is_relative_to(self.root):
                return Path(os.path.relpath(file, self.path.resolve().parent)).as_posix()
        home = Path.home()
        return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else path.as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A Modelfile that is pinned."""

    entry: Entry
    pin: Pin
    model: Callable[[], Model]
    """What a build gives; a server may have to make it, for a pin that is as it was is not made anew."""


def pin(
    entry: Entry, former: Pin | None, store: Store, events: Events, *, pull: bool, base: Pinned | None = None
) -> Pinned:
    """What the Modelfile's base is on the store, and what a build of it gives.

    Args:
        entry: The Modelfile.
        former: What the lock has for it; where local files are as they were, nothing is asked of them again.
        store: Where to ask.
        events: Is told how it goes.
        pull: Whether to fetch a base that the store does not have.
        base: What it is FROM, where that is to be what another Modelfile gives.

    Raises:
        InputError: It names no base, or a local file cannot be read.
        NotFound: The store has no such base, and `pull` is false.
        ServerError: The store cannot say, or cannot pull it.
    """
    version = store.version()
    recipe = resolve(entry.modelfile, entry.folder, release(version))
    digests = digests_of(recipe.local_files, events)
    text = text_digest(entry.modelfile)
    files = {entry.portable(path): digest for path, digest in digests.items()}

    def upon(model: Model) -> Model:
        return model.with_recipe(recipe, digests)

    if recipe.base and base:
        ground = _project_base(recipe.base, base)
        if former and (former.text, former.files, former.project_base) == (text, files, ground):
            return Pinned(entry=entry, pin=former, model=lambda: upon(_given(ground, base, store)))
        model = upon(_given(ground, base, store))
        made = Pin(text=text, project_base=ground, files=files, fingerprint=fingerprint(model))
    elif recipe.base:
        named, held = _pin_base(recipe.base, store, events, pull=pull)
        model = upon(held)
        made = Pin(text=text, base=named, files=files, fingerprint=fingerprint(model))
    elif not recipe.files:
        raise InputError(f"`{entry.key}`: FROM names nothing to build from")
    elif former and (former.text, former.files, former.ollama) == (text, files, version):
        return Pinned(entry=entry, pin=former, model=lambda: upon(_probe(recipe, digests, store, events)))
    else:
        probed = _probe(recipe, digests, store, events)
        model = upon(probed)
        made = Pin(
            text=text,
            files=files,
            fingerprint=fingerprint(model),
            ollama=version,
            built=tuple(digest for digest in probed.weights if digest not in digests.values()) or None,
        )
    return Pinned(entry=entry, pin=made, model=lambda: model)


def _project_base(written: str, base: Pinned) -> ProjectBase:
    name = ModelName.parse(written).full
    return ProjectBase(written=written, name=name, fingerprint=base.pin.fingerprint, modelfile=base.entry.key)


def _given(ground: ProjectBase, base: Pinned, store: Store) -> Model:
    """What the base holds; the store may have it, else what its Modelfile gives is found out."""
    found = store.find(ModelName.parse(ground.name))
    return found.model if found and fingerprint(found.model) == ground.fingerprint else base.model()


def _pin_base(written: str, store: Store, events: Events, *, pull: bool) -> tuple[Base, Model]:
    name = ModelName.parse(written)
    found = store.find(name)
    if found is None and pull:
        fetch(name, store, events)
        found = store.find(name)
    if found is None and pull:
        raise NotFound(f"{store.place} says it pulled {name}, and does not have it", hint=_LOG)
    if found is None:
        raise NotFound(
            f"the base {name} is not on {store.place}", hint=f"run `ollama pull {name}`, or leave --no-pull out"
        )
    return Base(written=written, name=name.full, digest=found.digest, fingerprint=fingerprint(found.model)), found.model


def _probe(recipe: Recipe, digests: Mapping[Path, str], store: Store, events: Events) -> Model:
    """What the store makes of local weights alone: it may add a template and parameters, or rewrite the weights."""
    bare = Recipe(files=recipe.files)
    name = staging_name(ModelName(model="mf-probe", tag=digests[recipe.files[0]].replace(":", "-")))
    with name_lock(name.full, store.place, events, f"pin of {recipe.files[0].name}"):  # its blobs go with it
        send_all({path: digests[path] for path in recipe.files}, store, events)
        try:
            for progress in store.create(name, bare.request(digests, release(store.version()))):
                events(progress)
            found = store.find(name)
            if found is None:
                raise NotFound(f"{store.place} says it made {name}, and does not have it", hint=_LOG)
            return found.model
        finally:
            with contextlib.suppress(ModelfileError):  # the failure that led here says more
                store.remove(name)
