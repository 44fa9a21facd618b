"""Modelfiles of stored models, which build the same models."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.tiny_gguf import bare_gguf, typed_gguf
from tests.support.varied_modelfiles import VARIED, instructions

import modelfile
from modelfile.catalog.chat_templates import ChatTemplate
from modelfile.errors import InputError
from modelfile.events import ignore
from modelfile.formatter import format_modelfile
from modelfile.immutable import replace
from modelfile.importer.stored import export
from modelfile.manifest import digest_of
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message, resolve
from modelfile.source import Source
from modelfile.stores.backups import pin_alias
from modelfile.stores.disk import new_layers
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import Store, StoredModel
from modelfile.syntax.modelfile import Modelfile
from modelfile.weights.digests import digests_of

BASE, BOT = ModelName.parse("llama3.2:3b"), ModelName.parse("bot:v1")
DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "01")
TEXTS = (
    st.sampled_from(["", "plain", "two\nlines", '"', '"""', 'a"""\nb', "\u200b", " padded ", "# no comment", "1", "é"])
    | st.sampled_from(["a\r\nb", 'a"\nb', '""', 'a"', "tab\t", "FROM x"])
    | st.text()
)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        ["num_ctx", "temperature", "stop", "use_mmap", "mirostat", "bogus", "no name", "top_k 1\nSYSTEM evil\n#"]
    ),
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-9, 9)
    | st.booleans()
    | st.lists(TEXTS, min_size=1).map(tuple),
)
MODELS = st.builds(
    Model,
    weights=st.just((DIGEST,)),
    template=TEXTS.filter(bool),
    system=TEXTS,
    license=TEXTS,
    parameters=PARAMETERS,
    messages=st.lists(
        st.builds(Message, st.sampled_from(["user", "assistant", "tool", "a b", "two\nlines"]), TEXTS)
    ).map(tuple),
    renderer=TEXTS,
    parser=TEXTS,
    requires=st.sampled_from(["", "0.14.0", "v1", "x"]),
)
WORDS = ("PARAMETER", "TEMPLATE", "SYSTEM", "LICENSE", "MESSAGE", "RENDERER", "PARSER", "REQUIRES", "`bogus`")


def store_with(model: Model, ollama: str = "0.33.0") -> MemoryStore:
    store = MemoryStore(registry={BASE: model}, ollama=ollama)
    store.pull(BASE, ignore)
    return store


def exported(model: Model, base: Model | None = None, *, ollama: str = "0.33.0") -> str:
    store = store_with(base or Model(weights=model.weights), ollama)
    return export(StoredModel(name=BOT, digest=DIGEST, model=model, parent=str(BASE)), store)


def create(store: Store, name: str | ModelName, text: str, folder: Path = Path()) -> StoredModel:
    """Create a model of a Modelfile, and return it as the store has it."""
    recipe = resolve(Modelfile.parse(Source(text=text)), folder)
    digests = digests_of(recipe.local_files)
    for path, digest in digests.items():
        store.put_blob(digest, path, lambda _: None)
    store.create(ModelName.parse(str(name)), recipe, digests, ignore)
    return modelfile.show(str(name), store)


def attempt(stored: StoredModel, store: Store) -> tuple[str, str]:
    """Return the Modelfile of a model, or why there is none."""
    try:
        return export(stored, store), ""
    except InputError as error:
        return "", error.message


@given(MODELS, MODELS)
def test_modelfile_builds_the_same_model_or_names_what_it_cannot_express(model: Model, base: Model) -> None:
    store = store_with(base)
    text, error = attempt(StoredModel(name=BOT, digest=DIGEST, model=model, parent=str(BASE)), store)
    if error:
        assert error.startswith("cannot write a Modelfile of bot:v1: ")
        assert any(word in error for word in (*WORDS, *(f"`{name}`" for name in model.parameters)))
        assert "\n" not in error
        return
    written = Modelfile.parse(Source(text=text))
    assert not written.diagnostics
    assert "\r" in text or format_modelfile(written) == text
    assert create(store, "again:v1", text).fingerprint == modelfile.fingerprint(model)


@given(st.sampled_from(["llama3.2:3b", "one:v1"]), instructions)
@settings(suppress_health_check=[*HealthCheck])
def test_modelfile_of_any_created_model(base: str, text: str) -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    create(store, "one:v1", "FROM llama3.2:3b\nSYSTEM one\nLICENSE MIT\nPARAMETER stop a\nMESSAGE user hi\n")
    try:
        stored = create(store, BOT, f"FROM {base}\n{text}\n")
    except InputError:
        return
    again = create(store, "again:v1", export(stored, store))
    assert again.fingerprint == stored.fingerprint
    assert again.parent == base


@pytest.mark.parametrize("ollama", ["0.9.3", "0.24.0", "0.33.0"])
def test_models_of_varied_modelfiles(tmp_path: Path, ollama: str) -> None:
    (tmp_path / "tiny.gguf").write_bytes(typed_gguf({"general.architecture": "llama", "llama.block_count": 1}, {}))
    with modelfile.open_folder(tmp_path / "models", ollama=ollama) as store:
        creating = store if ollama < "0.3" else FolderStore(store.layout, ollama="0.24.0")
        for number, text in enumerate(VARIED):
            below = create(creating, f"below:{number}", f"FROM ./tiny.gguf\n{text}", tmp_path)
            above = create(store, f"above:{number}", f"FROM below:{number}\n{VARIED[-number]}SYSTEM x\n")
            for stored in (below, above):
                again = export(stored, store)
                assert create(creating, "again:v1", again).fingerprint == stored.fingerprint
            assert f"FROM below:{number}\n" in export(above, store)
            assert f"\nFROM {store.layout.blob(below.model.weights[0])}\n" in export(below, store)


def test_text_of_a_modelfile() -> None:
    model = Model(
        weights=(DIGEST,),
        system='Say "hi"\nand no more.',
        license="MIT",
        parameters={"temperature": 0.2, "num_ctx": 4096.0, "stop": ("<a>", " b"), "use_mmap": True, "seed": 1e15},
        messages=(Message("user", "hi"), Message("assistant", "")),
        renderer="qwen3",
        parser='"',
        requires="0.14.0",
        template='{{ .Prompt }} "',
    )
    text = exported(model)
    assert text == (
        f"# Written by `mf init` from bot:v1 ({modelfile.fingerprint(model)[:16]}…)\n"
        '''FROM llama3.2:3b

PARAMETER num_ctx 4096
PARAMETER seed 1000000000000000
PARAMETER stop <a>
PARAMETER stop " b"
PARAMETER temperature 0.2
PARAMETER use_mmap true

TEMPLATE {{ .Prompt }} "

SYSTEM """Say "hi"
and no more."""

RENDERER qwen3
PARSER """\""""
REQUIRES 0.14.0

LICENSE MIT

MESSAGE user hi
MESSAGE assistant ""
'''
    )
    assert format_modelfile(Modelfile.parse(Source(text=text))) == text


def test_only_what_the_base_lacks_is_written() -> None:
    base = Model(
        weights=(DIGEST,), system="a", template="{{ .System }}", license="MIT", parameters={"top_k": 1.0, "seed": 2.0}
    )
    assert exported(base, base).splitlines()[1:] == ["FROM llama3.2:3b"]
    more = replace(base, license="MIT\nBSD", parameters={"top_k": 1.0, "seed": 3.0})
    assert exported(more, base).splitlines()[1:] == ["FROM llama3.2:3b", "", "PARAMETER seed 3", "", "LICENSE BSD"]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"system": ""}, "its base llama3.2:3b has SYSTEM, which no instruction removes"),
        ({"license": ""}, "its base llama3.2:3b has LICENSE, which no instruction removes"),
        ({"license": "BSD"}, "its base llama3.2:3b has another LICENSE, which no instruction replaces"),
        ({"parameters": {}}, "its base llama3.2:3b has PARAMETER top_k, which no instruction removes"),
        ({"messages": ()}, "its base llama3.2:3b has MESSAGE, which no instruction removes"),
        ({"renderer": ""}, "its base llama3.2:3b has RENDERER, which no instruction removes"),
        ({"adapters": ()}, "its base llama3.2:3b has ADAPTER, which no instruction removes"),
        ({"adapters": (OTHER, DIGEST)}, "its ADAPTER has no name, and its file is not on this machine"),
        ({"system": "a\u200b"}, "SYSTEM: cannot write U+200B in a Modelfile: Ollama drops it"),
        ({"parameters": {"top_k": 1.0, "mirostat": 1.0}}, "no instruction gives it its PARAMETER mirostat"),
        ({"parameters": {"top_k": 1.0, "bogus": 1.0}}, "unknown parameter `bogus`"),
        ({"parameters": {"top_k": 1.5}}, "parameter `top_k` must be a whole number, not `1.5`"),
        ({"requires": "x"}, "REQUIRES must be a version such as 0.14.0, not `x`"),
    ],
)
def test_what_no_modelfile_can_express(model: dict[str, object], reason: str) -> None:
    base = Model(
        weights=(DIGEST,),
        system="a",
        license="MIT",
        parameters={"top_k": 1.0},
        messages=(Message("user", "a"),),
        renderer="qwen3",
        adapters=(OTHER,),
    )
    with pytest.raises(InputError) as raised:
        exported(replace(base, **model), base)  # type: ignore[arg-type]  # fields of a model
    assert raised.value.message == f"cannot write a Modelfile of bot:v1: {reason}"


def test_instruction_that_the_version_does_not_know() -> None:
    model = Model(weights=(DIGEST,), renderer="qwen3")
    assert "RENDERER qwen3\n" in exported(model)
    with pytest.raises(InputError, match=r"bot:v1: Ollama 0\.9\.3 does not support RENDERER"):
        exported(model, ollama="0.9.3")


def test_base_behind_a_pin_alias() -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    alias = pin_alias(BASE, DIGEST)
    store.copy(BASE, alias)
    stored = create(store, BOT, f"FROM {alias}\nSYSTEM a\n")
    assert "\nFROM llama3.2:3b\n" in export(stored, store)
    store.delete(BASE)
    assert f"\nFROM {alias}\n" in export(stored, store)
    base = modelfile.show(str(alias), store)
    found = export(stored, store, locked=[BASE], find=lambda name: base if name in (BASE, alias) else None)
    assert found.splitlines()[1:] == ["FROM llama3.2:3b", "", "SYSTEM a"]


def test_base_that_the_library_has() -> None:
    """A model that was pushed and pulled names no origin: what has its weights here is its base."""
    store = MemoryStore.with_models("llama3.2:3b", "qwen3:8b")
    base = modelfile.show("llama3.2:3b", store).model
    pulled = StoredModel(name=ModelName.parse("me/bot:v1"), digest=DIGEST, model=replace(base, system="a"))
    assert export(pulled, store).splitlines()[1:] == ["FROM llama3.2:3b", "", "SYSTEM a"]
    alone = export(replace(pulled, model=Model(weights=(OTHER,))), store)
    assert alone.splitlines()[1:] == ["# Inherited: its template.", "FROM me/bot:v1"]


def test_base_that_is_gone() -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    create(store, "base:v1", "FROM llama3.2:3b\nSYSTEM a\n")
    stored = create(store, BOT, "FROM base:v1\nMESSAGE user hi\n")
    store.delete(ModelName.parse("base:v1"))
    assert export(stored, store).splitlines()[1:] == ["FROM llama3.2:3b", "", "SYSTEM a", "", "MESSAGE user hi"]
    store.delete(BASE)
    with pytest.raises(InputError, match="bot:v1: its base base:v1 not found on memory:") as raised:
        export(stored, store)
    assert raised.value.hint == "pull the base: `mf pull base:v1`"


def test_base_that_has_changed_since() -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    create(store, "base:v1", "FROM llama3.2:3b\nSYSTEM old\n")
    stored = create(store, BOT, "FROM base:v1\nPARAMETER seed 1\n")
    create(store, "base:v1", "FROM llama3.2:3b\nSYSTEM new\n")
    assert export(stored, store).splitlines()[1:] == ["FROM base:v1", "", "PARAMETER seed 1", "", "SYSTEM old"]
    create(store, "base:v1", "FROM llama3.2:3b\nSYSTEM new\nLICENSE MIT\n")
    assert "\nFROM llama3.2:3b\n" in export(stored, store)


def test_weights_on_another_machine(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(bare_gguf("a"))
    store = MemoryStore(url="http://gpu:11434")
    stored = create(store, BOT, "FROM ./a.gguf\n", tmp_path)
    with pytest.raises(InputError, match=r"bot:v1: its weights have no name on http://gpu:11434$") as raised:
        export(replace(stored, blobs=Path("/usr/share/ollama/.ollama/models/blobs")), store)
    assert (
        raised.value.hint == "on the machine of the server, take them along: `mf init bot:v1 --store DIR --weights DIR`"
    )


def test_file_that_has_the_name_of_the_base(tmp_path: Path) -> None:
    (tmp_path / "llama3.2:3b").write_bytes(bare_gguf("a"))
    store = MemoryStore.with_models("llama3.2:3b")
    stored = create(store, BOT, "FROM llama3.2:3b\nSYSTEM a\n")
    with pytest.raises(InputError, match=r"bot:v1: FROM would mean the file `.*llama3\.2:3b`$"):
        export(stored, store, folder=tmp_path)


def test_files_beside_the_weights(tmp_path: Path) -> None:
    llama: dict[str, str | int] = {"general.architecture": "llama", "llama.block_count": 1}
    files: dict[str, dict[str, str | int]] = {
        "model": llama,
        "vision": {"general.architecture": "clip", "clip.vision.block_count": 2},
        "lora": llama | {"general.type": "adapter"},
        "draft": llama | {"general.name": "draft"},
    }
    for name, metadata in files.items():
        (tmp_path / f"{name}.gguf").write_bytes(typed_gguf(metadata, {}))
    with modelfile.open_folder(tmp_path / "models", ollama="0.24.0") as store:
        text = "FROM ./model.gguf\nADAPTER ./{}.gguf\n"
        stored = [create(store, f"{name}:v1", text.format(name), tmp_path) for name in ("vision", "lora")]
        stored.append(create(store, "upon:v1", "FROM vision:v1\nADAPTER ./lora.gguf\n", tmp_path))
        vision, lora, upon = (export(each, store).splitlines()[1:] for each in stored)
        blobs = {name: store.layout.blob(digest_of((tmp_path / f"{name}.gguf").read_bytes())) for name in files}
        assert vision[1:] == [f"FROM {blobs['model']}", f"FROM {blobs['vision']}"]
        assert lora[1:] == [f"FROM {blobs['model']}", "", f"ADAPTER {blobs['lora']}"]
        assert upon == ["FROM vision:v1", "", f"ADAPTER {blobs['lora']}"]
        for each, lines in zip(stored[1:], (lora, upon), strict=True):
            assert create(store, "again:v1", "\n".join(lines)).fingerprint == each.fingerprint


def test_detected_template_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translation = "{{ .System }} {{ .Prompt }}"
    known = ChatTemplate(
        name="known",
        sha256="",
        characters={},
        template=digest_of(translation.encode()),
        size=len(translation),
        stop=("<e>",),
    )
    monkeypatch.setattr(new_layers, "recognize", lambda _: (known, True))
    metadata: dict[str, str | int] = {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "tokenizer.chat_template": "x",
    }
    (tmp_path / "a.gguf").write_bytes(typed_gguf(metadata, {}))
    with modelfile.open_folder(tmp_path / "models", ollama="0.24.0") as store:
        store.blobs.put(translation.encode())
        stored = create(store, BOT, "FROM ./a.gguf\nSYSTEM a\n", tmp_path)
        assert stored.model.template == translation
        assert export(stored, store).splitlines()[3:] == ["", "SYSTEM a"]
        plain = create(store, BOT, "FROM ./a.gguf\nTEMPLATE {{ .Prompt }}\nPARAMETER stop a\n", tmp_path)
        lines = export(plain, store).splitlines()[3:]
        assert lines == ["", "PARAMETER stop a", "", "TEMPLATE {{ .Prompt }}"]
        with pytest.raises(
            InputError, match="Ollama makes of its weights has PARAMETER stop, which no instruction rem"
        ):
            export(replace(plain, model=replace(plain.model, parameters={})), store)
