"""Bases that move: what `outdated`, `update`, `verify` and `find` say of the same two models fits together."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import modelfile
from modelfile.differ.models import compare_models
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.pinning.find import find
from modelfile.pinning.outdated import layer_changes, newer_tags
from modelfile.pinning.update import update
from modelfile.pinning.verify import verify
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.encoding import write_model
from modelfile.stores.memory import MemoryRegistry, MemoryStore

NAME, BOT = ModelName.parse("llama3.2:3b"), ModelName.parse("bot:v1")
DIGESTS = [f"sha256:{digit * 64}" for digit in "123"]
MODELS = st.builds(
    Model,
    weights=st.sampled_from(DIGESTS).map(lambda digest: (digest,)),
    adapters=st.lists(st.sampled_from(DIGESTS), max_size=2, unique=True).map(tuple),
    template=st.sampled_from(["{{ .Prompt }}", "{{ .System }} {{ .Prompt }}", "{{ .Tools }}{{ .Prompt }}"]),
    system=st.sampled_from(["", "Be brief.", "Be kind."]),
    license=st.sampled_from(["", "MIT"]),
    parameters=st.dictionaries(st.sampled_from(["temperature", "top_p"]), st.sampled_from([0.5, 0.9])),
)
TAGS = st.lists(st.sampled_from(["v1", "v2", "v10", "1.2", "1.10", "3b", "latest", "q4_0"]), min_size=1, max_size=3)


@given(MODELS, MODELS)
def test_layers_differ_exactly_if_manifests_do(old: Model, new: Model) -> None:
    before, after = write_model(old)[0], write_model(new)[0]
    changes = layer_changes(before, after)
    assert (changes == ()) == (before.digest == after.digest)
    swapped = {change.layer: (change.new, change.old) for change in layer_changes(after, before)}
    assert {change.layer: (change.old, change.new) for change in changes} == swapped


@given(TAGS.map("-".join), TAGS.map("-".join))
def test_of_two_tags_at_most_one_is_newer(a: str, b: str) -> None:
    assert newer_tags(a, [a]) == ()
    assert not (newer_tags(a, [b]) and newer_tags(b, [a]))


def models(chance: random.Random) -> Model:
    parameters: dict[str, Any] = {"temperature": chance.choice([0.5, 0.9]), "top_p": chance.choice([0.1, 0.2])}
    return Model(
        weights=(chance.choice(DIGESTS),),
        template=chance.choice(["{{ .Prompt }}", "{{ .Tools }}{{ .Prompt }}"]),
        system=chance.choice(["", "Be brief.", "Be kind."]),
        parameters={key: value for key, value in parameters.items() if chance.random() < 0.7},
    )


def test_the_commands_on_a_moved_base_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nSYSTEM You are terse.\nPARAMETER top_p 0.2\n")
    chance = random.Random(14)  # noqa: S311  # the same in every run
    for _ in range(30 * rounds):
        (tmp_path / "mf.lock").unlink(missing_ok=True)
        old, new = models(chance), models(chance)
        registry, store = MemoryRegistry({NAME: old}), MemoryStore(registry={NAME: old})
        store.pull(NAME, ignore)
        store.create(BOT, Recipe(base="llama3.2:3b", system="You are terse.", parameters={"top_p": 0.2}), {}, ignore)
        (pinned,) = modelfile.pin(modelfile.Project().modelfiles(), MemoryStore(), registry)
        assert pinned.pin
        names = ["llama3.2:3b", "bot:v1"]
        assert not any(one.fails for one in verify(modelfile.Project().modelfiles(), store, registry, names=names))

        moved = registry.push(NAME, new).digest != write_model(old)[0].digest
        report = modelfile.outdated(modelfile.Project().modelfiles(), registry)
        assert bool(report.moved) is moved
        summary = update(modelfile.Project().modelfiles(), MemoryStore(), registry)
        assert len(summary.bases) == len(summary.models) == moved
        for base in summary.bases:
            assert base.changes == compare_models(old, new)
        for model in summary.models:
            assert {*model.inherited, *model.own} == {*summary.bases[0].parts}
            assert bool(model.changes) == (model.previous.fingerprint != model.pin.fingerprint)
            edited = replace(new, system="You are terse.", parameters={**new.parameters, "top_p": 0.2})
            assert model.pin.fingerprint == fingerprint(edited)
        assert not modelfile.outdated(modelfile.Project().modelfiles(), registry).moved

        base_there, bot_there = verify(modelfile.Project().modelfiles(), store, registry, names=names)
        assert base_there.fails is (fingerprint(old) != fingerprint(new))
        assert bot_there.fails is any(model.changes for model in summary.models)
        if moved:
            swapped = {(change.title, change.new, change.old) for change in summary.models[0].changes}
            compared = {(change.title, change.old, change.new) for change in bot_there.changes}
            assert compared == swapped
        lock = modelfile.Project().modelfiles()[0].pin
        assert lock
        assert lock.base
        for digest in (lock.fingerprint, lock.base.fingerprint, lock.base.digest, *new.weights):
            start = str(digest)[: chance.randrange(13, 60)]
            found = find(start, modelfile.Project()).digests
            assert digest in {one.digest for one in found}
