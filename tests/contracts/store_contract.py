"""What holds of every store: run against the fake server and against a real one, so that the fake cannot drift."""

from hashlib import file_digest
from pathlib import Path

from modelfile.builder.execute import Job, build
from modelfile.events import Progress
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.recipe.recipe import Message, Recipe
from modelfile.stores.protocol import Store

V1, V2, COPY = (ModelName.parse(f"contract:{tag}") for tag in ("v1", "v2", "copy"))


def ignore(_: Progress) -> None:
    """Listen to nothing."""


def keeps_models(store: Store, weights: Path) -> None:
    """Build, build again, build upon, look, copy and remove."""
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
    first = build(Job(name=V1, recipe=recipe), store, ignore).made
    assert store.has_blob(digest)
    assert first.model.system == recipe.system
    assert first.model.license == "MIT\nApache\n2.0"
    assert first.model.parameters == {**recipe.parameters, "seed": float(2**63)}
    assert first.model.messages == recipe.messages
    assert first.model.template == recipe.template
    again = build(Job(name=V1, recipe=recipe), store, ignore).made
    assert (again.digest, fingerprint(again.model)) == (first.digest, fingerprint(first.model))

    upon = Recipe(base=str(V1), system="Be brief.", parameters={"stop": ("x",), "top_k": 3}, licenses=("BSD",))
    second = build(Job(name=V2, recipe=upon), store, ignore).made
    assert second.model == first.model.with_recipe(upon, {})
    assert second.model.parameters == {**first.model.parameters, "stop": ("x",), "top_k": 3}
    assert second.model.license == "MIT\nApache\n2.0\nBSD"
    assert fingerprint(second.model) != fingerprint(first.model)

    store.copy(V2, COPY)
    copied = store.find(COPY)
    assert copied is not None
    listed = {model.name: model for model in store.list()}
    assert listed.keys() >= {V1, V2, COPY}
    assert (listed[COPY].digest, listed[COPY].size) == (listed[V2].digest, listed[V2].size)
    assert 0 < listed[V1].size != listed[V2].size
    assert listed[V1].modified <= listed[V2].modified <= listed[COPY].modified
    assert [*listed.values()] == sorted(listed.values(), key=lambda model: model.modified, reverse=True)
    assert (copied.digest, copied.model) == (second.digest, second.model)
    for name in (V1, V2, COPY):
        store.remove(name)
        assert store.find(name) is None
