"""Tags without a model."""

from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.library.tags import find_models, tags_here, visible_models
from modelfile.names import ModelName
from modelfile.project.project import Project
from modelfile.stores.memory import MemoryStore


def test_two_tags_are_those_of_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notes: list[str] = []
    store = MemoryStore.with_models("a:v1", "a:v2", "b:v1", "c:v3", "x:mf-building-here-v1")
    found = find_models(["v1", "v2", "c:v3", "none"], Project(), store, notes.append)
    assert {word: str(name) for word, name in found.items()} == {"c:v3": "c:v3"}
    found = find_models(["v1", "v2"], Project(), store, notes.append)
    assert {word: str(name) for word, name in found.items()} == {"v1": "a:v1", "v2": "a:v2"}
    assert notes == ["`v1` and `v2` are tags of a"]
    assert len(visible_models(store)) == 4
    assert find_models([], Project(), store) == {}


def test_tags_of_the_models_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Modelfile").write_text("FROM a\n")
    Path("mf.toml").write_text(
        '[models.one]\nmodelfile = "Modelfile"\ntag = "v1"\n[models.two]\nmodelfile = "Modelfile"\ntag = "v1"\n'
    )
    assert tags_here("v1", Project())[:2] == ("one:v1", "two:v1")
    assert tags_here("a:v1", Project()) == tags_here("a/v1", Project()) == ()
    store = MemoryStore.with_models("one:v1", "two:v2")
    assert find_models(["v1"], Project(), store) == {"v1": ModelName.parse("one:v1")}
    with pytest.raises(InputError, match="`v1` and `v2` are tags of different models"):
        find_models(["v1", "v2"], Project(), store)
