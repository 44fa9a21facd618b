"""The removal of models."""

import pytest
from tests.unit.library.conftest import V2, write

from modelfile.errors import UsageError
from modelfile.library.lookup import list_models, show
from modelfile.library.removal import plan_removal, remove
from modelfile.library.replacement import copy
from modelfile.names import ModelName
from modelfile.stores.memory import MemoryStore


def test_a_removal_is_planned_before_it_is_done(store: MemoryStore) -> None:
    copy("bot:v2", "bot:v1", store, replace=True)
    removal = plan_removal(["bot:v1", "none:v1", "bot:v1"], store)
    assert [str(model.name) for model in removal.models] == ["bot:v1"]
    assert [str(name) for name, _ in removal.missing] == ["none:v1"]
    assert removal.backups_left == 1
    assert removal.sharing(removal.models[0]) == (V2,)
    with_backups = plan_removal(["bot:v1"], store, backups=True)
    assert [error for _, error in remove(with_backups, store)] == [None, None]
    assert [str(model.name) for model in list_models(store, internal=True)] == ["bot:v2"]


def test_a_digest_of_several_names_cannot_be_removed(store: MemoryStore) -> None:
    copy("bot:v2", "bot:prod", store)
    start = show("bot:v2", store).digest.removeprefix("sha256:")[:12]
    with pytest.raises(UsageError, match=f"several names have a digest starting with {start} on") as caught:
        plan_removal([start], store)
    assert caught.value.hint == f"name one: bot:prod ({start}), bot:v2 ({start})"
    assert show(start, store).name == ModelName.parse("bot:prod")


def test_a_removal_takes_patterns_as_a_listing_does(store: MemoryStore) -> None:
    copy("bot:v2", "bot:v1", store, replace=True)
    write(store, ModelName.parse("other:v1"), "three")
    for pattern, names in (
        ("bot*", {"bot:v1", "bot:v2"}),
        ("*:V1", {"bot:v1", "other:v1"}),
        ("bot:v[2-9]", {"bot:v2"}),
    ):
        assert {str(model.name) for model in plan_removal([pattern], store).models} == names
    assert len(plan_removal(["bot*"], store, backups=True).models) == 3
    removal = plan_removal(["none*", "bot:v1"], store)
    ((text, error),) = removal.missing
    assert (text, error.message) == ("none*", f"no model on {store.location} matches `none*`")
