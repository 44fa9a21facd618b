"""Models for the tests of the library."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from modelfile.events import ignore
from modelfile.library.lookup import show
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.stores.memory import MemoryStore

V1, V2 = ModelName.parse("bot:v1"), ModelName.parse("bot:v2")


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with two models."""
    base = ModelName.parse("base:v1")
    ticks: Iterator[int] = count()
    made = MemoryStore(
        registry={base: Model(system="base")},
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(0, next(ticks)),
    )
    write(made, V1, "one")
    write(made, V2, "two")
    return made


def write(store: MemoryStore, name: ModelName, system: str) -> None:
    store.create(name, Recipe(system=system), {}, ignore)


def system(store: MemoryStore, name: ModelName) -> str:
    return show(str(name), store).model.system
