"""Manifests of a store."""

import json
import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from modelfile.stores.disk.manifests import listed_digest, read_manifest


def digest_of(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


@pytest.mark.parametrize(("length", "read"), [(511, 512), (512, 512), (513, 514), (1536, 1536), (1537, 1538)])
def test_the_digest_of_a_listing_is_that_of_what_go_reads(length: int, read: int) -> None:
    text = json.dumps({"key": "x" * (length - len('{"key": ""}'))}).encode() + b"\n"
    assert (len(text), listed_digest(text)) == (length + 1, digest_of(text[:read]))


def test_text_after_a_manifest_is_hashed_as_far_as_go_reads() -> None:
    text = b'{"a":"b"}\n' + b"x" * 1000
    assert listed_digest(text) == digest_of(text[:512])
    assert listed_digest(b"no json") == digest_of(b"no json")


def test_the_time_of_a_manifest_is_cut_to_microseconds_and_not_rounded(tmp_path: Path) -> None:
    path = tmp_path / "v1"
    path.write_text("{}")
    os.utime(path, ns=(0, 1_800_000_000_041_530_999))
    expected = datetime(2027, 1, 15, 8, 0, 0, 41530, tzinfo=UTC)
    assert read_manifest(path) == (b"{}", expected)
