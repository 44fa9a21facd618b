"""Pin Modelfiles that are FROM one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modelfile.events import Events
from modelfile.lock.resolve import Entry, Pinned, pin
from modelfile.lock.schema import Lock, Pin
from modelfile.lock.verify import drift_of_files
from modelfile.stores.protocol import Store


def pin_all(
    entries: Iterable[Entry],
    former: dict[str, Pin],
    makers: Mapping[str, Entry],
    store: Store,
    events: Events,
    *,
    pull: bool,
) -> dict[str, Pin]:
    """Pin Modelfiles, each after what it is FROM.

    Args:
        entries: What to pin.
        former: What the lock has.
        makers: By the keys of Modelfiles, the Modelfile of the project that makes what one is FROM. Where that one is
            pinned too, or is as the lock has it, what it gives is the base, whether or not the store has it yet.
        store: Where to ask.
        events: Is told how it goes.
        pull: Whether to fetch a base that the store does not have.

    Raises:
        InputError: One names no base, or a local file cannot be read.
        NotFound: The store has no such base, and `pull` is false.
        ServerError: The store cannot say, or cannot pull it.
    """
    due = {entry.key: entry for entry in entries}
    done: dict[str, Pinned | None] = {}

    def pinned(entry: Entry) -> Pinned | None:
        if entry.key not in done:
            done[entry.key] = None  # as long as it is under way: of a circle, one is FROM what the store has
            done[entry.key] = pin(entry, former.get(entry.key), store, events, pull=pull, base=made_by(entry))
        return done[entry.key]

    def made_by(entry: Entry) -> Pinned | None:
        maker = makers.get(entry.key)
        if maker is None or maker.key in due:
            return pinned(maker) if maker else None
        if any(drift_of_files(maker, Lock(modelfiles=former))):
            return None
        now = pinned(maker)
        return now if now and now.pin.fingerprint == former[maker.key].fingerprint else None

    return {key: now.pin for key, entry in due.items() if (now := pinned(entry))}
