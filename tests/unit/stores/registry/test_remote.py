"""The registries of names: which host is asked, what counts as an answer, and the cache of small layers."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.fakes.hostile import reply
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published

from modelfile import cache
from modelfile.errors import InvalidRegistryAnswer, RegistryRefused, RegistryUnreachable, UsageError
from modelfile.manifest import MEDIA_TYPE, OCI_TYPE, Manifest
from modelfile.names import ModelName
from modelfile.stores.network.retry import Backoff
from modelfile.stores.open import open_registry
from modelfile.stores.protocol import Registry, RegistrySettings
from modelfile.stores.registry import quirks
from modelfile.stores.registry.exchange import Answer, Exchange, Question
from modelfile.stores.registry.remote import MAX_LAYER, cached_layer

PUBLIC = ModelName.parse("registry.example/team/bot:v1")
ONCE = Backoff(tries=1)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.push("team/bot", "v1", published(b"GGUF", system="You are terse."))
        yield fake


@pytest.fixture
def registry() -> Iterator[Registry]:
    with open_registry(backoff=ONCE) as registry:
        yield registry


def name(fake: FakeRegistry) -> ModelName:
    return ModelName.parse(f"{fake.host}/team/bot:v1")


def resolve(registry: Registry, fake: FakeRegistry) -> Manifest:
    manifest = registry.resolve(name(fake))
    assert manifest
    return manifest


def url(text: str, **settings: object) -> str:
    with open_registry(RegistrySettings(**settings)) as registry:  # type: ignore[arg-type]  # of each case
        return registry.url(ModelName.parse(text))


def test_only_loopback_and_listed_hosts_are_asked_over_plain_http() -> None:
    assert url("llama3.2:3b") == "https://registry.ollama.ai"
    assert url("HF.co/a/b") == "https://hf.co"
    assert url("localhost:5000/a/b") == "http://localhost:5000"
    assert url("127.8.8.8/a/b") == "http://127.8.8.8"
    assert url("localhost.example/a/b") == "https://localhost.example"
    assert url("10.0.0.1:5000/a/b") == "https://10.0.0.1:5000"
    assert url("Registry.lan:5000/a/b", insecure=("registry.LAN:5000",)) == "http://registry.lan:5000"
    assert url("registry.lan:5001/a/b", insecure=("registry.lan:5000",)) == "https://registry.lan:5001"
    assert url("registry.lan/a/b", all_insecure=True) == "http://registry.lan"


def test_https_is_not_given_up_for_http(registry: Registry, fake: FakeRegistry) -> None:
    settings = RegistrySettings(mirrors={"registry.example": f"https://{fake.host}"})
    with open_registry(settings, backoff=ONCE) as mirrored, pytest.raises(RegistryUnreachable) as caught:
        mirrored.resolve(PUBLIC)
    assert f"no secure connection to {fake.host}" in caught.value.message
    assert "insecure-registries" in (caught.value.hint or "")
    assert fake.requests == []
    resolve(registry, fake)


def test_mirror_is_asked_instead(fake: FakeRegistry) -> None:
    settings = RegistrySettings(mirrors={"Registry.Example": f"http://{fake.host}/"})
    with open_registry(settings) as registry:
        assert registry.resolve(PUBLIC)
        assert registry.tags(PUBLIC) == ("v1",)
        assert registry.url(PUBLIC) == f"http://{fake.host}"


def test_only_registries_of_images_are_asked_for_those(fake: FakeRegistry) -> None:
    """A mirror may pass the header on to the registry that it mirrors."""
    asked = {}
    for host in ("registry.example", "registry.ollama.ai", "hf.co"):
        with open_registry(RegistrySettings(mirrors={host: f"http://{fake.host}/"})) as registry:
            assert registry.resolve(replace(PUBLIC, host=host))
        asked[host] = fake.requests[-1].headers["Accept"]
    both = f"{MEDIA_TYPE}, {OCI_TYPE}"
    assert asked == {"registry.example": both, "registry.ollama.ai": MEDIA_TYPE, "hf.co": MEDIA_TYPE}


def test_mirror_below_a_path(fake: FakeRegistry) -> None:
    with open_registry(RegistrySettings(mirrors={"registry.example": f"http://{fake.host}/ollama"})) as registry:
        fake.fault("/ollama/v2/team/bot/manifests/v1", reply(fake.blobs["team/bot"][fake.tags["team/bot"]["v1"]]))
        assert registry.resolve(PUBLIC)


def test_mirror_over_plain_http_has_to_be_listed() -> None:
    mirrors = {"registry.example": "http://mirror.example:80"}
    with open_registry(RegistrySettings(mirrors=mirrors)) as registry, pytest.raises(UsageError) as caught:
        registry.resolve(PUBLIC)
    assert "the mirror http://mirror.example:80 is not encrypted" in caught.value.message
    assert "insecure-registries" in (caught.value.hint or "")
    assert url(str(PUBLIC), mirrors=mirrors, insecure=("mirror.example:80",)) == "http://mirror.example:80"


@pytest.mark.parametrize("allowed", [(), ("registry.ollama.ai",)])
def test_registry_that_is_not_allowed_is_not_asked(allowed: tuple[str, ...], fake: FakeRegistry) -> None:
    mirrors = {"registry.example": f"http://{fake.host}"}
    with open_registry(RegistrySettings(allowed=allowed, mirrors=mirrors)) as registry:
        for ask in (registry.resolve, registry.tags, registry.url):
            with pytest.raises(UsageError, match=r"registry not allowed: `registry\.example`") as caught:
                ask(PUBLIC)
            assert "`registries` in the configuration" in (caught.value.hint or "")


def test_names_of_hugging_face_are_one_registry() -> None:
    assert url("huggingface.co/a/b", allowed=("hf.co",)) == "https://huggingface.co"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<!DOCTYPE html><html></html>", "answers with a web page"),
        ("", "sends something else"),
        ("{", "sends something else"),
        ('{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}', "not a model"),
        ('{"schemaVersion":2,"mediaType":"text/html"}', 'unknown media type "text/html"'),
        (json.dumps({"schemaVersion": 2, "config": {}}), "its config has an invalid mediaType"),
    ],
)
def test_answers_that_are_no_manifest(fake: FakeRegistry, registry: Registry, body: str, message: str) -> None:
    fake.fault("/manifests/", reply(body))
    with pytest.raises(InvalidRegistryAnswer) as caught:
        resolve(registry, fake)
    assert message in caught.value.message
    assert caught.value.message.startswith(f"cannot read the manifest of {name(fake)}: {fake.host} ")


def test_manifest_of_another_digest_than_stated(fake: FakeRegistry, registry: Registry) -> None:
    body = fake.blobs["team/bot"][fake.tags["team/bot"]["v1"]]
    fake.fault("/manifests/", reply(body, "200 OK", f"Docker-Content-Digest: sha256:{'0' * 64}"))
    with pytest.raises(InvalidRegistryAnswer, match=f"other bytes than those of sha256:{'0' * 64}"):
        resolve(registry, fake)


def test_another_manifest_than_asked_for(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/manifests/", reply(fake.blobs["team/bot"][fake.tags["team/bot"]["v1"]]))
    with pytest.raises(InvalidRegistryAnswer, match="sends another manifest"):
        registry.manifest(name(fake), f"sha256:{'0' * 64}")


def test_layer_is_read_from_the_cache(fake: FakeRegistry, registry: Registry) -> None:
    config = resolve(registry, fake).config
    content = registry.read(name(fake), config)
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == config.digest
    assert registry.read(name(fake), config) == cached_layer(config) == content
    assert len([asked for asked in fake.requests if "/blobs/" in asked.path]) == 1


@pytest.mark.parametrize("value", [1, "no base64!", base64.b64encode(b"other").decode()])
def test_damaged_cache_is_fetched_again(fake: FakeRegistry, registry: Registry, value: object) -> None:
    config = resolve(registry, fake).config
    content = registry.read(name(fake), config)
    cache.write_entry("layers", config.digest.removeprefix("sha256:"), value)
    assert cached_layer(config) is None
    assert registry.read(name(fake), config) == content
    assert cached_layer(config) == content


def test_layer_with_other_bytes(fake: FakeRegistry, registry: Registry) -> None:
    config = resolve(registry, fake).config
    fake.fault("/blobs/", reply("x" * config.size))
    with pytest.raises(InvalidRegistryAnswer, match=f"sends other bytes than those of {config.digest}"):
        registry.read(name(fake), config)
    assert cached_layer(config) is None


def test_truncated_layer(fake: FakeRegistry, registry: Registry) -> None:
    config = resolve(registry, fake).config
    fake.fault("/blobs/", reply("x"))
    with pytest.raises(InvalidRegistryAnswer, match=f"sends 1 bytes instead of {config.size}"):
        registry.read(name(fake), config)


def test_weights_are_never_read(fake: FakeRegistry, registry: Registry) -> None:
    layer = replace(resolve(registry, fake).layers[0], size=MAX_LAYER + 1)
    with pytest.raises(InvalidRegistryAnswer, match="more than the 8,388,608 that are read"):
        registry.read(name(fake), layer)
    assert len(fake.requests) == 1


def test_tags_of_several_pages(fake: FakeRegistry, registry: Registry) -> None:
    link = 'Link: </v2/team/bot/tags/list?last=a&n=1>; rel="next"'
    fake.fault("/tags/list", reply('{"tags":["b","a"]}', "200 OK", link))
    fake.fault("/tags/list?last=a&n=1", reply('{"tags":["c"]}'))
    assert registry.tags(name(fake)) == ("a", "b", "c")


def test_endless_pages(fake: FakeRegistry, registry: Registry) -> None:
    link = 'Link: </v2/team/bot/tags/list?last=a>; rel="next"'
    fake.fault("/tags/list", reply('{"tags":["a"]}', "200 OK", link), times=100)
    assert registry.tags(name(fake)) == ("a",)
    assert len(fake.requests) == 2, "a page without another tag is the last"


def test_number_of_pages_is_limited(fake: FakeRegistry, registry: Registry) -> None:
    for page in range(100):
        link = f'Link: </v2/team/bot/tags/list?last={page}>; rel="next"'
        fake.fault("/tags/list", reply(f'{{"tags":["v{page}"]}}', "200 OK", link))
    found = registry.tags(name(fake))
    assert (len(found or ()), len(fake.requests)) == (100, 100)


def test_all_pages_together_have_a_limit_of_time(
    fake: FakeRegistry, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Question] = []

    def get(exchange: Exchange, question: Question) -> Answer:
        asked.append(question)
        return ask(exchange, question)

    ask = Exchange.get
    monkeypatch.setattr(Exchange, "get", get)
    link = 'Link: </v2/team/bot/tags/list?last=a>; rel="next"'
    fake.fault("/tags/list", reply('{"tags":["a"]}', "200 OK", link))
    fake.fault("/tags/list?last=a", reply('{"tags":["b"]}'))
    assert registry.tags(name(fake)) == ("a", "b")
    first, second = (question.deadline for question in asked)
    assert first is second is not None


@pytest.mark.parametrize(
    "target", ["http://evil.example/v2/team/bot/tags/list?a", f"/v2/team/bot/tags/list?{'a' * 70_000}"]
)
def test_pages_elsewhere(fake: FakeRegistry, registry: Registry, target: str) -> None:
    link = f'Link: <{target}>; rel="next"'
    fake.fault("/tags/list", reply('{"tags":["a"]}', "200 OK", link))
    with pytest.raises(InvalidRegistryAnswer, match="continues its list elsewhere"):
        registry.tags(name(fake))


@pytest.mark.parametrize(
    "body", ["", "[]", '{"tags":1}', '{"tags":[1]}', '{"tags":["\\u001b"]}', '{"tags":{"a":1}}', "[" * 50_000]
)
def test_lists_that_are_none(fake: FakeRegistry, registry: Registry, body: str) -> None:
    fake.fault("/tags/list", reply(body))
    with pytest.raises(InvalidRegistryAnswer, match="sends no list of tags"):
        registry.tags(name(fake))


def test_repository_without_tags(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/tags/list", reply('{"name":"team/bot","tags":null}'))
    assert registry.tags(name(fake)) == ()


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "400 Bad Request"])
def test_registry_that_cannot_list(fake: FakeRegistry, registry: Registry, status: str) -> None:
    fake.fault("/tags/list", reply("404 page not found", status))
    assert registry.tags(name(fake)) is None


def test_ollamas_registry(fake: FakeRegistry, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quirks.QUIRKS, fake.host, quirks.QUIRKS["registry.ollama.ai"])
    manifest = resolve(registry, fake)
    assert fake.requests[-1].headers["User-Agent"].startswith("ollama/0.3")
    assert registry.tags(name(fake)) is None
    fake.fault("/blobs/sha256:", reply(manifest.text))
    assert registry.manifest(name(fake), manifest.digest) == manifest


def test_hugging_face_says_400_for_a_missing_tag(
    fake: FakeRegistry, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(quirks.QUIRKS, fake.host, quirks.QUIRKS["hf.co"])
    missing = 'The specified tag is not available in the repository. Please use another tag or "latest"'
    fake.fault("/manifests/", reply(json.dumps({"error": missing}), "400 Bad Request"))
    assert registry.resolve(name(fake)) is None
    fake.fault("/manifests/", reply('{"error":"sharded GGUF"}', "400 Bad Request"))
    with pytest.raises(RegistryRefused, match="HTTP 400: sharded GGUF"):
        registry.resolve(name(fake))


def test_user_agent_of_other_registries(fake: FakeRegistry, registry: Registry) -> None:
    resolve(registry, fake)
    assert fake.requests[-1].headers["User-Agent"].startswith("modelfile/")
