"""Backups of an overwritten tag, and rollbacks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.backups_contract import backup_digests, hold, leaves_no_layers, restores_backups
from tests.fakes.faults import Status
from tests.fakes.ollama import FakeOllama
from tests.support.server import connect

from modelfile.errors import NotFound, ServerError, UsageError, VerificationError
from modelfile.names import ModelName
from modelfile.stores.backups import alias_of, back_up, backups_of, is_internal, replace_tag, restore
from modelfile.stores.memory import MemoryStore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.protocol import ListedModel, Store

V1, V2 = ModelName.parse("bot:v1"), ModelName.parse("bot:v2")
LONG = ModelName.parse("bot:v1.0.0-rc.1")


@pytest.fixture
def store(fake: FakeOllama) -> Iterator[ServerStore]:
    with connect(fake.url) as client:
        yield ServerStore(client)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" + bytes(60))
    return tmp_path / "weights.gguf"


def overwritten(store: Store, weights: Path, name: ModelName, contents: Sequence[str], limit: int = 3) -> list[str]:
    """Give a name one content after the other, each backed up before the next; return all digests."""
    digests = []
    for content in contents:
        back_up(name, store, limit)
        digests.append(hold(store, weights, name, content))
    return digests


def test_rollback_restores_the_previous_model(any_store: Store, tiny: Path) -> None:
    restores_backups(any_store, tiny)


def test_backups_within_a_tick_of_the_clock_are_in_order(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the store stands still but for the waits of the code, as that of a file system within a tick."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    waits = []

    def wait(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += timedelta(seconds=seconds)

    monkeypatch.setattr("modelfile.stores.backups.sleep", wait)
    restores_backups(MemoryStore(clock=lambda: now), tiny)
    assert {*waits} == {0.004}


def test_the_wait_for_the_next_tick_ends(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("modelfile.stores.backups.sleep", waits.append)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    store = MemoryStore(clock=lambda: now)
    first, second, _ = overwritten(store, tiny, V1, "abc")
    assert {*backup_digests(V1, store)} == {first, second}
    assert waits == [0.004 * 2**number for number in range(9)]


def test_an_overwritten_model_leaves_no_layers(any_store: Store, tiny: Path) -> None:
    leaves_no_layers(any_store, tiny)


def test_a_backup_remains_if_the_copy_fails(store: ServerStore, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = hold(store, weights, V1, "a"), hold(store, weights, V2, "b")
    copies = store.copy

    def copy(source: ModelName, destination: ModelName) -> None:
        if destination == V1:
            raise ServerError("no")
        copies(source, destination)

    monkeypatch.setattr(store, "copy", copy)
    with pytest.raises(ServerError, match="no"):
        replace_tag(V2, V1, store)
    assert backup_digests(V1, store) == [before]
    with pytest.raises(NotFound, match="bot:v3 not found"):
        replace_tag(ModelName.parse("bot:v3"), V1, store)


def test_aliases(store: ServerStore, weights: Path) -> None:
    digest = hold(store, weights, V1, "a")
    alias = back_up(ModelName.parse("BOT:V1"), store, 3)
    assert str(alias) == f"bot:sha256-{digest.removeprefix('sha256:')}-v1"
    longest = ModelName.parse(f"team/bot:{'x' * 80}")
    for name in (V1, LONG, longest):
        made = alias_of(name, digest)
        assert ModelName.parse(str(made)).same_as(made)
        assert is_internal(made)
    assert not is_internal(V1)
    assert is_internal(ModelName.parse(f"base:sha256-{'0' * 64}"))
    assert not is_internal(ModelName.parse(f"base:sha256-{'0' * 63}"))
    assert alias_of(LONG, digest) != alias_of(replace(LONG, tag="v1.0.0-rc.2"), digest)


def test_only_the_oldest_backups_of_the_same_tag_are_evicted(store: ServerStore, weights: Path) -> None:
    others = [overwritten(store, weights, name, ["x", "y"]) for name in (V2, LONG)]
    pinned = ModelName.parse(f"bot:sha256-{'0' * 64}")
    store.copy(V2, pinned)
    digests = overwritten(store, weights, V1, "abcdef")
    assert backup_digests(V1, store) == [*digests[4:1:-1]]
    assert [backup_digests(name, store) for name in (V2, LONG)] == [[other[0]] for other in others]
    assert store.find(pinned)


def test_a_model_that_is_backed_up_again_is_the_newest_backup(store: ServerStore, weights: Path) -> None:
    a, b, c = overwritten(store, weights, V1, "abc")
    assert hold(store, weights, V1, "a") == a  # b is backed up, c is not: another program overwrote it
    back_up(V1, store, 3)
    assert backup_digests(V1, store) == [a, b]
    hold(store, weights, V1, "c")
    assert (restore(V1, store).digest, backup_digests(V1, store)) == (a, [c, a, b])


def test_the_latest_backup_remains_if_the_clock_went_back(store: ServerStore, weights: Path, fake: FakeOllama) -> None:
    overwritten(store, weights, V1, "abc")
    for name, model in fake.models.items():
        fake.models[name] = replace(model, modified="2030-01-01T00:00:00Z")
    alias = back_up(V1, store, 1)
    assert [old.name for old in backups_of(V1, store.list())] == [alias]


def test_nothing_to_back_up(store: ServerStore, weights: Path) -> None:
    assert back_up(V1, store, 3) is None
    overwritten(store, weights, V1, "ab")
    before = backup_digests(V1, store)
    assert back_up(V1, store, 0) is None
    assert backup_digests(V1, store) == before


@pytest.mark.parametrize(
    ("fault", "error"), [(Status(400, '{"error": "x"}'), ServerError), (Status(200, ""), VerificationError)]
)
def test_no_backup_is_evicted_if_none_can_be_made(
    store: ServerStore, weights: Path, fake: FakeOllama, fault: Status, error: type[Exception]
) -> None:
    overwritten(store, weights, V1, "abcd")
    before = dict(fake.models)
    fake.fault("/api/copy", fault)
    with pytest.raises(error):
        back_up(V1, store, 1)
    assert fake.models == before
    fake.fault("/api/copy", fault)
    with pytest.raises(error):
        restore(V1, store)
    assert fake.models == before


def test_a_rollback_leaves_all_backups(store: ServerStore, weights: Path) -> None:
    digests = overwritten(store, weights, V1, "abcd")
    done = restore(V1, store, digests[0][7:19])
    assert (done.digest, done.previous_digest) == (digests[0], digests[3])
    assert done.backup == alias_of(V1, digests[3])
    assert backup_digests(V1, store) == [digests[3], digests[2], digests[1], digests[0]]


def test_rollback_restores_a_removed_tag(store: ServerStore, weights: Path) -> None:
    digests = overwritten(store, weights, V1, "ab")
    store.delete(V1)
    done = restore(V1, store)
    assert (done.digest, done.previous_digest, done.backup) == (digests[0], None, None)


def test_a_pin_alias_is_restored_only_by_its_digest(store: ServerStore, weights: Path) -> None:
    digest = hold(store, weights, V1, "a")
    store.copy(V1, ModelName.parse(f"bot:sha256-{digest.removeprefix('sha256:')}"))
    hold(store, weights, V1, "b")
    with pytest.raises(NotFound, match="no backups of bot:v1"):
        restore(V1, store)
    assert restore(V1, store, digest).digest == digest


def test_invalid_rollbacks(store: ServerStore, weights: Path) -> None:
    a, b, c = overwritten(store, weights, V1, "abc")
    before = store.list()
    with pytest.raises(NotFound) as nothing:
        restore(V2, store)
    assert nothing.value.hint == "there are backups of bot:v1"
    with pytest.raises(UsageError, match="several backups of bot:v1") as several:
        restore(V1, store, "sha256:")
    assert {a, b} == set(str(several.value.hint).removeprefix("give more of it: ").split(", "))
    with pytest.raises(NotFound, match="has a digest starting with xyz"):
        restore(V1, store, "xyz")
    assert store.list() == before
    back_up(V1, store, 3)
    current = store.list()
    done = restore(V1, store, c)
    assert (done.digest, done.previous_digest, done.backup) == (c, c, None)
    assert store.list() == current
    for digest in (a, b):
        store.delete(alias_of(V1, digest))
    with pytest.raises(NotFound, match="the only backup of bot:v1"):
        restore(V1, store)


class Memory(MemoryStore):
    """A store of names and digests with a clock that advances in waits only."""

    def __init__(self) -> None:
        self.models: dict[ModelName, ListedModel] = {}
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        super().__init__()

    def hold(self, name: ModelName, digest: str) -> None:
        """Set the digest of a name."""
        self.models[name] = ListedModel(name=name, digest=digest, size=1, modified=self.now)

    def wait(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += timedelta(seconds=seconds)

    def list(self) -> tuple[ListedModel, ...]:
        """Return all models in no order."""
        return tuple(self.models.values())

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Copy a digest to another name."""
        self.hold(destination, self.models[source].digest)

    def delete(self, name: ModelName) -> None:
        """Remove a name."""
        del self.models[name]


