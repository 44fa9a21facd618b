"""Drift: what is no longer as the lock has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelfile.catalog.versions import release
from modelfile.errors import NotFound
from modelfile.lock.header import text_digest
from modelfile.lock.resolve import Entry
from modelfile.lock.schema import Lock, Pin
from modelfile.names import ModelName
from modelfile.semantics.files import digests_of
from modelfile.semantics.fingerprint import fingerprint
from modelfile.semantics.resolve import resolve
from modelfile.store.base import Store


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
    now = {entry.portable(path): digest for path, digest in digests_of(recipe).items()}
    for name in sorted(pin.files.keys() | now.keys()):
        match pin.files.get(name), now.get(name):
            case None, _:
                yield Drift(modelfile=entry.key, what=f"uses `{name}`, which is not in the lock")
            case _, None:
                yield Drift(modelfile=entry.key, what=f"no longer uses `{name}`")
            case before, after if before != after:
                yield Drift(modelfile=entry.key, what=f"`{name}` has changed since it was pinned")


def drift_of_base(entry: Entry, pin: Pin, store: Store) -> Iterator[Drift]:
    """Whether the base of a Modelfile has moved on the store since it was pinned, and with it what a build gives.

    Raises:
        NotFound: The store does not have the base, so that nobody can tell.
    """
    if pin.base is None:
        return
    found = store.find(ModelName.parse(pin.base.name))
    if found is None:
        raise NotFound(
            f"{entry.key}: its base {pin.base.written} is not on {store.place}: nobody can tell whether it has moved",
            hint=f"run `ollama pull {pin.base.written}`, or leave moved bases unnoticed with --frozen",
        )
    if (now := fingerprint(found.model)) != pin.base.fingerprint:
        moved = f"its base {pin.base.written} has moved on {store.place}"
        yield Drift(modelfile=entry.key, what=f"{moved}: pinned {pin.base.fingerprint[:16]}…, now {now[:16]}…")
    elif pin.text == text_digest(entry.modelfile):
        recipe = resolve(entry.modelfile, entry.folder, release(store.version()))
        gives = fingerprint(found.model.with_recipe(recipe, digests_of(recipe)))
        if gives != pin.fingerprint:
            what = f"a build gives {gives[:16]}…, and the lock says {pin.fingerprint[:16]}…"
            yield Drift(modelfile=entry.key, what=what)
