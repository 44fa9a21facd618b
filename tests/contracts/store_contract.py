"""The contract of every store, also of a real server, so that neither the fake nor the one in memory can drift."""

from hashlib import file_digest
from pathlib import Path

import pytest
from tests.support.builds import build_request

from modelfile.builder.execute import build
from modelfile.errors import InputError, NotFound, ServerError
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.recipe.recipe import Message, Recipe
from modelfile.stores.protocol import Store

V1, V2, COPY, MISSING = (ModelName.parse(f"contract:{tag}") for tag in ("v1", "v2", "copy", "missing"))


def keeps_models(store: Store, weights: Path) -> None:
    """Build a model twice, build another one on it, read, copy and delete them."""
    with weights.open("rb") as file:
        digest = f"sha256:{file_digest(file, 'sha256').hexdigest()}"
    recipe = Recipe(
        files=(weights,),
        template="{{ .System }} {{ .Prompt }}",
        system='Say "hi"\n  to <all> & sundry: é 中 😀',
        licenses=("MIT", "Apache\n2.0"),
        parameters={
            "temperature": 0.12345679,
            "num_ctx": 128,
            "seed": 2**63 - 1,
            "top_p": 1e-07,
            "use_mmap": True,
            "stop": ("a", "<b>", '"', "\\n", "\n\t\x07", "é"),
        },
        messages=(Message("user", "hi"), Message("assistant", "yo\nyo")),
    )
    assert store.find(V1) is None
    first = build(build_request(V1, recipe), store, ignore).created
    assert store.has_blob(digest)
    assert first.model.system == recipe.system
    assert first.model.license == "MIT\nApache\n2.0"
    assert first.model.parameters == {**recipe.parameters, "seed": float(2**63)}
    assert first.model.messages == recipe.messages
    assert first.model.template == recipe.template
    again = build(build_request(V1, recipe), store, ignore).created
    assert (again.digest, fingerprint(again.model)) == (first.digest, fingerprint(first.model))

    upon = Recipe(base=str(V1), system="Be brief.", parameters={"stop": ("x",), "top_k": 3}, licenses=("BSD",))
    second = build(build_request(V2, upon), store, ignore).created
    assert second.model == first.model.with_recipe(upon, {})
    assert second.model.parameters == {**first.model.parameters, "stop": ("x",), "top_k": 3}
    assert second.model.license == "MIT\nApache\n2.0\nBSD"
    assert fingerprint(second.model) != fingerprint(first.model)

    store.copy(V2, COPY)
    copied = store.find(COPY)
    assert copied is not None
    listed = {model.name: model for model in store.list()}
    assert listed.keys() >= {V1, V2, COPY}
    assert store.read(listed[COPY]) == copied
    assert (listed[COPY].digest, listed[COPY].size) == (listed[V2].digest, listed[V2].size)
    assert 0 < listed[V1].size != listed[V2].size
    assert listed[V1].modified <= listed[V2].modified <= listed[COPY].modified
    assert [*listed.values()] == sorted(listed.values(), key=lambda model: model.modified, reverse=True)
    assert (copied.digest, copied.model) == (second.digest, second.model)
    for name in (V1, V2, COPY):
        store.delete(name)
        assert store.find(name) is None
        assert store.read(listed[name]) is None


def refuses(store: Store, folder: Path) -> None:
    """Ask for missing models and blobs, and send a file that does not match its digest."""
    assert store.find(MISSING) is None
    with pytest.raises(NotFound, match="refused: "):
        store.copy(MISSING, COPY)
    with pytest.raises(NotFound, match="refused: "):
        store.delete(MISSING)
    wrong, file = f"sha256:{'1' * 64}", folder / "w.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(InputError, match="has changed since its digest was computed"):
        store.put_blob(wrong, file, lambda _: None)
    assert not store.has_blob(wrong)
    with pytest.raises(ServerError, match="refused: "):
        store.create(V1, Recipe(files=(file,)), {file: wrong}, ignore)
    assert store.find(V1) is None
    with pytest.raises(InputError, match="cannot read"):
        store.put_blob(wrong, folder / "missing.gguf", lambda _: None)
