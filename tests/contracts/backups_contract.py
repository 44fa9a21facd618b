"""The contract of backups and rollbacks on every store, also on a real server."""

from hashlib import file_digest, sha256
from pathlib import Path

from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import back_up, backups_of, replace_tag, restore
from modelfile.stores.protocol import Store

NAME, OTHER = ModelName.parse("kept:v1"), ModelName.parse("kept:v2")


def hold(store: Store, weights: Path, name: ModelName, system: str) -> str:
    """Make a model and return its digest."""
    with weights.open("rb") as file:
        digest = f"sha256:{file_digest(file, 'sha256').hexdigest()}"
    if not store.has_blob(digest):
        store.put_blob(digest, weights, lambda _: None)
    store.create(name, Recipe(files=(weights,), system=system), {weights: digest}, ignore)
    return next(model.digest for model in store.list() if model.name.same_as(name))


def backup_digests(name: ModelName, store: Store) -> list[str]:
    """Return the digests of a name's backups, the newest first."""
    return [model.digest for model in backups_of(name, store.list())]


def restores_backups(store: Store, weights: Path) -> None:
    """Overwrite a tag, roll back, undo the rollback, and evict the oldest backup."""
    first = hold(store, weights, NAME, "first")
    alias = back_up(NAME, store, 3)
    assert alias
    second = hold(store, weights, NAME, "second")
    found = store.find(alias)
    assert found
    assert (found.digest, found.model.system) == (first, "first")

    hold(store, weights, OTHER, "other")
    assert restore(NAME, store).digest == first
    assert restore(NAME, store).digest == second
    assert backup_digests(NAME, store) == [first, second]
    back = restore(NAME, store, first[7:])
    assert (back.digest, back.previous_digest) == (first, second)
    found = store.find(NAME)
    assert found
    assert found.model.system == "first"

    hold(store, weights, NAME, "third")
    back_up(NAME, store, limit=2)
    assert backup_digests(NAME, store)[1:] == [second]


def leaves_no_layers(store: Store, weights: Path) -> None:
    """Overwrite a tag with a backup, and one without."""

    def has(system: str) -> bool:
        return store.has_blob(f"sha256:{sha256(system.encode()).hexdigest()}")

    hold(store, weights, NAME, "discarded")
    other = hold(store, weights, OTHER, "remains")
    assert has("discarded")
    assert replace_tag(OTHER, NAME, store)[0].digest == other
    assert not has("discarded")
    assert backup_digests(NAME, store) == []

    hold(store, weights, NAME, "backed up")
    alias = back_up(NAME, store, 3)
    replace_tag(OTHER, NAME, store)
    assert has("backed up")
    assert [model.name for model in backups_of(NAME, store.list())] == [alias]
    replace_tag(OTHER, NAME, store)
    for model in store.list():
        if model.name.model == NAME.model:
            assert has("remains")
            store.delete(model.name)
    assert not has("remains")
