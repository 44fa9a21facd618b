"""Ollama's JSON, as it should be and as it should not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from tests.fakes.values import go_quote
from tests.support.operations import GROWTH, Count, count_copied, count_operations, growth

from modelfile.errors import ServerError
from modelfile.stores.ollama.wire import (
    MessageWire,
    ProgressWire,
    ShowWire,
    TagWire,
    VersionWire,
    parse_tags,
    read_show,
)

DIGEST = "0" * 64
ANY = "."  # what is wrong with it is nobody's business
TAG = {"name": "a:b", "digest": DIGEST, "size": 1, "modified_at": "2026-01-01T00:00:00.123456789Z"}


def tags(**changes: object) -> bytes:
    return json.dumps({"models": [TAG | changes]}).encode()


def test_tags() -> None:
    modified = datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert parse_tags(tags(more=1)) == (TagWire(name="a:b", digest=DIGEST, size=1, modified_at=modified),)
    assert parse_tags(b'{"models": null}') == parse_tags(b"{}") == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"models": {}}',
        b'{"models": [1]}',
        b'{"models": [{}]}',
        tags(name=None),
        tags(digest="x"),
        tags(size="1"),
        tags(size=10**400),
        tags(size=1.5),
        tags(size=True),
        tags(size=float("nan")),
        tags(name=["a:b"]),
        tags(digest="0" * 63 + "\u0660"),
        b'{"models": [{"size": ' + b"9" * 5000 + b"}]}",
        b'{"models": [' + b'{"name":' * 50_000,
        b'{"models": [{"name": "\\udfff"}]}',
        tags(modified_at="now"),
        tags(modified_at="2026-01-01T00:00:00"),
    ],
)
def test_what_is_no_listing(body: bytes) -> None:
    with pytest.raises(ValueError, match=ANY):
        parse_tags(body)


def test_facts_that_nothing_depends_on() -> None:
    def parsed(**fields: object) -> tuple[object, int]:
        show = ShowWire.parse(json.dumps(fields).encode())
        return show.capabilities, show.context_length

    info = {"general.architecture": "llama", "llama.context_length": 128}
    assert parsed(capabilities=["completion", 1, "tools"], model_info=info) == (("completion", "tools"), 128)
    assert parsed() == (None, 0)
    assert parsed(capabilities={}, model_info=[]) == (None, 0)
    assert parsed(capabilities=[], model_info={**info, "llama.context_length": True}) == ((), 0)
    assert parsed(model_info={**info, "llama.context_length": 2**64}) == (None, 0)


def test_show() -> None:
    body = {"system": "s", "messages": [{"role": "user"}], "model_info": {}}
    details = {"family": "qwen3", "quantization_level": "F16"}
    assert ShowWire.parse(json.dumps(body | {"details": details}).encode()) == ShowWire(
        system="s", messages=(MessageWire(role="user"),), family="qwen3", quantization_level="F16"
    )
    assert ShowWire.parse(b'{"messages": null, "details": null}') == ShowWire()


@pytest.mark.parametrize(
    "body", [b'{"system": 1}', b'{"messages": [{}]}', b'{"details": []}', b'{"system": "\\ud800"}']
)
def test_what_shows_no_model(body: bytes) -> None:
    with pytest.raises(ValueError, match=ANY):
        ShowWire.parse(body)


def test_lines() -> None:
    assert ProgressWire.parse(b'{"status": "s", "total": 2, "completed": 1}') == ProgressWire(
        status="s", total=2, completed=1
    )
    assert ProgressWire.parse(b'{"error": "e", "status": 404}') == ProgressWire(error="e")
    with pytest.raises(ValueError, match="version is not a text"):
        VersionWire.parse(b"{}")


@pytest.mark.parametrize(
    "value", ['"\\q"', '"' + "(" * 100_000, '"' + "\\" * 99_999 + '"', "9" * 40, "9" * 10**6, "1e999"]
)
def test_a_parameter_that_cannot_be_read(value: str) -> None:
    show = ShowWire(modelfile=f"FROM /blobs/sha256-{DIGEST}\n", parameters=f"stop                           {value}")
    with pytest.raises(ServerError, match="shows a parameter that cannot be read"):
        read_show(show)


def test_a_long_value_is_read_in_no_time() -> None:
    quoted = go_quote("\n" * 10**6)
    show = ShowWire(modelfile=f"FROM /blobs/sha256-{DIGEST}\n", parameters=f"stop {quoted}")
    assert read_show(show).parameters == {"stop": ("\n" * 10**6,)}


def test_parameters_are_read_as_go_prints_them() -> None:
    text = "num_ctx                        4096\ntop_p                          0.9\n"
    text += "use_mmap                       true\nstop a"
    text += '\nstop "b"\nseed                           -1e+06\nx NaN\ny +Inf\nz 1_0\nw \u0661\n'
    show = ShowWire(modelfile=f"FROM /blobs/sha256-{DIGEST}\n", parameters=text)
    assert read_show(show).parameters == {
        "num_ctx": 4096.0,
        "top_p": 0.9,
        "use_mmap": True,
        "stop": ("a", "b"),
        "seed": -1e6,
        "x": ("NaN",),
        "y": ("+Inf",),
        "z": ("1_0",),
        "w": ("\u0661",),
    }


@pytest.mark.parametrize("count", [count_operations, count_copied])
@pytest.mark.parametrize(
    "show_of",
    [
        lambda n: ShowWire(system="\n" * n, modelfile=f"FROM /blobs/sha256-{DIGEST}\nSYSTEM " + "\n" * (n + 1)),
        lambda n: ShowWire(parameters='stop "a"\n' * n, modelfile=f"FROM /blobs/sha256-{DIGEST}\n"),
        lambda n: ShowWire(parameters="\n" * n, modelfile=f"FROM /blobs/sha256-{DIGEST}\n"),
        lambda n: ShowWire(modelfile=f"ADAPTER /blobs/sha256-{DIGEST}\n" * n + f"FROM /blobs/sha256-{DIGEST}"),
        lambda n: ShowWire(modelfile=f"FROM /blobs/sha256-{DIGEST}\nFROM " + "/blobs/sha256-0" * n),
    ],
)
def test_a_large_answer_is_read_in_linear_time(show_of: Callable[[int], ShowWire], count: Count) -> None:
    assert read_show(show_of(50_000)).weights
    assert growth(lambda n: partial(read_show, show_of(n)), 50, count) <= GROWTH
