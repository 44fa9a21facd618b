"""The contents of the models in locks: of bases from manifests and small layers, of models from their Modelfiles."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from modelfile.catalog.versions import release
from modelfile.errors import InputError, ModelfileError, ServerError
from modelfile.lockfile.lock import Base, Pin
from modelfile.names import ModelName
from modelfile.pinning.resolver import Resolver
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.stores.backups import pin_alias

Place: TypeAlias = "tuple[Path, str]"
"""The path of a lock, and the key of a Modelfile in it."""


class LockedModels:
    """The contents of the models in locks, each computed once; nobody is asked before they are needed."""

    def __init__(self, targets: Iterable[Target], resolver: Resolver) -> None:
        """Read nothing yet.

        Args:
            targets: The Modelfiles.
            resolver: Restores bases.
        """
        self._resolver = resolver
        self._targets = {place_of(target): target for target in targets}
        self._restored: dict[tuple[str, str | None], Model | ModelfileError] = {}

    def target(self, place: Place) -> Target | None:
        """Return the Modelfile of an entry, if it is one of the given."""
        return self._targets.get(place)

    def base(self, base: Base) -> Model:
        """Return the contents of a base as the lock has it; of one from a server, also from its pin alias there.

        Raises:
            ModelfileError: They are in neither the lock, nor the cache, the registry or a server, or contradict it.
        """
        key = key_of_base(base)
        if key not in self._restored:
            try:
                self._restored[key] = self._resolver.restore(base)
            except ModelfileError as error:
                self._restored[key] = self._find_alias(base) or error
        if isinstance(found := self._restored[key], ModelfileError):
            raise found
        return found

    def _find_alias(self, base: Base) -> Model | None:
        with contextlib.suppress(ServerError), self._resolver.server() as store:
            found = store.find(pin_alias(ModelName.parse(base.name), base.digest)) if base.digest else None
            return found.model if found and found.fingerprint == base.fingerprint else None
        return None

    def build(self, place: Place, entry_of: Callable[[Place], Pin | None]) -> Model:
        """Return what a build of a Modelfile, as its text is now, gives on the base that an entry has.

        Args:
            place: The Modelfile.
            entry_of: Returns the entry of a Modelfile in a lock; called for those that it is built from, too.

        Raises:
            ModelfileError: Only a server knows it, or the base cannot be restored.
        """
        target, entry = self.target(place), entry_of(place)
        if entry is None or target is None:
            raise InputError(f"`{place[1]}` is not in the lock")
        if entry.base is None:
            raise InputError(f"only a server knows what it makes of the local weights of `{place[1]}`")
        version = release(entry.ollama) if entry.ollama else None
        recipe = target.recipe(version)
        if recipe.converts_adapters:
            raise InputError(f"only a server knows what it makes of the adapters of `{place[1]}`")
        above = entry.base.modelfile
        inherited = self.build((place[0], above), entry_of) if above else self.base(entry.base)
        return inherited.with_recipe(recipe, target.digests(version), version)


def place_of(target: Target) -> Place:
    """Return where the entry of a Modelfile is, or is to be."""
    return target.project.lock_to_write(target.folder).path, target.key


def key_of_base(base: Base) -> tuple[str, str | None]:
    """Return a key of the contents of a base in a lock."""
    return base.name, base.digest or base.fingerprint
