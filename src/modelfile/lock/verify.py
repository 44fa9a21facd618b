"""Drift: what is no longer as the lock has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelfile.catalog.versions import release
from modelfile.errors import NotFound
from modelfile.lock.resolve import Entry
from modelfile.lock.schema import Lock, Pin
from modelfile.lockfile import text_digest
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.recipe.recipe import resolve
from modelfile.stores.protocol import Store
from modelfile.weights.digests import digests_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One thing that is not as the lock has it."""

    modelfile: str
    what: str


def drift_of_files(entry: Entry, lock: Lock) -> Iterator[Drift]:
    """What of a Modelfile and its local files differs from the lock."""
    pin = lock.modelfiles.get(entry.key)
    if pin is None:
        yield Drift(modelfile=entry.key, what="is not in the lock")
        return
    if pin.text != text_digest(entry.modelfile):
        yield Drift(modelfile=entry.key, what="has changed since it was pinned")
    recipe = resolve(entry.modelfile, entry.folder, release(pin.ollama) if pin.ollama else None)
    now = {entry.portable(path): digest for path, digest in digests_of(recipe.local_files).items()}
    for name in sorted(pin.files.keys() | now.keys()):
        match pin.files.get(name), now.get(name):
            case None, _:
                yield Drift(modelfile=entry.key, what=f"uses `{name}`, which is not in the lock")
            case _, None:
                yield Drift(modelfile=entry.key, what=f"no longer uses `{name}`")
            case before, after if before != after:
                yield Drift(modelfile=entry.key, what=f"`{name}` has changed since it was pinned")


def base_drift(entry: Entry, lock: Lock) -> Iterator[Drift]:
    """What a Modelfile is FROM, where the project makes that, against what the lock has for its Modelfile."""
    pin = lock.modelfiles.get(entry.key)
    if pin is None or (base := pin.project_base) is None:
        return
    made = lock.modelfiles.get(base.modelfile)
    if made is None:
        yield Drift(modelfile=entry.key, what=f"its base {base.written} is made of `{base.modelfile}`: not in the lock")
    elif made.fingerprint != base.fingerprint:
        gives = f"and `{base.modelfile}` gives {made.fingerprint[:16]}…"
        what = f"its base {base.written} is pinned as {base.fingerprint[:16]}…, {gives}"
        yield Drift(modelfile=entry.key, what=what)


def drift_of_base(entry: Entry, pin: Pin, store: Store) -> Iterator[Drift]:
    """Whether the base of a Modelfile has moved on the store since it was pinned, and with it what a build gives.

    A base that the project makes does not move: where the store has another or none, it is only not built yet.

    Raises:
        NotFound: The store does not have the base, so that nobody can tell.
    """
    if (base := pin.ground) is None:
        return
    found = store.find(ModelName.parse(base.name))
    if pin.project_base and (found is None or fingerprint(found.model) != base.fingerprint):
        return
    if found is None:
        raise NotFound(
            f"{entry.key}: its base {base.written} is not on {store.place}: nobody can tell whether it has moved",
            hint=f"run `ollama pull {base.written}`, or leave moved bases unnoticed with --frozen",
        )
    if (now := fingerprint(found.model)) != base.fingerprint:
        moved = f"its base {base.written} has moved on {store.place}"
        yield Drift(modelfile=entry.key, what=f"{moved}: pinned {base.fingerprint[:16]}…, now {now[:16]}…")
    elif pin.text == text_digest(entry.modelfile):
        recipe = resolve(entry.modelfile, entry.folder, release(store.version()))
        gives = fingerprint(found.model.with_recipe(recipe, digests_of(recipe.local_files)))
        if gives != pin.fingerprint:
            what = f"a build gives {gives[:16]}…, and the lock says {pin.fingerprint[:16]}…"
            yield Drift(modelfile=entry.key, what=what)