LETTERS = st.sampled_from("abcdef")
TAGS = st.sampled_from([V1, V2, LONG])


@given(st.lists(st.tuples(TAGS, LETTERS | st.none())), st.integers(1, 4))
def test_each_tag_has_a_list_of_its_latest_backups(does: list[tuple[ModelName, str | None]], limit: int) -> None:
    """Build a letter, or roll back on None; no tag ever gets the contents of another one."""
    store = Memory()
    with patch("modelfile.stores.backups.sleep", store.wait):
        check_backups(store, does, limit)


def check_backups(store: Memory, does: list[tuple[ModelName, str | None]], limit: int) -> None:
    """Build and roll back, and compare the backups after each step with those that there should be."""
    now: dict[ModelName, str] = {}
    kept: dict[ModelName, list[str]] = {V1: [], V2: [], LONG: []}
    for name, letter in does:
        before = now.get(name)
        if letter is None:
            back = next((digest for digest in kept[name] if digest != before), None)
            if back is None:
                with pytest.raises(NotFound):
                    restore(name, store)
                continue
            assert restore(name, store).digest == back
            now[name] = back
            most = len(does)  # a rollback evicts nothing
        else:
            most = limit
            back_up(name, store, limit)
            digest = f"sha256:{letter * 64}"
            store.hold(name, digest)
            now[name] = digest
        if before:
            kept[name] = [before, *(digest for digest in kept[name] if digest != before)][:most]
        assert [old.digest for old in backups_of(name, store.list())] == kept[name]
    assert {name: store.models[name].digest for name in now} == now
