"""Comparisons of two sides."""

from pathlib import Path

import pytest
from tests.support.made_gguf import write_gguf

from modelfile.catalog.versions import Version
from modelfile.comparisons.diff import diff
from modelfile.differ.comparison import Aspect, Value
from modelfile.errors import InputError, NotFound, UsageError
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import ListedModel, StoredModel, find_listed
from modelfile.weights.digests import digests_of


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Return a store with `base:v1` and `bot:v1`, beside a Modelfile of `bot` FROM `base:v1`."""
    (tmp_path / "bot").mkdir()
    monkeypatch.chdir(tmp_path / "bot")
    Path("Modelfile").write_text("FROM base:v1\nSYSTEM new\n")
    Path("other.Modelfile").write_text("FROM base:v1\nSYSTEM other\n")
    store = MemoryStore()
    store.create(ModelName.parse("base:v1"), Recipe(parameters={"top_k": 1}), {}, ignore)
    store.create(ModelName.parse("bot:v1"), Recipe(base="base:v1", system="old"), {}, ignore)
    return store


def changes(a: str, b: str, store: MemoryStore) -> list[tuple[Aspect, Value, Value]]:
    return [(change.aspect, change.old, change.new) for change in diff(a, b, Project(), store).changes]


def test_two_modelfiles_are_compared_without_a_store(store: MemoryStore) -> None:
    store.delete(ModelName.parse("base:v1"))
    assert changes("Modelfile", "other.Modelfile", store) == [(Aspect.SYSTEM, "new", "other")]
    assert changes(".", "Modelfile", store) == []


def test_a_modelfile_and_a_model_on_either_side(store: MemoryStore) -> None:
    assert changes("bot:v1", "Modelfile", store) == [(Aspect.SYSTEM, "old", "new")]
    assert changes("Modelfile", "bot:v1", store) == [(Aspect.SYSTEM, "new", "old")]


def test_a_word_is_a_tag_of_the_model_here_before_it_is_a_model(store: MemoryStore) -> None:
    store.create(ModelName.parse("v1"), Recipe(system="other"), {}, ignore)
    assert changes("v1", "bot:v1", store) == []
    assert changes("base:v1", "v1", store) == [(Aspect.SYSTEM, None, "old")]


def test_a_side_may_be_the_start_of_a_digest(store: MemoryStore) -> None:
    base, bot = (store.find(ModelName.parse(name)) for name in ("base:v1", "bot:v1"))
    assert base
    assert bot
    assert changes(base.digest[:13], bot.digest[:20] + "…", store) == [(Aspect.SYSTEM, None, "old")]
    with pytest.raises(NotFound, match="no file or model `sha256:000000`"):
        changes("sha256:000000", "bot:v1", store)
    with pytest.raises(NotFound, match=r"no file or model `000000…` \(looked for its digest on"):
        changes("000000…", "bot:v1", store)


def test_facts_on_weights_are_those_of_the_store(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"F16": "sha256:1", "Q4_K_M": "sha256:2"}

    def read(listed: ListedModel) -> StoredModel:
        kind = "F16" if listed.name.tag == "f16" else "Q4_K_M"
        made = Model(weights=(weights[kind],))
        return StoredModel(name=listed.name, digest=listed.digest, model=made, family="llama", quantization=kind)

    for tag in ("f16", "q4"):
        store.create(ModelName.parse(f"base:{tag}"), Recipe(), {}, ignore)
    monkeypatch.setattr(store, "read", read)
    monkeypatch.setattr(store, "find", lambda name: read(find_listed(name, store.list()) or store.list()[0]))
    Path("Modelfile").write_text("FROM base:q4\n")
    for side in ("base:q4", "Modelfile"):
        assert changes("base:f16", side, store) == [
            (Aspect.WEIGHTS, ("sha256:1",), ("sha256:2",)),
            (Aspect.QUANTIZATION, "F16", "Q4_K_M"),
        ]


def test_each_modelfile_is_checked(store: MemoryStore) -> None:
    checked: list[tuple[str, str]] = []

    def check(target: Target, version: Version | None) -> None:
        checked.append((str(target.path), str(version)))

    diff("Modelfile", "bot:v1", Project(), store, check)
    diff("Modelfile", "Modelfile", Project(), store, check)
    assert checked == [("Modelfile", store.ollama), ("Modelfile", "None"), ("Modelfile", "None")]


def test_missing_files_models_and_bases_are_errors(store: MemoryStore) -> None:
    with pytest.raises(InputError, match=r"`\./none`"):
        changes("./none", "Modelfile", store)
    with pytest.raises(NotFound, match="`none:v1`"):
        changes("none:v1", "bot:v1", store)
    store.delete(ModelName.parse("base:v1"))
    with pytest.raises(NotFound, match="base:v1"):
        changes("Modelfile", "bot:v1", store)


def test_a_side_may_be_in_a_folder_which_then_has_the_base_of_a_modelfile(store: MemoryStore) -> None:
    folder = MemoryStore()
    folder.create(ModelName.parse("base:v1"), Recipe(parameters={"top_k": 2}), {}, ignore)
    folder.create(ModelName.parse("bot:v1"), Recipe(base="base:v1", system="new"), {}, ignore)

    def names(a: str, b: str) -> list[str]:
        return [change.title for change in diff(a, b, Project(), store, folder=folder).changes]

    assert names("bot:v1", "store:bot:v1") == ["parameter top_k", "system"]
    assert names("store:bot:v1", "model:bot:v1") == ["parameter top_k", "system"]
    assert names("store:bot:v1", "Modelfile") == []
    assert names("model:bot:v1", "Modelfile") == ["system"]
    with pytest.raises(NotFound, match="none:v1 not found"):
        names("store:none:v1", "bot:v1")
    with pytest.raises(UsageError, match="`store:bot:v1` cannot be read: no folder was given"):
        changes("store:bot:v1", "bot:v1", store)


def made_weights(path: str, *, context: int, template: str, rows: int) -> Path:
    Path(path).parent.mkdir(exist_ok=True)
    metadata = {"context_length": context, "general.license": "mit", "tokenizer.chat_template": template}
    return write_gguf(Path(path), "llama", metadata, {"token_embd.weight": (rows, 32), "output_norm.weight": (32,)})


@pytest.mark.parametrize("names", [("a.gguf", "b.gguf"), ("./one", "file:two"), ("A.Modelfile", "b.gguf")])
def test_weights_are_a_side_with_what_their_headers_say(store: MemoryStore, names: tuple[str, str]) -> None:
    for one, two in (("a.gguf", "b.gguf"), ("one/x.gguf", "two/x.gguf")):
        made_weights(one, context=2048, template="{{ a }}", rows=64)
        made_weights(two, context=4096, template="<|im_start|>{{ a }}<|im_end|>", rows=96)
    Path("A.Modelfile").write_text("FROM ./a.gguf\n")
    found = changes(*names, store)
    assert found[0][0] is Aspect.BASE
    assert found[1:] == [
        (Aspect.CHAT_TEMPLATE, "{{ a }}", "<|im_start|>{{ a }}<|im_end|>"),
        (Aspect.CONTEXT, "2,048 tokens", "4,096 tokens"),
        (Aspect.SIZE, "2K", "3K"),
        (Aspect.TENSORS, "1 F16 of 32 x 64", "1 F16 of 32 x 96"),
        (Aspect.TURNS, None, "ChatML"),
    ]
    assert changes(*names[::-1], store) == [(aspect, new, old) for aspect, old, new in found]


def test_equal_weights_are_the_same_model(store: MemoryStore) -> None:
    made_weights("a b.gguf", context=2048, template="", rows=64)
    Path("copy.gguf").write_bytes(Path("a b.gguf").read_bytes())
    assert diff("a b.gguf", "copy.gguf", Project(), store).same


def test_weights_and_a_model(store: MemoryStore) -> None:
    made_weights("a.gguf", context=2048, template="", rows=64)
    other = made_weights("b.gguf", context=4096, template="", rows=64)
    digests = digests_of((other,))
    store.put_blob(digests[other], other, lambda _: None)
    store.create(ModelName.parse("llama:v1"), Recipe(files=(other,)), digests, ignore)
    assert [aspect for aspect, *_ in changes("a.gguf", "llama:v1", store)] == [Aspect.WEIGHTS]
    assert changes("llama:v1", "b.gguf", store) == []


@pytest.mark.parametrize("names", [("a.gguf", "none:v1"), ("none:v1", "a.gguf")])
def test_weights_beside_a_model_that_is_missing_are_not_linted(store: MemoryStore, names: tuple[str, str]) -> None:
    made_weights("a.gguf", context=2048, template="", rows=64)
    with pytest.raises(NotFound, match="no file or model `none:v1`"):
        diff(*names, Project(), store, lambda target, _: pytest.fail(f"{target.path} is linted"))


def test_a_name_of_weights_that_do_not_exist_is_a_missing_file(store: MemoryStore) -> None:
    with pytest.raises(InputError, match=r"file not found: `none\.gguf`"):
        changes("none.gguf", "bot:v1", store)


def test_weights_that_cannot_be_read_are_an_error_of_the_file(store: MemoryStore) -> None:
    path = made_weights("a.gguf", context=2048, template="", rows=64)
    Path("short.gguf").write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"`.*short.gguf` is truncated"):
        changes("a.gguf", "short.gguf", store)
