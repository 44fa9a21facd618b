"""Answers of servers: whatever JSON has where, it is read or rejected, and nothing else."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from modelfile.errors import ServerError
from modelfile.recipe.model import fingerprint
from modelfile.stores.ollama.client import _Seen
from modelfile.stores.ollama.wire import ProgressWire, ShowWire, VersionWire, parse_tags, read_show

DIGEST = "0" * 64
LINES = st.sampled_from(
    ("stop", " ", "\n", '"', "\\", "a", "1", ".", "e9", "-", "true", f"FROM /x/blobs/sha256-{DIGEST}\n", "PARSER x\n")
)
TEXTS = st.text() | st.lists(LINES, max_size=20).map("".join) | st.sampled_from((DIGEST, "2026-01-01T00:00:00Z", "a:b"))
NUMBERS = st.integers() | st.floats() | st.sampled_from((2**63 - 1, 2**63, -(2**63), 10**400))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def objects(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return JSON objects with some of these keys, most of them texts."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, TEXTS | VALUES))


TAGS = st.fixed_dictionaries(
    {}, optional={"models": VALUES | st.lists(objects("name", "digest", "size", "modified_at"), max_size=3)}
)
SHOWS = st.builds(
    lambda show, rest: show | rest,
    objects("modelfile", "parameters", "template", "system", "license", "requires", "details"),
    st.fixed_dictionaries({}, optional={"messages": VALUES | st.lists(objects("role", "content"), max_size=3)}),
)
LINES_OF_STREAMS = st.lists(objects("status", "total", "completed", "error"), max_size=8)


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


@given(TAGS)
@example({"models": [{"name": "a", "digest": DIGEST, "size": 10**400, "modified_at": "2026-01-01T00:00:00Z"}]})
def test_listings(answer: object) -> None:
    with suppress(ValueError):
        for tag in parse_tags(dumped(answer)):
            assert str(tag.modified_at.timestamp())
            assert tag.name.encode()


@given(SHOWS)
def test_models(answer: object) -> None:
    with suppress(ValueError, ServerError):
        model = read_show(ShowWire.parse(dumped(answer)))
        assert fingerprint(model).startswith("mf1:")


@given(LINES_OF_STREAMS)
def test_streams(answers: list[object]) -> None:
    seen = _Seen()
    for answer in answers:
        with suppress(ValueError):
            progress = ProgressWire.parse(dumped(answer))
            assert isinstance(seen.is_new(progress), bool)


@given(st.binary())
@example(b"[" * 100_000)
@example(b'{"version":' * 100_000)
@example(b'{"version": "\\ud800"}')
@example(b'{"version": ' + b"9" * 5000 + b"}")
def test_bytes(answer: bytes) -> None:
    for parse in (VersionWire.parse, parse_tags, ShowWire.parse, ProgressWire.parse):
        with suppress(ValueError):
            parse(answer)
