"""The models of a store: list, show, copy, remove, pull, roll back."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from modelfile.errors import NotFound, UsageError, WouldReplace
from modelfile.events import ignore
from modelfile.library import backups, copy, list_models, plan_removal, pull, remove, rollback, show
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


def test_models_are_listed_newest_first_without_backups(store: MemoryStore) -> None:
    copy("bot:v2", "bot:v1", store, replace=True)
    assert [str(model.name) for model in list_models(store)] == ["bot:v1", "bot:v2"]
    assert len(list_models(store, internal=True)) == 3
    assert [str(model.name) for model in list_models(store, "BOT:*2")] == ["bot:v2"]
    assert len(list_models(store, "bot")) == 2
    assert not list_models(store, "b")


def test_a_missing_model_is_an_error_that_suggests_others(store: MemoryStore) -> None:
    with pytest.raises(NotFound) as caught:
        show("bot:v3", store)
    assert "bot:v1" in (caught.value.hint or "")


def test_a_copy_overwrites_only_if_told_and_leaves_a_backup(store: MemoryStore) -> None:
    with pytest.raises(WouldReplace, match="bot:v1"):
        copy("bot:v2", "bot:v1", store)
    with pytest.raises(UsageError, match="tag"):
        copy("bot:v2", "other", store)
    done = copy("bot:v2", "bot:v1", store, replace=True)
    assert done.copied
    assert done.backup
    assert (system(store, V1), system(store, done.backup)) == ("two", "one")
    assert not copy("bot:v2", "bot:v1", store).copied


def test_a_rollback_and_its_undoing(store: MemoryStore) -> None:
    copy("bot:v2", "bot:v1", store, replace=True)
    assert [backup.current for backup in backups("bot:v1", store)] == [False]
    with pytest.raises(WouldReplace, match="bot:v1"):
        rollback("bot:v1", store)
    assert system(store, V1) == "two"
    done = rollback("bot:v1", store, replace=True)
    assert system(store, V1) == "one"
    assert rollback("bot:v1", store, replace=True).fingerprint != done.fingerprint
    assert system(store, V1) == "two"
    assert done.fingerprint
    assert rollback("bot:v1", store, done.fingerprint[:12], replace=True).digest == done.digest
    with pytest.raises(NotFound):
        rollback("bot:v1", store, "mf1:0000")
    with pytest.raises(UsageError):
        rollback("bot:v1", store, "mf1:")


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


@pytest.mark.parametrize("form", ["{}", "sha256:{}", "sha256-{}", "SHA256:{}", "{}…"])
def test_the_start_of_a_digest_names_a_model(store: MemoryStore, form: str) -> None:
    digest = show("bot:v2", store).digest.removeprefix("sha256:")
    for start in (digest[:6], digest[:12], digest):
        text = form.format(start)
        assert show(text, store).name == V2
        assert [model.name for model in plan_removal([text], store).models] == [V2]
        assert copy(text, "copy:v1", store).source == V2
        store.delete(ModelName.parse("copy:v1"))
    assert plan_removal([form.format("0" * 6)], store).models == ()


def test_a_name_is_preferred_to_a_digest(store: MemoryStore) -> None:
    start = show("bot:v2", store).digest.removeprefix("sha256:")[:8]
    write(store, ModelName.parse(start), "three")
    assert show(start, store).model.system == "three"
    assert show(f"sha256:{start}", store).model.system == "two"


def test_a_digest_that_is_ambiguous_names_the_candidates(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = list_models(store)
    shared = [replace(model, digest=f"sha256:abcdef{number}{'0' * 57}") for number, model in enumerate(listed)]
    monkeypatch.setattr(store, "list", lambda: tuple(shared))
    with pytest.raises(UsageError, match="several models have digests starting with abcdef on") as caught:
        show("abcdef", store)
    assert caught.value.hint == "give more digits, or name one: bot:v2 (abcdef000000), bot:v1 (abcdef100000)"
    assert show("abcdef1", store).name == V1


def test_a_digest_of_several_names_cannot_be_removed(store: MemoryStore) -> None:
    copy("bot:v2", "bot:prod", store)
    start = show("bot:v2", store).digest.removeprefix("sha256:")[:12]
    with pytest.raises(UsageError, match=f"several names have a digest starting with {start} on") as caught:
        plan_removal([start], store)
    assert caught.value.hint == f"name one: bot:prod ({start}), bot:v2 ({start})"
    assert show(start, store).name == ModelName.parse("bot:prod")


def test_a_backup_is_named_by_its_digest_where_no_tag_has_it(store: MemoryStore) -> None:
    digest = show("bot:v1", store).digest
    replaced = copy("bot:v2", "bot:v1", store, replace=True)
    assert show(digest[:14], store).name == replaced.backup


@pytest.mark.parametrize("text", ["abcde", "sha256:", "abcdef:v1", "x" * 6, "abcdeg"])
def test_other_texts_are_no_digests(store: MemoryStore, text: str) -> None:
    with pytest.raises((NotFound, UsageError)) as caught:
        show(text, store)
    assert "digest" not in caught.value.message


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


def test_a_pull_reports_the_previous_digest(store: MemoryStore) -> None:
    first = pull("base:v1", store)
    assert first.previous is None
    assert pull("base:v1", store).previous == first.digest
