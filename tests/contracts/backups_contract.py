"""What holds of keeping and bringing back on every server: run against the fake one and against a real one."""

from hashlib import file_digest, sha256
from pathlib import Path
from time import sleep

from modelfile.names import ModelName
from modelfile.stores.backups import history, keep, replace_tag, rollback
from modelfile.stores.protocol import Store

NAME, OTHER = ModelName.parse("kept:v1"), ModelName.parse("kept:v2")


def hold(store: Store, weights: Path, name: ModelName, system: str) -> str:
    """Make a model, over what is there; its digest. Two at once would be equally old to a file system's 4 ms."""
    sleep(0.01)
    with weights.open("rb") as file:
        digest = f"sha256:{file_digest(file, 'sha256').hexdigest()}"
    if not store.has_blob(digest):
        store.put_blob(digest, weights, lambda _: None)
    list(store.create(name, {"files": {weights.name: digest}, "system": system}))
    return next(model.digest for model in store.list() if model.name.same_as(name))


def kept_of(name: ModelName, store: Store) -> list[str]:
    """The digests that are kept of a name, the last kept first."""
    return [model.digest for model in history(name, store.list())]


def brings_back(store: Store, weights: Path) -> None:
    """Overwrite, bring back, bring back what that overwrote, and let go of the oldest."""
    first = hold(store, weights, NAME, "first")
    alias = keep(NAME, store, 3)
    assert alias
    second = hold(store, weights, NAME, "second")
    found = store.find(alias)
    assert found
    assert (found.digest, found.model.system) == (first, "first")

    hold(store, weights, OTHER, "other")
    assert rollback(NAME, store).digest == first
    assert rollback(NAME, store).digest == second
    assert kept_of(NAME, store) == [first, second]
    back = rollback(NAME, store, first[7:])
    assert (back.digest, back.before) == (first, second)
    found = store.find(NAME)
    assert found
    assert found.model.system == "first"

    hold(store, weights, NAME, "third")
    keep(NAME, store, limit=2)
    assert kept_of(NAME, store)[1:] == [second]
    for model in store.list():
        if model.name.model == NAME.model:
            store.remove(model.name)


def leaves_no_layers(store: Store, weights: Path) -> None:
    """Copy over what is kept, and over what is not."""

    def has(system: str) -> bool:
        return store.has_blob(f"sha256:{sha256(system.encode()).hexdigest()}")

    hold(store, weights, NAME, "goes")
    other = hold(store, weights, OTHER, "stays")
    assert has("goes")
    assert replace_tag(OTHER, NAME, store)[0].digest == other
    assert not has("goes")
    assert kept_of(NAME, store) == []

    hold(store, weights, NAME, "kept")
    alias = keep(NAME, store, 3)
    replace_tag(OTHER, NAME, store)
    assert has("kept")
    assert [model.name for model in history(NAME, store.list())] == [alias]
    replace_tag(OTHER, NAME, store)
    for model in store.list():
        if model.name.model == NAME.model:
            assert has("stays")
            store.remove(model.name)
    assert not has("stays")
