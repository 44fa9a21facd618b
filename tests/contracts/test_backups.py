"""What is kept of a tag when it is overwritten, and how it comes back."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.backups_contract import brings_back, hold, kept_of, leaves_no_layers
from tests.fakes.faults import Status
from tests.fakes.ollama import FakeOllama

from modelfile.errors import NotFound, ServerError, UsageError, VerificationError
from modelfile.names import ModelName
from modelfile.stores.backups import alias_of, history, is_internal, keep, replace_tag, rollback
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.protocol import ListedModel

V1, V2 = ModelName.parse("bot:v1"), ModelName.parse("bot:v2")
LONG = ModelName.parse("bot:v1.0.0-rc.1")


@pytest.fixture
def store(fake: FakeOllama) -> Iterator[ServerStore]:
    with Client(fake.url) as client:
        yield ServerStore(client)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" + bytes(60))
    return tmp_path / "weights.gguf"


def overwritten(
    store: ServerStore, weights: Path, name: ModelName, contents: Sequence[str], limit: int = 3
) -> list[str]:
    """Give a name one content after the other, each kept before the next; the digests of all."""
    digests = []
    for content in contents:
        keep(name, store, limit)
        digests.append(hold(store, weights, name, content))
    return digests


def test_it_comes_back(store: ServerStore, weights: Path) -> None:
    brings_back(store, weights)


@pytest.mark.live
def test_it_comes_back_on_a_real_server(real: str, tiny: Path) -> None:
    with Client(real) as client:
        brings_back(ServerStore(client), tiny)
        leaves_no_layers(ServerStore(client), tiny)


def test_what_is_overwritten_leaves_no_layers(store: ServerStore, weights: Path) -> None:
    leaves_no_layers(store, weights)


def test_what_could_not_be_copied_over_stays_kept(
    store: ServerStore, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = hold(store, weights, V1, "a"), hold(store, weights, V2, "b")
    copies = store.copy

    def copy(source: ModelName, destination: ModelName) -> None:
        if destination == V1:
            raise ServerError("no")
        copies(source, destination)

    monkeypatch.setattr(store, "copy", copy)
    with pytest.raises(ServerError, match="no"):
        replace_tag(V2, V1, store)
    assert kept_of(V1, store) == [before]
    with pytest.raises(NotFound, match="there is no bot:v3"):
        replace_tag(ModelName.parse("bot:v3"), V1, store)


def test_aliases(store: ServerStore, weights: Path) -> None:
    digest = hold(store, weights, V1, "a")
    alias = keep(ModelName.parse("BOT:V1"), store, 3)
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


def test_the_oldest_go_of_this_tag_only(store: ServerStore, weights: Path) -> None:
    others = [overwritten(store, weights, name, ["x", "y"]) for name in (V2, LONG)]
    pinned = ModelName.parse(f"bot:sha256-{'0' * 64}")
    store.copy(V2, pinned)
    digests = overwritten(store, weights, V1, "abcdef")
    assert kept_of(V1, store) == [*digests[4:1:-1]]
    assert [kept_of(name, store) for name in (V2, LONG)] == [[other[0]] for other in others]
    assert store.find(pinned)


def test_what_is_kept_again_counts_as_kept_now(store: ServerStore, weights: Path) -> None:
    a, b, c = overwritten(store, weights, V1, "abc")
    assert hold(store, weights, V1, "a") == a  # b is kept, c is not: another program overwrote it
    keep(V1, store, 3)
    assert kept_of(V1, store) == [a, b]
    hold(store, weights, V1, "c")
    assert (rollback(V1, store).digest, kept_of(V1, store)) == (a, [c, a, b])


def test_what_is_kept_now_stays_where_the_clock_went_back(store: ServerStore, weights: Path, fake: FakeOllama) -> None:
    overwritten(store, weights, V1, "abc")
    for name, model in fake.models.items():
        fake.models[name] = replace(model, modified="2030-01-01T00:00:00Z")
    alias = keep(V1, store, 1)
    assert [old.name for old in history(V1, store.list())] == [alias]


def test_nothing_to_keep(store: ServerStore, weights: Path) -> None:
    assert keep(V1, store, 3) is None
    overwritten(store, weights, V1, "ab")
    before = kept_of(V1, store)
    assert keep(V1, store, 0) is None
    assert kept_of(V1, store) == before


@pytest.mark.parametrize(
    ("fault", "error"), [(Status(400, '{"error": "x"}'), ServerError), (Status(200, ""), VerificationError)]
)
def test_nothing_goes_where_nothing_can_be_kept(
    store: ServerStore, weights: Path, fake: FakeOllama, fault: Status, error: type[Exception]
) -> None:
    overwritten(store, weights, V1, "abcd")
    before = dict(fake.models)
    fake.fault("/api/copy", fault)
    with pytest.raises(error):
        keep(V1, store, 1)
    assert fake.models == before
    fake.fault("/api/copy", fault)
    with pytest.raises(error):
        rollback(V1, store)
    assert fake.models == before


def test_a_rollback_does_not_lose_what_it_brings_back(store: ServerStore, weights: Path) -> None:
    digests = overwritten(store, weights, V1, "abcd")
    done = rollback(V1, store, digests[0][7:19])
    assert (done.digest, done.before) == (digests[0], digests[3])
    assert done.kept == alias_of(V1, digests[3])
    assert kept_of(V1, store) == [digests[3], digests[2], digests[1], digests[0]]


def test_a_tag_that_was_removed(store: ServerStore, weights: Path) -> None:
    digests = overwritten(store, weights, V1, "ab")
    store.remove(V1)
    done = rollback(V1, store)
    assert (done.digest, done.before, done.kept) == (digests[0], None, None)


def test_a_pin_comes_back_only_where_its_digest_is_said(store: ServerStore, weights: Path) -> None:
    digest = hold(store, weights, V1, "a")
    store.copy(V1, ModelName.parse(f"bot:sha256-{digest.removeprefix('sha256:')}"))
    hold(store, weights, V1, "b")
    with pytest.raises(NotFound, match="nothing is kept of bot:v1"):
        rollback(V1, store)
    assert rollback(V1, store, digest).digest == digest


def test_refusals(store: ServerStore, weights: Path) -> None:
    a, b, c = overwritten(store, weights, V1, "abc")
    before = store.list()
    with pytest.raises(NotFound) as nothing:
        rollback(V2, store)
    assert nothing.value.hint == "there is some of bot:v1"
    with pytest.raises(UsageError, match="several models kept of bot:v1") as several:
        rollback(V1, store, "sha256:")
    assert {a, b} == set(str(several.value.hint).split(", "))
    with pytest.raises(NotFound, match="no model of digest xyz is kept"):
        rollback(V1, store, "xyz")
    assert store.list() == before
    keep(V1, store, 3)
    with pytest.raises(UsageError, match="already"):
        rollback(V1, store, c)
    for digest in (a, b):
        store.remove(alias_of(V1, digest))
    with pytest.raises(NotFound, match="holds the only model that is kept"):
        rollback(V1, store)


class Memory(ServerStore):
    """Names and digests, with a clock that ticks at each copy."""

    def __init__(self) -> None:
        self.models: dict[ModelName, ListedModel] = {}
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    @property
    def place(self) -> str:
        """Nowhere."""
        return "here"

    def hold(self, name: ModelName, digest: str) -> None:
        """Give a name a content."""
        self.now += timedelta(seconds=1)
        self.models[name] = ListedModel(name=name, digest=digest, size=1, modified=self.now)

    def list(self) -> tuple[ListedModel, ...]:
        """List all, in no order."""
        return tuple(self.models.values())

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give another name the same content."""
        self.hold(destination, self.models[source].digest)

    def remove(self, name: ModelName) -> None:
        """Take a name away."""
        del self.models[name]


LETTERS = st.sampled_from("abcdef")
TAGS = st.sampled_from([V1, V2, LONG])


@given(st.lists(st.tuples(TAGS, LETTERS | st.none())), st.integers(1, 4))
def test_it_is_a_list_of_the_last_ones_for_each_tag(does: list[tuple[ModelName, str | None]], limit: int) -> None:
    """A letter is built, None is a rollback; no tag ever gets what another one held."""
    store = Memory()
    now: dict[ModelName, str] = {}
    kept: dict[ModelName, list[str]] = {V1: [], V2: [], LONG: []}
    for name, letter in does:
        before = now.get(name)
        if letter is None:
            back = next((digest for digest in kept[name] if digest != before), None)
            if back is None:
                with pytest.raises(NotFound):
                    rollback(name, store)
                continue
            assert rollback(name, store).digest == back
            now[name] = back
            most = len(does)  # it lets nothing go
        else:
            most = limit
            keep(name, store, limit)
            digest = f"sha256:{letter * 64}"
            store.hold(name, digest)
            now[name] = digest
        if before:
            kept[name] = [before, *(digest for digest in kept[name] if digest != before)][:most]
        assert [old.digest for old in history(name, store.list())] == kept[name]
    assert {name: store.models[name].digest for name in now} == now
