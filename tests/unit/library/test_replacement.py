"""Names that get another model: copy and pull."""

import pytest
from tests.unit.library.conftest import V1, system

from modelfile.errors import UsageError, WouldReplace
from modelfile.events import ignore
from modelfile.library.replacement import copy, pull
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.stores.memory import MemoryStore


def test_a_copy_overwrites_only_if_told_and_leaves_a_backup(store: MemoryStore) -> None:
    with pytest.raises(WouldReplace, match="bot:v1") as raised:
        copy("bot:v2", "bot:v1", store)
    assert raised.value.details == ("changes: system (may change answers)",)
    with pytest.raises(UsageError, match="tag"):
        copy("bot:v2", "other", store)
    done = copy("bot:v2", "bot:v1", store, replace=True)
    assert done.copied
    assert done.backup
    assert (system(store, V1), system(store, done.backup)) == ("two", "one")
    assert not copy("bot:v2", "bot:v1", store).copied


def test_a_pull_reports_the_previous_digest(store: MemoryStore) -> None:
    first = pull("base:v1", store)
    assert first.previous is None
    assert pull("base:v1", store).previous == first.digest


def test_a_pull_of_an_immutable_tag_names_what_would_change() -> None:
    moved = Model(weights=("sha256:1",), template="{{ .Tools }}", parameters={"seed": 1})
    store = MemoryStore(registry={V1: moved})
    store.create(V1, Recipe(system="one"), {}, ignore)
    with pytest.raises(WouldReplace, match="bot:v1 on memory: is an immutable tag") as raised:
        pull("bot:v1", store)
    assert raised.value.details == (
        "changes: weights, parameter seed, template, system, capabilities (may change answers)",
    )
    assert system(store, V1) == "one"
