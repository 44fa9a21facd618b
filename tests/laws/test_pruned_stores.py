"""Prune of random stores: reopened, the rest is sound, and just what is named or new is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from tests.support.folder import HOUR, add_blob, add_model, digest_of, empty_store

from modelfile.names import ModelName
from modelfile.stores.disk.integrity import check_blobs, check_layout
from modelfile.stores.disk.inventory import digests_of, take_inventory
from modelfile.stores.disk.layout import Layout
from modelfile.stores.disk.prune import LockedNames, PruneOptions, plan_prune, prune
from modelfile.stores.disk.store import FolderStore

CONTENTS = [bytes([number]) * 9 for number in range(8)]
NAMES = [
    *(f"{model}:{tag}" for model in ("a", "b") for tag in ("v1", "v2", "mf-building-01234567-v1")),
    *(f"a:sha256-{number:064x}-v1" for number in range(4)),
    f"b:sha256-{9:064x}",
]
AGES = st.sampled_from([60, 2 * HOUR, 30 * HOUR])
MODELS = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(AGES, st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=4))
)
LAYERS = ("model", "adapter", "template", "system")


def fill(layout: Layout, models: Mapping[str, tuple[int, Sequence[bytes]]], loose: Mapping[bytes, int]) -> None:
    for content, age in loose.items():
        add_blob(layout, content, age=age)
    for name, (age, contents) in models.items():
        add_model(layout, name, age=age, **dict(zip(LAYERS, contents, strict=False)))


@given(
    models=MODELS,
    loose=st.dictionaries(st.sampled_from(CONTENTS), AGES),
    removed=st.sets(st.sampled_from(NAMES)),
    keep=st.integers(0, 5),
    locked=st.none() | st.sets(st.sampled_from(NAMES)),
    partial=st.dictionaries(st.sampled_from("0123"), AGES),
)
def test_just_what_is_named_or_new_is_left(  # each is a part of a store
    models: dict[str, tuple[int, list[bytes]]],
    loose: dict[bytes, int],
    removed: set[str],
    keep: int,
    locked: set[str] | None,
    partial: dict[str, int],
) -> None:
    with TemporaryDirectory() as folder:
        layout = empty_store(Path(folder, "store"))
        fill(layout, models, loose)
        for digit, age in partial.items():
            add_blob(layout, digit.encode(), age=age)
            blob = layout.blob(digest_of(digit.encode()))
            blob.rename(blob.with_name(f"{blob.name}-partial-0"))
        store = FolderStore(layout)
        for name in removed & models.keys():
            store.delete(ModelName.parse(name))
        names = None if locked is None else LockedNames(names=tuple(map(ModelName.parse, locked)))
        before = take_inventory(layout)
        plan = plan_prune(store, PruneOptions(keep=keep, locked=names))
        done = prune(plan, store)
        assert (done.removed, done.failed, done.changed) == (plan.stale, (), ())
        assert plan.is_downloading is (60 in partial.values())

        again = take_inventory(Layout(layout.root))
        assert [*check_layout(layout), *check_blobs(layout)] == []
        gone = {item.name.full for item in plan.stale if item.name}
        assert {name.full for name, _ in again.models} == {name.full for name, _ in before.models} - gone
        named = {digest for _, manifest in again.models for digest in digests_of(manifest)}
        was_named = {digest for _, manifest in before.models for digest in digests_of(manifest)}
        new = {
            digest
            for digest, blob in before.blobs.items()
            if digest not in was_named and plan.now - blob.modified < (24 * HOUR if plan.is_downloading else HOUR)
        }
        assert again.blobs.keys() == named | new
        assert plan_prune(store, PruneOptions(keep=keep, locked=names)).stale == ()
