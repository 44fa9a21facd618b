"""Uploads of layers, and the manifest that follows them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.fakes.hostile import error, reply
from tests.fakes.registry import FakeRegistry
from tests.fakes.script import End, Script
from tests.fakes.store import published

from modelfile import manifest
from modelfile.errors import InputError, InvalidRegistryAnswer, RegistryRefused, RegistryUnreachable
from modelfile.manifest import CONFIG_TYPE, MEDIA_TYPE, Layer
from modelfile.names import ModelName
from modelfile.stores.network.retry import Backoff
from modelfile.stores.open import open_registry
from modelfile.stores.protocol import RegistrySettings
from modelfile.stores.registry import quirks
from modelfile.stores.registry.quirks import STANDARD

CONTENT = b"GGUF" + bytes(range(256)) * 1000
SIZE = len(CONTENT)
TOKEN = "token-0123456789"  # noqa: S105  # of nobody
UPLOADS = "/blobs/uploads/"
md5 = partial(hashlib.md5, usedforsecurity=False)


def layer_of(content: bytes, media_type: str = "application/vnd.ollama.image.model") -> Layer:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Layer(media_type=media_type, digest=digest, size=len(content))


WEIGHTS = layer_of(CONTENT)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "SMALLEST_PART", 100_000)


def upload(
    fake: FakeRegistry, content: Path | bytes = CONTENT, layer: Layer = WEIGHTS, *, mount_from: tuple[str, ...] = ()
) -> int:
    """Upload a layer, check that the registry has it, and return the sum of what was reported as sent."""
    sent: list[int] = []
    sources = [ModelName.parse(f"{fake.host}/{source}") for source in mount_from]
    with open_registry(backoff=Backoff(first=0.001)) as registry:
        registry.upload(name(fake), layer, content, sent.append, mount_from=sources)
    found = fake.blobs["team/bot"][layer.digest]
    assert f"sha256:{hashlib.sha256(found).hexdigest()}" == layer.digest
    return sum(sent)


def name(fake: FakeRegistry) -> ModelName:
    return ModelName.parse(f"{fake.host}/team/bot:v1")


def test_layer_is_uploaded_in_parts(fake: FakeRegistry, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(CONTENT)
    assert upload(fake, path) == SIZE
    methods = [asked.method for asked in fake.requests]
    assert methods == ["HEAD", "POST", "PATCH", "PATCH", "PATCH", "PUT", "HEAD"]
    stated = [asked.headers["Content-Range"] for asked in fake.requests if asked.method == "PATCH"]
    assert stated == ["0-99999", "100000-199999", f"200000-{SIZE - 1}"]


def test_layer_that_is_there_is_not_uploaded(fake: FakeRegistry) -> None:
    fake.push("team/bot", "v1", published(CONTENT))
    assert upload(fake) == 0
    assert [asked.method for asked in fake.requests] == ["HEAD"]


def test_empty_layer(fake: FakeRegistry) -> None:
    assert upload(fake, b"", layer_of(b"")) == 0
    assert [asked.method for asked in fake.requests] == ["HEAD", "POST", "PUT", "HEAD"]


def test_layer_is_mounted_and_not_forgotten(fake: FakeRegistry) -> None:
    fake.push("team/base", "v1", published(CONTENT))
    assert upload(fake, mount_from=("team/bot:v2", "team/base:v1")) == 0
    assert "PATCH" not in [asked.method for asked in fake.requests]
    del fake.blobs["team/bot"], fake.blobs["team/base"]
    assert upload(fake, mount_from=("team/base:v1",)) == SIZE


def test_mount_that_lies_is_an_upload(fake: FakeRegistry) -> None:
    fake.fault(f"{UPLOADS}?mount=", reply("", "201 Created"), method="POST")
    assert upload(fake, mount_from=("team/base:v1",)) == SIZE


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    "fault", [Script((End.RESET,), unread=True), Script(), reply("", "503 No"), error("x", "429 X", "Retry-After: 0")]
)
def test_part_that_fails_is_sent_again(fault: Script, number: int, fake: FakeRegistry) -> None:
    answers = iter([None] * (number - 1) + [fault])
    original = fake.next_fault

    def next_fault(method: str, path: str) -> Script | None:
        return next(answers, None) if method == "PATCH" else original(method, path)

    fake.next_fault = next_fault  # type: ignore[method-assign]  # a fault at the nth request
    assert upload(fake) == SIZE
    fake.violations.clear()
    assert len(fake.asked("PATCH")) <= 3 + number


def test_forgotten_upload_begins_again(fake: FakeRegistry) -> None:
    fake.fault(UPLOADS, error("unknown", "404 Not Found"), method="PUT")
    fake.fault(UPLOADS, error("unknown", "404 Not Found"))
    assert upload(fake) == SIZE
    assert len(fake.asked("POST")) == 2


def test_registry_that_always_forgets(fake: FakeRegistry) -> None:
    fake.fault(UPLOADS, error("unknown", "404 Not Found"), method="PATCH", times=6)
    with pytest.raises(RegistryRefused, match=r"cannot push the model of .* forgets the upload"):
        upload(fake)


def test_registry_that_always_fails(fake: FakeRegistry) -> None:
    fake.fault(UPLOADS, Script(unread=True), method="PATCH", times=6)
    with pytest.raises(RegistryUnreachable, match="cannot push the model of "):
        upload(fake)
    assert len(fake.asked("PATCH")) == 6


def test_other_bytes_than_the_digest_says(fake: FakeRegistry) -> None:
    with pytest.raises(RegistryRefused, match="HTTP 400: DIGEST_INVALID") as caught:
        upload(fake, CONTENT[::-1])
    assert caught.value.hint == "check the model's files: `mf store check`"


def test_file_of_another_size(fake: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(CONTENT[1:])
    with pytest.raises(InputError, match="has 256,003 bytes instead of 256,004"):
        upload(fake, tmp_path / "weights")


def test_layer_that_is_lost_after_success(fake: FakeRegistry) -> None:
    fake.fault(UPLOADS, reply("", "201 Created"), method="PUT")
    with pytest.raises(InvalidRegistryAnswer, match="accepted it, but does not have it"):
        upload(fake)


def test_layer_of_another_size_in_the_registry(fake: FakeRegistry) -> None:
    fake.blobs["team/bot"] = {WEIGHTS.digest: b"short"}
    with pytest.raises(InvalidRegistryAnswer, match="has 5 bytes for it instead of 256,004"):
        upload(fake)


@pytest.mark.parametrize("headers", [(), ("Location: ftp://x/y",)])
def test_address_of_an_upload_that_is_none(headers: tuple[str, ...], fake: FakeRegistry) -> None:
    fake.fault(UPLOADS, reply("", "202 Accepted", *headers), method="POST")
    message = r"does not say where to upload it|invalid address"
    with open_registry(backoff=Backoff(tries=1)) as registry, pytest.raises(InvalidRegistryAnswer, match=message):
        registry.upload(name(fake), WEIGHTS, CONTENT, lambda _: None)


def test_upload_elsewhere_gets_no_credentials(fake: FakeRegistry) -> None:
    fake.token = TOKEN
    with FakeRegistry() as other:
        other.uploads["u1"] = bytearray()
        elsewhere = f"http://localhost:{other.host.rpartition(':')[2]}/v2/team/bot/blobs/uploads/u1"
        fake.fault(UPLOADS, reply("", "202 Accepted", f"Location: {elsewhere}"), method="POST")
        fake.blobs["team/bot"] = {}
        with pytest.raises(InvalidRegistryAnswer, match="does not have it"):
            upload(fake)
        assert {asked.method for asked in other.requests} == {"PATCH", "PUT"}
        assert not [asked for asked in other.requests if "Authorization" in asked.headers]
    assert [asked.headers.get("Authorization") for asked in fake.requests if asked.method == "POST"]


def test_parts_that_a_registry_redirects(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quirks.QUIRKS, fake.host, replace(STANDARD, parted_uploads=True))
    with FakeRegistry() as other:
        to = f"Location: http://localhost:{other.host.rpartition(':')[2]}/part"
        for number in range(3):
            following = f"Docker-Upload-Location: /v2/team/bot/blobs/uploads/u{number + 2}"
            fake.fault(UPLOADS, reply("", "307 Temporary Redirect", to, following), method="PATCH")
            other.fault("/part", reply("", "200 OK"), method="PUT")
        fake.fault(UPLOADS, reply("", "201 Created"), method="PUT")
        with pytest.raises(InvalidRegistryAnswer, match="does not have it"):
            upload(fake)
        assert not [asked for asked in other.requests if "Authorization" in asked.headers]
    md5s = [md5(CONTENT[at : at + 100_000]).digest() for at in range(0, SIZE, 100_000)]
    final = next(asked.path for asked in fake.requests if asked.method == "PUT")
    assert final.endswith(f"&etag={md5(b''.join(md5s)).hexdigest()}-3")
    assert {asked.headers.get("X-Redirect-Uploads") for asked in fake.requests if asked.method == "PATCH"} == {"1"}


def test_manifest_is_published_last_and_without_paths(fake: FakeRegistry) -> None:
    config = layer_of(b"{}", CONFIG_TYPE)
    entries = [{"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in (config, WEIGHTS)]
    value = {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": entries[0], "layers": [entries[1]]}
    leaking = {**value, "layers": [{**entries[1], "from": "/home/me/.ollama/models/blobs/sha256-0"}]}
    with open_registry() as registry:
        with pytest.raises(RegistryRefused, match="MANIFEST_BLOB_UNKNOWN"):
            registry.publish(name(fake), json.dumps(value))
        registry.upload(name(fake), config, b"{}", lambda _: None)
        registry.upload(name(fake), WEIGHTS, CONTENT, lambda _: None)
        done = registry.publish(name(fake), json.dumps(leaking))
        assert done.text == json.dumps(value, separators=(",", ":"))
        assert registry.resolve(name(fake)) == done
        assert registry.publish(name(fake), json.dumps(value)).text == json.dumps(value)


def test_push_goes_past_mirrors(fake: FakeRegistry) -> None:
    settings = RegistrySettings(mirrors={fake.host: "http://127.0.0.1:9"})
    with open_registry(settings) as registry:
        registry.upload(name(fake), WEIGHTS, CONTENT, lambda _: None)


def test_denied_push(fake: FakeRegistry) -> None:
    fake.fault("/blobs/", error("denied", "403 Forbidden"), method="HEAD")
    with pytest.raises(RegistryRefused, match=r"cannot push the model of .* denies access") as caught:
        upload(fake)
    assert "may not push it" in (caught.value.hint or "") or "ollama signin" in (caught.value.hint or "")


def test_registry_that_redirects_has_the_layer(fake: FakeRegistry) -> None:
    fake.fault("/blobs/", reply("", "307 Temporary Redirect", "Location: http://localhost:9/signed"), method="HEAD")
    fake.blobs["team/bot"] = {WEIGHTS.digest: CONTENT}
    assert upload(fake) == 0
    assert [asked.method for asked in fake.requests] == ["HEAD"]


def test_redirect_of_a_question_within_the_registry_is_followed(fake: FakeRegistry) -> None:
    fake.fault(
        "/blobs/", reply("", "308 Permanent Redirect", f"Location: /v2/team/bot/blobs/{WEIGHTS.digest}"), method="HEAD"
    )
    fake.blobs["team/bot"] = {WEIGHTS.digest: CONTENT}
    assert upload(fake) == 0
    assert [asked.method for asked in fake.requests] == ["HEAD", "HEAD"]


def test_lost_answer_to_the_end_of_an_upload(fake: FakeRegistry) -> None:
    original = fake.next_fault

    def next_fault(method: str, path: str) -> Script | None:
        if method == "PUT":
            fake.blobs["team/bot"] = {WEIGHTS.digest: CONTENT}
            fake.uploads.clear()
        return original(method, path)

    fake.next_fault = next_fault  # type: ignore[method-assign]  # it takes the upload, and the connection breaks
    fake.fault(UPLOADS, Script(), method="PUT")
    assert upload(fake) == SIZE
    assert len(fake.asked("POST")) == 1
