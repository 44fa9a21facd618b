"""Every branch of the plan, without a server."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelfile.builder.constraints import PinConstraints
from modelfile.builder.forecast import expected_model, is_opaque, observe, predict, undecided
from modelfile.builder.plan import (
    Backup,
    Create,
    Plan,
    PruneStaging,
    Publish,
    Pull,
    Quantize,
    StoreState,
    Upload,
    plan,
)
from modelfile.catalog.versions import Version, release
from modelfile.errors import InputError, VerificationError
from modelfile.lockfile.lock import Base
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import alias_of
from modelfile.stores.protocol import ListedModel, StoredModel, StoreLocation

NAME, BASE, LEFT = (ModelName.parse(name) for name in ("bot:v1", "base:v1", "bot:mf-building-01234567-v1"))
WEIGHTS = Path("w.gguf")
DIGEST = f"sha256:{'1' * 64}"
LOCAL = Recipe(files=(WEIGHTS,), parameters={"temperature": 0.5})
UPON = Recipe(base="base:v1", parameters={"temperature": 0.5})
EMPTY = StoreState(location=StoreLocation(url="http://here"), version="0.9.3", sizes={WEIGHTS: 7})
HELD = Model(weights=(DIGEST,), parameters={"temperature": 0.2})
DONE = Model(weights=(DIGEST,), parameters={"temperature": 0.5})


def stored(name: ModelName, model: Model) -> StoredModel:
    return StoredModel(name=name, digest=f"sha256:{'a' * 64}", model=model)


WITH_BASE = replace(EMPTY, base=stored(BASE, Model(weights=(DIGEST,))))


def planned(recipe: Recipe, world: StoreState, pinned: PinConstraints | None = None, keep: int = 3) -> Plan:
    digests = dict.fromkeys(recipe.local_files, DIGEST)
    return plan(NAME, recipe, digests, world, constraints=pinned or PinConstraints(), keep=keep)


def locked(fingerprint: str) -> Base:
    return Base(written="base:v1", name=BASE.full, fingerprint=f"mf1:{fingerprint}", digest=DIGEST)


def test_local_weights_the_first_time() -> None:
    made = planned(LOCAL, EMPTY)
    digests = {WEIGHTS: DIGEST}
    assert made.steps == (Upload(WEIGHTS, DIGEST, 7), Create(LOCAL, digests), Publish(NAME))
    assert (made.expected_fingerprint, made.changes, made.pending) == (None, (), "the server has read the weights")
    assert not made.nothing_to_do


def test_a_blob_that_is_there_is_not_sent() -> None:
    assert not any(isinstance(step, Upload) for step in planned(LOCAL, replace(EMPTY, blobs=frozenset({DIGEST}))).steps)


def test_a_base_that_is_there() -> None:
    made = planned(UPON, WITH_BASE)
    assert made.steps == (Create(UPON, {}), Publish(NAME))
    assert (made.expected_fingerprint, made.changes, made.pending) == (fingerprint(DONE), (), "")


def test_a_base_that_is_not() -> None:
    made = planned(UPON, EMPTY)
    assert made.pull == Pull(BASE)
    assert made.steps[0] == made.pull
    assert (made.expected_fingerprint, made.pending) == (None, "base:v1 is pulled")


def test_a_base_is_spelled_as_it_is_there() -> None:
    create = planned(replace(UPON, base="BASE:v1"), WITH_BASE).steps[0]
    assert isinstance(create, Create)
    assert create.recipe.base == "base:v1"


def test_changes_by_meaning() -> None:
    made = planned(UPON, replace(WITH_BASE, existing=stored(NAME, HELD)))
    assert made.changes is not None
    assert [(change.title, change.old, change.new) for change in made.changes] == [("parameter temperature", 0.2, 0.5)]


@pytest.mark.parametrize(("keep", "kept"), [(3, True), (0, False)])
def test_what_is_overwritten_is_kept(keep: int, *, kept: bool) -> None:
    existing = stored(NAME, HELD)
    steps = planned(UPON, replace(WITH_BASE, existing=existing), keep=keep).steps
    assert (Backup(NAME, alias_of(NAME, existing.digest)) in steps) is kept
    assert steps[-1] == Publish(NAME, discarded="" if kept else existing.digest)


def test_what_is_kept_longest_is_let_go() -> None:
    digests = [f"sha256:{letter * 64}" for letter in "bcd"]
    listed = tuple(
        ListedModel(name=alias_of(NAME, digest), digest=digest, size=1, modified=datetime(2026, 1, day, tzinfo=UTC))
        for day, digest in enumerate(digests, start=1)
    )
    existing = stored(NAME, HELD)
    world = replace(WITH_BASE, existing=existing, listed=listed)
    alias, (oldest, older, old) = alias_of(NAME, existing.digest), [model.name for model in listed]
    assert planned(UPON, world, keep=4).steps[-2] == Backup(NAME, alias, ())
    assert planned(UPON, world, keep=3).steps[-2] == Backup(NAME, alias, (oldest,))
    assert planned(UPON, world, keep=1).steps[-2] == Backup(NAME, alias, (old, older, oldest))
    assert planned(UPON, world, keep=0).steps[-1] == Publish(NAME, discarded=existing.digest)
    again = replace(world, existing=replace(existing, digest=digests[0]))
    assert planned(UPON, again, keep=1).steps[-2] == Backup(NAME, oldest, (old, older))
    assert planned(UPON, again, keep=0).steps[-1] == Publish(NAME)


def test_nothing_to_do() -> None:
    made = planned(UPON, replace(WITH_BASE, existing=stored(NAME, DONE)))
    assert made.nothing_to_do
    assert (made.steps, made.changes) == ((), ())


def test_stale_staging_tag_is_pruned_last() -> None:
    world = replace(WITH_BASE, stale_staging=(LEFT,))
    assert planned(UPON, world).steps == (*planned(UPON, WITH_BASE).steps, PruneStaging(LEFT))
    assert planned(UPON, replace(world, existing=stored(NAME, DONE))).steps == (PruneStaging(LEFT),)


def test_local_weights_by_record() -> None:
    world = replace(EMPTY, existing=stored(NAME, DONE), observed=observe(DONE, LOCAL))
    assert planned(LOCAL, world).nothing_to_do
    changed = planned(replace(LOCAL, parameters={"temperature": 0.7}), world)
    assert changed.changes is not None
    assert [change.title for change in changed.changes] == ["parameter temperature"]


def test_local_weights_by_lock() -> None:
    pinned = PinConstraints(model=fingerprint(DONE), version="0.9.3")
    world = replace(EMPTY, existing=stored(NAME, DONE))
    assert planned(LOCAL, world, pinned).nothing_to_do
    other = planned(LOCAL, replace(world, version="0.24.0"), pinned)
    assert (other.nothing_to_do, other.expected_fingerprint, other.changes) == (False, None, None)


def test_a_record_against_the_lock() -> None:
    pinned = PinConstraints(model=f"mf1:{'0' * 64}", version="0.9.3")
    made = planned(LOCAL, replace(EMPTY, existing=stored(NAME, DONE), observed=observe(DONE, LOCAL)), pinned)
    assert (made.nothing_to_do, made.expected_fingerprint, made.expected) == (False, pinned.model, None)


@pytest.mark.parametrize("pinned", [PinConstraints(base=locked("0" * 64)), PinConstraints(model=f"mf1:{'0' * 64}")])
def test_changed_pins_are_rejected_beforehand(pinned: PinConstraints) -> None:
    with pytest.raises(VerificationError, match="has changed since `mf pin`"):
        planned(UPON, WITH_BASE, pinned)


def test_a_pinned_build_whose_base_is_not_there() -> None:
    pinned = PinConstraints(base=locked(fingerprint(Model(weights=(DIGEST,)))[4:]), model=fingerprint(DONE))
    assert planned(UPON, EMPTY, pinned).expected_fingerprint == fingerprint(DONE)
    assert planned(UPON, replace(EMPTY, existing=stored(NAME, DONE)), pinned).nothing_to_do


def test_a_base_that_the_project_builds_before() -> None:
    unknown = planned(UPON, replace(EMPTY, base_pending=True))
    assert (unknown.pull, unknown.pending) == (None, "base:v1 is built")
    assert planned(UPON, replace(WITH_BASE, base_pending=True)).expected_fingerprint == fingerprint(DONE)


def test_quantize_has_a_line_of_its_own() -> None:
    made = planned(replace(UPON, quantize="q4_K_M"), WITH_BASE)
    assert made.steps[0] == Quantize("q4_K_M")
    create = made.steps[1]
    assert isinstance(create, Create)
    assert create.recipe.quantize == "q4_K_M"
    assert made.expected_fingerprint is None


def test_nothing_to_build_from() -> None:
    with pytest.raises(InputError):
        planned(Recipe(), EMPTY)


def test_observation_has_nothing_from_other_instructions() -> None:
    made = replace(DONE, template="t", parameters={"temperature": 0.5, "stop": ("<e>",)}, system="s")
    observed = observe(made, replace(LOCAL, template="t"))
    assert (observed.template, observed.parameters, observed.system) == ("", {"stop": ("<e>",)}, "")
    given = predict(replace(LOCAL, template="u"), {WEIGHTS: DIGEST}, None, observed, "0.33.0")
    assert given == replace(DONE, template="u", parameters={"temperature": 0.5, "stop": ("<e>",)})


def test_converted_adapters_are_the_servers_affair() -> None:
    adapter = Path("adapter.safetensors")
    recipe = replace(UPON, adapters=(adapter,))
    assert is_opaque(recipe)
    assert not is_opaque(replace(UPON, adapters=(Path("a.gguf"),)))
    made = replace(DONE, adapters=("sha256:made",))
    given = predict(recipe, {adapter: "sha256:sent"}, Model(weights=(DIGEST,)), observe(made, recipe), "0.33.0")
    assert given == made


@pytest.mark.parametrize(
    ("text", "version"), [("0.33.0-rc2", Version(0, 33, 0, 2)), ("0.0.0", None), ("a build of my own", None)]
)
def test_releases(text: str, version: Version | None) -> None:
    assert release(text) == version


BROUGHT = Model(
    weights=("sha256:made",),
    template="t",
    parameters={"stop": ("<e>",), "top_k": 1, "temperature": 0.9},
    renderer="r",
    parser="p",
)


@pytest.mark.parametrize(
    ("version", "brought", "parts"),
    [
        ("0.9.3", {"weights": (DIGEST,)}, "parameter stop, template"),
        (
            "0.20.0",
            {"weights": (DIGEST,), "renderer": "r", "parser": "p"},
            "parameter stop, template, renderer, parser",
        ),
        ("0.30.0", {"renderer": "r", "parser": "p"}, "weights, parameter stop, template, renderer, parser"),
        (
            "0.99.0",
            {"renderer": "r", "parser": "p", "parameters": {**BROUGHT.parameters, "temperature": 0.5}},
            "weights, parameters, template, renderer, parser",
        ),
    ],
)
def test_only_what_weights_can_bring_is_taken_from_a_created_model(
    version: str, brought: dict[str, Any], parts: str
) -> None:
    digests = {WEIGHTS: DIGEST}
    made = expected_model(LOCAL, digests, base=None, created=BROUGHT, version=version)
    known = {"weights": BROUGHT.weights, "parameters": {"stop": ("<e>",), "temperature": 0.5}}
    assert made == Model(template="t", **{**known, **brought})
    assert ", ".join(undecided(LOCAL, digests, created=BROUGHT, version=version)) == parts


def test_a_recipe_decides_what_it_says() -> None:
    says = replace(LOCAL, template="x", renderer="x", parser="x", parameters={"stop": ("x",)})
    made = replace(BROUGHT, weights=(DIGEST,))
    assert undecided(says, {WEIGHTS: DIGEST}, created=made, version="0.30.0") == ()
    assert undecided(UPON, {}, created=BROUGHT, version="0.30.0") == ()
    quantized = replace(UPON, quantize="q8_0", adapters=(Path("a"),))
    assert undecided(quantized, {}, created=BROUGHT, version="0.9.3") == ("weights", "adapter")
