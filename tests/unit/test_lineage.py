"""The bases of models, from project, store and lock."""

from hashlib import sha256
from pathlib import Path

import pytest
from tests.support.tiny_gguf import bare_gguf, typed_gguf
from tests.support.tiny_safetensors import write_model

from modelfile.catalog.chat_templates import ChatTemplate
from modelfile.effective import Effective, OriginKind, PromptKind
from modelfile.errors import InputError, NotFound, ServerUnreachable
from modelfile.events import ignore
from modelfile.lineage import trace_model, trace_target
from modelfile.names import ModelName
from modelfile.project.project import Project
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import pin_alias
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import ListedModel, StoredModel

BASE, BOT, TOP = (ModelName.parse(name) for name in ("base:v1", "bot:v1", "top:v1"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with three models, each built on the other."""
    store = MemoryStore.with_models("llama3.2:3b")
    store.create(BASE, Recipe(base="llama3.2:3b", system="S", parameters={"top_k": 1}), {}, ignore)
    store.create(BOT, Recipe(base="base:v1", parameters={"top_p": 0.5}), {}, ignore)
    store.create(TOP, Recipe(base="bot:v1", parameters={"seed": 3}), {}, ignore)
    return store


def model(name: ModelName, store: MemoryStore) -> Effective:
    stored = store.find(name)
    assert stored
    return trace_model(stored, Project(), store, None)


def chain(found: Effective) -> list[str]:
    return [level.name for level in found.levels]


def sources(found: Effective) -> dict[str, str]:
    origins = {**found.origins, **{name: origin for name, (_, origin) in found.parameters.items()}}
    return {name: f"{each.name}:{each.line}" if each.line else each.name for name, each in origins.items()}


def test_a_model_of_a_store_has_the_chain_of_its_bases(store: MemoryStore) -> None:
    found = model(TOP, store)
    assert chain(found) == ["top:v1", "bot:v1", "base:v1", "llama3.2:3b"]
    assert sources(found) == {"system": "base:v1", "top_k": "base:v1", "top_p": "bot:v1", "seed": "top:v1"}
    assert found.end == ""


def test_the_alias_of_a_pinned_base_has_the_name_of_its_tag(store: MemoryStore) -> None:
    base = store.find(BASE)
    assert base
    alias, other = pin_alias(BASE, base.digest), ModelName.parse("a:v1")
    for name in (alias, other):
        store.copy(BASE, name)
    store.create(BOT, Recipe(base=str(alias)), {}, ignore)
    assert chain(model(BOT, store)) == ["bot:v1", "base:v1", "llama3.2:3b"]
    store.delete(BASE)
    assert chain(model(BOT, store)) == ["bot:v1", str(alias), "llama3.2:3b"]


def test_a_chain_ends_at_a_base_that_is_gone(store: MemoryStore) -> None:
    store.delete(BASE)
    found = model(TOP, store)
    assert (chain(found), found.end) == (["top:v1", "bot:v1"], "base:v1, which is not found on memory:")


def test_a_chain_ends_at_a_base_with_other_weights(store: MemoryStore) -> None:
    store.create(BASE, Recipe(system="S"), {}, ignore)
    found = model(TOP, store)
    assert (chain(found), found.end) == (["top:v1", "bot:v1"], "base:v1, which has other weights now")


def test_a_chain_ends_at_a_circle(store: MemoryStore) -> None:
    store.create(BASE, Recipe(base="bot:v1"), {}, ignore)
    found = model(BOT, store)
    assert (chain(found), found.end) == (["bot:v1", "base:v1", "bot:v1"], "base:v1, which is built on itself")


def test_a_model_without_a_store_is_alone(store: MemoryStore) -> None:
    stored = store.find(BOT)
    assert stored
    found = trace_model(stored, Project(), None, None)
    assert (chain(found), found.end) == (["bot:v1"], "base:v1")


def test_a_server_that_stops_to_answer_ends_the_chain(store: MemoryStore) -> None:
    class Silent(MemoryStore):
        def list(self) -> tuple[ListedModel, ...]:
            raise ServerUnreachable("gone")

    stored = store.find(BOT)
    assert stored
    assert trace_model(stored, Project(), Silent(), None).end == "base:v1, which is not found on memory:"


def write_project(here: Path) -> None:
    (here / "mf.toml").write_text(
        '[models.base]\ntag = "v1"\nmodelfile = "base.Modelfile"\n'
        '[models.bot]\ntag = "v1"\nmodelfile = "bot.Modelfile"\n'
    )
    (here / "base.Modelfile").write_text("FROM llama3.2:3b\nPARAMETER top_k 1\nSYSTEM S\n")
    (here / "bot.Modelfile").write_text("# The bot.\nFROM base:v1\nPARAMETER top_p 0.5\n")


def test_lines_of_the_project_are_known_of_models_and_their_bases(here: Path, store: MemoryStore) -> None:
    write_project(here)
    found = model(TOP, store)
    assert sources(found) == {
        "system": "base.Modelfile:3",
        "top_k": "base.Modelfile:2",
        "top_p": "bot.Modelfile:3",
        "seed": "top:v1",
    }


def test_a_damaged_modelfile_or_configuration_hides_no_model(here: Path, store: MemoryStore) -> None:
    write_project(here)
    (here / "base.Modelfile").write_text("FORM llama3.2:3b\n")
    assert sources(model(TOP, store))["system"] == "base:v1"
    (here / "bot.Modelfile").unlink()
    assert sources(model(TOP, store))["top_p"] == "bot:v1"


def target(path: str, store: MemoryStore) -> Effective:
    return trace_target(Project().at(Path(path)), store)[0]


def test_the_first_line_counts_where_instructions_add_up(here: Path, store: MemoryStore) -> None:
    write_project(here)
    (here / "Modelfile").write_text(
        "FROM bot:v1\nPARAMETER stop a\nPARAMETER seed 1\nPARAMETER seed 2\nPARAMETER stop b\n"
        "MESSAGE user a\nMESSAGE user b\n"
    )
    found = target("Modelfile", store)
    assert chain(found) == ["Modelfile", "bot:v1", "base:v1", "llama3.2:3b"]
    assert sources(found) == {
        "system": "base.Modelfile:3",
        "top_k": "base.Modelfile:2",
        "top_p": "bot.Modelfile:3",
        "stop": "Modelfile:2",
        "seed": "Modelfile:4",
        "messages": "Modelfile:6",
    }


def test_a_base_that_is_nowhere_is_an_error(here: Path, store: MemoryStore) -> None:
    (here / "Modelfile").write_text("FROM none:v1\n")
    with pytest.raises(NotFound, match="base none:v1 of `Modelfile` not found"):
        target("Modelfile", store)


def test_local_weights_are_known_as_far_as_their_header_says(here: Path, store: MemoryStore) -> None:
    (here / "w.gguf").write_bytes(
        typed_gguf({"general.architecture": "llama", "llama.context_length": 128, "general.file_type": 15}, {})
    )
    (here / "Modelfile").write_text("FROM ./w.gguf\nPARAMETER num_ctx 512\n")
    found, expected = trace_target(Project().at(Path("Modelfile")), store)
    assert expected is None
    weights = found.weights
    assert (weights.family, weights.quantization, weights.context_length) == ("llama", "Q4_K_M", 128)
    assert (found.undecided, found.prompt.kind) == (("template",), PromptKind.NONE)
    ((digest, origin),) = found.files.items()
    assert (digest[:7], origin.name, origin.line) == ("sha256:", "Modelfile", 1)


def test_a_recognized_chat_template_brings_its_stops(
    here: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    known = ChatTemplate(
        name="chatml",
        sha256=sha256(chat.encode()).hexdigest(),
        characters={},
        template="sha256:1",
        size=1,
        stop=("<|im_end|>",),
    )
    monkeypatch.setattr("modelfile.catalog.chat_templates.chat_templates", lambda: (known,))
    (here / "w.gguf").write_bytes(typed_gguf({"general.architecture": "llama", "tokenizer.chat_template": chat}, {}))
    (here / "Modelfile").write_text("FROM ./w.gguf\n")
    found = target("Modelfile", store)
    assert (found.prompt.kind, found.prompt.name, found.undecided) == (PromptKind.TEMPLATE, "chatml", ("template",))
    value, origin = found.parameters["stop"]
    assert (value, origin.kind) == (("<|im_end|>",), OriginKind.WEIGHTS)
    (here / "w.gguf").write_bytes(
        typed_gguf({"general.architecture": "llama", "tokenizer.chat_template": f"{chat}!"}, {})
    )
    found = trace_target(Project().at(Path("Modelfile")), store)[0]
    assert (found.prompt.kind, found.undecided) == (PromptKind.UNKNOWN, ("template", "parameter stop"))


def test_large_files_are_not_hashed(here: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.lineage._QUICK", 10)
    (here / "w.gguf").write_bytes(bare_gguf("w"))
    (here / "Modelfile").write_text("FROM ./w.gguf\nTEMPLATE {{ .Prompt }}!\n")
    found = target("Modelfile", store)
    assert (found.undecided, found.files, sources(found)) == (("weights",), {}, {"template": "Modelfile:2"})
    (here / "Modelfile").write_text("FROM base:v1\nADAPTER ./w.gguf\n")
    found = target("Modelfile", store)
    assert (found.undecided, found.origins["system"].name) == (("adapter",), "base:v1")
    assert [*found.files.values()] == [found.files[found.model.weights[0]]]


def test_a_missing_file_is_an_error(here: Path, store: MemoryStore) -> None:
    (here / "Modelfile").write_text("FROM base:v1\nADAPTER ./none.gguf\n")
    with pytest.raises(InputError, match=r"none\.gguf"):
        target("Modelfile", store)


def test_reported_capabilities_are_those_of_the_store(store: MemoryStore) -> None:
    stored = StoredModel(name=BOT, digest="sha256:1", model=store.find(BOT).model, capabilities=("embedding",))  # type: ignore[union-attr]  # it is there
    assert [each.name for each in trace_model(stored, Project(), store, None).capabilities] == ["embedding"]


def test_files_of_safetensors_are_no_projectors(here: Path, store: MemoryStore) -> None:
    write_model(here / "folder", shards=2)
    (here / "Modelfile").write_text("FROM ./folder\n")
    assert target("Modelfile", store).capabilities == ()


def test_parts_of_a_model_are_no_projectors(here: Path, store: MemoryStore) -> None:
    for number in (0, 1):
        part = typed_gguf({"general.architecture": "llama", "split.no": number, "split.count": 2})
        (here / f"m-0000{number + 1}-of-00002.gguf").write_bytes(part)
    (here / "Modelfile").write_text(
        "FROM ./m-00001-of-00002.gguf\nFROM ./m-00002-of-00002.gguf\nTEMPLATE {{ .Prompt }}\n"
    )
    assert [each.name for each in target("Modelfile", store).capabilities] == ["completion"]
    (here / "mmproj.gguf").write_bytes(typed_gguf({"general.architecture": "clip", "general.type": "mmproj"}))
    (here / "Modelfile").write_text("FROM ./m-00001-of-00002.gguf\nFROM ./mmproj.gguf\nTEMPLATE {{ .Prompt }}\n")
    found = target("Modelfile", store).capabilities
    assert [each.name for each in found] == ["completion", "vision"]
