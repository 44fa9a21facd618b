"""Hostile registries: nothing hangs or crashes, nothing is sent where it should not be, no token is printed."""

import random
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.hostile import BEHAVIORS, SIGNED, reply
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.tiny_gguf import bare_gguf
from tests.support.tls import make_certificate

from modelfile.cli.options import _open_registries
from modelfile.errors import ExitCode, InvalidRegistryAnswer, RegistryUnreachable
from modelfile.names import ModelName
from modelfile.stores.network.retry import Backoff
from modelfile.stores.open import open_registry
from modelfile.stores.protocol import Registry, RegistrySettings
from modelfile.stores.registry import quirks

TOKEN = "hf_geheimGEHEIM0123456789"  # noqa: S105  # of nobody
NAME = ModelName.parse("registry.example/team/bot:v1")
MOST_REQUESTS = 40
"""Requests that a command may make; each ends by a limit."""
WAITS = r"(?m)^127\.0\.0\.1:\d+ is busy or fails: the next try is in \d+ s\n"
"""Notes that a command waits."""
SAMPLE = 12
"""Behaviors that a plain run of the tests tries at each place."""
DOCUMENTED = {ExitCode.CLEAN, ExitCode.FAILED}


def faults(where: str, behavior: str, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what is wrong when a registry behaves so, for a command with these options."""
    command = ("ls", "team/bot") if where == "/tags/" else ("show", "team/bot:v1")
    with FakeRegistry() as fake:
        monkeypatch.setitem(
            quirks.QUIRKS, fake.host, quirks.Quirks(source="x", credential=quirks.Credential.HUGGING_FACE)
        )
        fake.token = TOKEN
        fake.push("team/bot", "v1", published(bare_gguf("bot"), system="hi"))
        fake.fault(where, BEHAVIORS[behavior], times=999)
        address = f"registry:{fake.host}/{command[1]}"
        arguments = (command[0], address, *options, "--no-cache", "--idle-timeout", "0.4", "--timeout")
        for limit in ("0.4", "9"):  # in seconds; a busy machine may need more to get to the fault
            if not any(where in asked.path for asked in fake.requests):
                fake.requests.clear()
                ran = mf(*arguments, limit, environ={"HF_TOKEN": TOKEN}, open_registry=_open_registries)
        requests = len(fake.requests)
        fake.violations.clear()  # the client may hang up at any time
    text = ran.out + ran.err
    if requests > MOST_REQUESTS:
        yield f"{requests} requests"
    if ran.code not in DOCUMENTED or "Traceback" in text or "internal error" in text:
        yield f"exit code {ran.code}: {text}"
    if TOKEN in text:
        yield "the token"
    if behavior == "a signed URL" and any(part in text for part in (SIGNED, "user:pw", "0123456789abcdef")):
        yield "a signed URL"
    if controls := {char for char in text if unicodedata.category(char) == "Cc" and char != "\n"}:
        yield f"control characters {controls}"
    error = re.sub(WAITS, "", ran.err)
    if ran.code == ExitCode.FAILED and not (error.startswith("error: ") and "\nhelp: " in error):
        yield f"no error message with a hint: {ran.err}"


@pytest.mark.parametrize("options", [("--tensors",), ("--template",)])
def test_no_registry_harms_a_look_at_weights(
    options: tuple[str, ...], rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = [*BEHAVIORS] if rounds > 1 else random.Random(0).sample([*BEHAVIORS], SAMPLE)  # noqa: S311  # not for secrets
    failed = [
        f"{behavior}: {fault}" for behavior in tried for fault in faults("/blobs/", behavior, monkeypatch, options)
    ]
    assert failed == []


@pytest.mark.parametrize("where", ["/manifests/", "/blobs/", "/tags/"])
def test_no_registry_harms_a_command(where: str, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = [*BEHAVIORS]
    if rounds == 1:
        tried = random.Random(where).sample(tried, SAMPLE)  # noqa: S311  # not for secrets
    failed = [f"{behavior}: {fault}" for behavior in tried for fault in faults(where, behavior, monkeypatch)]
    assert failed == []


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """Yield a registry that speaks TLS with a certificate of a private CA, which this process trusts."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with FakeRegistry(certificate) as fake:
        fake.push("team/bot", "v1", published(b"GGUF"))
        yield fake
        fake.violations.clear()  # a client that does not trust it hangs up


def over_tls(fake: FakeRegistry) -> RegistrySettings:
    return RegistrySettings(mirrors={"registry.example": f"https://{fake.host}"})


@pytest.fixture
def registry(secure: FakeRegistry) -> Iterator[Registry]:
    with open_registry(over_tls(secure), backoff=Backoff(tries=1)) as registry:
        yield registry


def test_private_ca(secure: FakeRegistry, registry: Registry) -> None:
    assert registry.resolve(NAME)
    assert secure.requests


def test_unknown_certificate(secure: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with open_registry(over_tls(secure)) as registry, pytest.raises(RegistryUnreachable) as caught:
        registry.resolve(NAME)
    assert f"no secure connection to {secure.host}: " in caught.value.message
    assert "SSL_CERT_FILE" in (caught.value.hint or "")
    assert secure.requests == []


@pytest.mark.parametrize("where", ["/manifests/", "/blobs/"])
def test_redirect_from_https_to_http_is_not_followed(secure: FakeRegistry, registry: Registry, where: str) -> None:
    manifest = registry.resolve(NAME)
    assert manifest
    with FakeRegistry() as other:
        secure.fault(where, reply("", "307 Temporary Redirect", f"Location: http://{other.host}/x"))
        with pytest.raises(InvalidRegistryAnswer, match=f"redirects from https to http://{other.host}"):
            registry.resolve(NAME) if where == "/manifests/" else registry.read(NAME, manifest.config)
        assert other.requests == []


def test_realm_over_plain_http_is_not_asked(secure: FakeRegistry, registry: Registry) -> None:
    with FakeRegistry() as other:
        secure.token, secure.realm = TOKEN, f"http://{other.host}/token"
        with pytest.raises(InvalidRegistryAnswer, match=f"redirects from https to http://{other.host}"):
            registry.resolve(NAME)
        assert other.requests == []


@pytest.mark.parametrize(
    "host",
    [
        *("10.0.0.1", "127.0.0.1:9", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]", "localhost", "a.localhost"),
        *("127.1:9", "2130706433", "0x7f000001", "10.1", "127.0.0.1."),
    ],
)
def test_redirect_into_a_private_network_is_not_followed(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeRegistry() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")  # it answers for any host
        monkeypatch.delenv("NO_PROXY", raising=False)
        proxy.fault("http://registry.example/v2/", reply("", "302 Found", f"Location: http://{host}/x"))
        with (
            open_registry(RegistrySettings(all_insecure=True), backoff=Backoff(tries=1)) as registry,
            pytest.raises(InvalidRegistryAnswer, match="an address of a private network"),
        ):
            registry.resolve(NAME)


def test_token_is_not_sent_over_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeRegistry() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        proxy.fault("http://hf.co/v2/", reply("", "401 Unauthorized"))
        with (
            open_registry(RegistrySettings(all_insecure=True), environ={"HF_TOKEN": TOKEN}) as registry,
            pytest.raises(Exception, match="denies access"),
        ):
            registry.resolve(ModelName.parse("hf.co/team/bot:v1"))
        assert [asked.headers.get("Authorization") for asked in proxy.requests] == [None]


def test_names_are_asked_in_parallel_once_each() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with FakeRegistry() as fake, open_registry() as registry, ThreadPoolExecutor(8) as pool:
        for number in range(50):
            fake.push(f"team/bot{number}", "v1", published(b"GGUF", system=str(number)))
        names = [ModelName.parse(f"{fake.host}/team/bot{number}:v1") for number in range(50)]
        found = [*pool.map(registry.resolve, names)]
        assert len({manifest.digest for manifest in found if manifest}) == 50
        assert len(fake.requests) == 50
