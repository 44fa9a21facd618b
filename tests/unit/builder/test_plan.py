"""Every branch of the plan, without a server."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelfile.builder.forecast import is_opaque, predict, seen
from modelfile.builder.plan import (
    Backup,
    Create,
    Pinned,
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
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import alias_of
from modelfile.stores.protocol import ListedModel, StoredModel
from modelfile.stores.staging import ahead, staging_name, stale_staging

NAME, BASE, LEFT = (ModelName.parse(name) for name in ("bot:v1", "base:v1", "bot:mf-building-01234567-v1"))
WEIGHTS = Path("w.gguf")
DIGEST = f"sha256:{'1' * 64}"
LOCAL = Recipe(files=(WEIGHTS,), parameters={"temperature": 0.5})
UPON = Recipe(base="base:v1", parameters={"temperature": 0.5})
EMPTY = StoreState(place="http://here", version="0.9.3", sizes={WEIGHTS: 7})
HELD = Model(weights=(DIGEST,), parameters={"temperature": 0.2})
DONE = Model(weights=(DIGEST,), parameters={"temperature": 0.5})


def stored(name: ModelName, model: Model) -> StoredModel:
    return StoredModel(name=name, digest=f"sha256:{'a' * 64}", model=model)


WITH_BASE = replace(EMPTY, base=stored(BASE, Model(weights=(DIGEST,))))


def planned(recipe: Recipe, world: StoreState, pinned: Pinned | None = None, keep: int = 3) -> Plan:
    digests = dict.fromkeys(recipe.local_files, DIGEST)
    return plan(NAME, recipe, digests, world, pinned=pinned or Pinned(), keep=keep)


def test_local_weights_the_first_time() -> None:
    made = planned(LOCAL, EMPTY)
    request = LOCAL.request({WEIGHTS: DIGEST})
    assert made.steps == (Upload(WEIGHTS, DIGEST, 7), Create(request), Publish(NAME))
    assert (made.gives, made.changes, made.unknown) == (None, (), "the server has looked at the weights")
    assert not made.nothing_to_do


def test_a_blob_that_is_there_is_not_sent() -> None:
    assert not any(isinstance(step, Upload) for step in planned(LOCAL, replace(EMPTY, blobs=frozenset({DIGEST}))).steps)


def test_a_base_that_is_there() -> None:
    made = planned(UPON, WITH_BASE)
    assert made.steps == (Create(UPON.request()), Publish(NAME))
    assert (made.gives, made.changes, made.unknown) == (fingerprint(DONE), (), "")


def test_a_base_that_is_not() -> None:
    made = planned(UPON, EMPTY)
    assert made.pull == Pull(BASE)
    assert made.steps[0] == made.pull
    assert (made.gives, made.unknown) == (None, "base:v1 is pulled")


def test_a_base_is_spelled_as_it_is_there() -> None:
    create = planned(replace(UPON, base="BASE:v1"), WITH_BASE).steps[0]
    assert isinstance(create, Create)
    assert create.request["from"] == "base:v1"


def test_changes_by_meaning() -> None:
    made = planned(UPON, replace(WITH_BASE, existing=stored(NAME, HELD)))
    assert made.changes is not None
    assert [(change.title, change.old, change.new) for change in made.changes] == [
        ("parameter temperature", "0.2", "0.5")
    ]


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


def test_a_leftover_is_swept_last_lest_it_take_weights_along() -> None:
    world = replace(WITH_BASE, stale_staging=(LEFT,))
    assert planned(UPON, world).steps == (*planned(UPON, WITH_BASE).steps, PruneStaging(LEFT))
    assert planned(UPON, replace(world, existing=stored(NAME, DONE))).steps == (PruneStaging(LEFT),)


def test_the_leftovers_of_others_are_swept_when_they_are_old() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)  # the server's
    names = [
        str(staging_name(NAME)),
        "BOT:mf-building-01234567-v1",
        "bot:mf-building-89abcdef-v1",
        "bot:mf-building-01234567-v2",
        "bot:mf-building-v1",
        "bot:v1",
        "other:mf-building-01234567-v1",
    ]
    ages = dict.fromkeys(names, timedelta(hours=2)) | {names[0]: timedelta(0), names[2]: timedelta(minutes=59)}
    listed = [
        ListedModel(name=ModelName.parse(name), digest="", size=1, modified=now - age) for name, age in ages.items()
    ]
    assert [str(name) for name in stale_staging(NAME, listed)] == names[:2]
    assert stale_staging(NAME, listed[1:2]) == stale_staging(NAME, []) == ()


def test_who_made_it_first_gives_it_the_name_first() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    ours = ListedModel(name=staging_name(NAME), digest="", size=1, modified=now)
    earlier = replace(ours, name=LEFT, modified=now - timedelta(seconds=1))
    later = replace(earlier, modified=now + timedelta(seconds=1))
    killed = replace(earlier, modified=now - timedelta(hours=2))
    another = replace(earlier, name=ModelName.parse("bot:mf-building-89abcdef-v1"))
    assert ahead(NAME, [earlier, ours]) == (earlier,)
    assert ahead(NAME, [killed, another, ours]) == (another,)
    assert ahead(NAME, [ours, later, killed]) == ()
    assert ahead(NAME, [ours, replace(earlier, name=ModelName.parse("bot:mf-building-01234567-v2"))]) == ()
    assert ahead(NAME, [earlier]) == ()


def test_the_name_to_build_under_is_of_this_cache_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = staging_name(NAME)
    assert staging_name(NAME) == here
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert staging_name(NAME) != here
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert re.fullmatch("mf-building-[0-9a-f]{8}-v1", staging_name(NAME).tag)


def test_local_weights_by_record() -> None:
    world = replace(EMPTY, existing=stored(NAME, DONE), record=seen(DONE, LOCAL))
    assert planned(LOCAL, world).nothing_to_do
    changed = planned(replace(LOCAL, parameters={"temperature": 0.7}), world)
    assert changed.changes is not None
    assert [change.title for change in changed.changes] == ["parameter temperature"]


def test_local_weights_by_lock() -> None:
    pinned = Pinned(model=fingerprint(DONE), version="0.9.3")
    world = replace(EMPTY, existing=stored(NAME, DONE))
    assert planned(LOCAL, world, pinned).nothing_to_do
    other = planned(LOCAL, replace(world, version="0.24.0"), pinned)
    assert (other.nothing_to_do, other.gives, other.changes) == (False, None, None)


def test_a_record_against_the_lock() -> None:
    pinned = Pinned(model=f"mf1:{'0' * 64}", version="0.9.3")
    made = planned(LOCAL, replace(EMPTY, existing=stored(NAME, DONE), record=seen(DONE, LOCAL)), pinned)
    assert (made.nothing_to_do, made.gives, made.expected) == (False, pinned.model, None)


@pytest.mark.parametrize("pinned", [Pinned(base=f"mf1:{'0' * 64}"), Pinned(model=f"mf1:{'0' * 64}")])
def test_what_is_not_as_pinned_is_refused_ahead(pinned: Pinned) -> None:
    with pytest.raises(VerificationError, match="is not what was pinned"):
        planned(UPON, WITH_BASE, pinned)


def test_a_pinned_build_whose_base_is_not_there() -> None:
    pinned = Pinned(base=fingerprint(Model(weights=(DIGEST,))), model=fingerprint(DONE))
    assert planned(UPON, EMPTY, pinned).gives == fingerprint(DONE)
    assert planned(UPON, replace(EMPTY, existing=stored(NAME, DONE)), pinned).nothing_to_do


def test_a_base_that_the_project_builds_before() -> None:
    unknown = planned(UPON, replace(EMPTY, base_pending=True))
    assert (unknown.pull, unknown.unknown) == (None, "base:v1 is built")
    assert planned(UPON, replace(WITH_BASE, base_pending=True)).gives == fingerprint(DONE)


def test_quantize_has_a_line_of_its_own() -> None:
    made = planned(replace(UPON, quantize="q4_K_M"), WITH_BASE)
    assert made.steps[0] == Quantize("q4_K_M")
    create = made.steps[1]
    assert isinstance(create, Create)
    assert create.request["quantize"] == "q4_K_M"
    assert made.gives is None


def test_nothing_to_build_from() -> None:
    with pytest.raises(InputError):
        planned(Recipe(), EMPTY)


def test_a_long_tag_leaves_a_scratch_name_that_ollama_takes() -> None:
    name = replace(NAME, tag="x" * 80)
    assert ModelName.parse(str(staging_name(name))).tag != name.tag


def test_what_was_seen_tells_nothing_that_the_recipe_says_itself() -> None:
    made = replace(DONE, template="t", parameters={"temperature": 0.5, "stop": ("<e>",)}, system="s")
    record = seen(made, replace(LOCAL, template="t"))
    assert (record.template, record.parameters, record.system) == ("", {"stop": ("<e>",)}, "")
    given = predict(replace(LOCAL, template="u"), {WEIGHTS: DIGEST}, None, record)
    assert given == replace(DONE, template="u", parameters={"temperature": 0.5, "stop": ("<e>",)})


def test_converted_adapters_are_the_servers_affair() -> None:
    adapter = Path("adapter.safetensors")
    recipe = replace(UPON, adapters=(adapter,))
    assert is_opaque(recipe)
    assert not is_opaque(replace(UPON, adapters=(Path("a.gguf"),)))
    made = replace(DONE, adapters=("sha256:made",))
    given = predict(recipe, {adapter: "sha256:sent"}, Model(weights=(DIGEST,)), seen(made, recipe))
    assert given == made


@pytest.mark.parametrize(
    ("text", "version"), [("0.33.0-rc2", Version(0, 33, 0, 2)), ("0.0.0", None), ("a build of my own", None)]
)
def test_releases(text: str, version: Version | None) -> None:
    assert release(text) == version
