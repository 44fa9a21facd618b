"""Models found by name, pattern or digest."""

from dataclasses import replace

import pytest
from tests.unit.library.conftest import V1, V2, write

from modelfile.errors import NotFound, UsageError
from modelfile.library.lookup import list_models, show
from modelfile.library.removal import plan_removal
from modelfile.library.replacement import copy
from modelfile.names import ModelName
from modelfile.stores.memory import MemoryStore


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


def test_a_backup_is_named_by_its_digest_where_no_tag_has_it(store: MemoryStore) -> None:
    digest = show("bot:v1", store).digest
    replaced = copy("bot:v2", "bot:v1", store, replace=True)
    assert show(digest[:14], store).name == replaced.backup


@pytest.mark.parametrize("text", ["abcde", "sha256:", "abcdef:v1", "x" * 6, "abcdeg"])
def test_other_texts_are_no_digests(store: MemoryStore, text: str) -> None:
    with pytest.raises((NotFound, UsageError)) as caught:
        show(text, store)
    assert "digest" not in caught.value.message
