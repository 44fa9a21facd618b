"""Credentials for registries: challenges, signatures, tokens and where they go."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.fakes.hostile import reply
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published

from modelfile.errors import RegistryRefused, UsageError
from modelfile.names import ModelName
from modelfile.stores.open import open_registry
from modelfile.stores.registry import auth, quirks
from modelfile.stores.registry.auth import Challenge, first_challenge, hugging_face_token, may_sign, token_in, token_url

TOKEN = "hf_0123456789abcdefABCDEF"  # noqa: S105  # of nobody


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(auth, "_SERVICE_HOME", tmp_path / "nobody")
    return tmp_path


@pytest.fixture
def fake(home: Path) -> Iterator[FakeRegistry]:  # noqa: ARG001  # so that no key of this machine is found
    with FakeRegistry() as fake:
        fake.token = "secret-0123456789"  # noqa: S105  # of nothing
        fake.push("team/bot", "v1", published(b"GGUF"))
        yield fake


def name(fake: FakeRegistry) -> ModelName:
    return ModelName.parse(f"{fake.host}/team/bot:v1")


def make_key(home: Path) -> object:
    """Write Ollama's key, and return its public half."""
    serialization = pytest.importorskip(
        "cryptography.hazmat.primitives.serialization", reason="cryptography is missing"
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    path = home / ".ollama" / "id_ed25519"
    path.parent.mkdir()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    )
    return key.public_key()


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (
            'Bearer realm="https://a.example/t",service="s",scope="x:pull y:push"',
            Challenge(scheme="bearer", realm="https://a.example/t", service="s", scopes=("x:pull", "y:push")),
        ),
        ('bearer  Realm = "r\\"q" , scope=one', Challenge(scheme="bearer", realm='r"q', scopes=("one",))),
        ('Basic realm="Harbor"', Challenge(scheme="basic", realm="Harbor")),
        ("Negotiate", Challenge(scheme="negotiate")),
        ("", None),
        ('"', None),
    ],
)
def test_challenges(header: str, challenge: Challenge | None) -> None:
    assert Challenge.parse(header) == challenge


def test_bearer_challenge_is_preferred() -> None:
    found = first_challenge(['Basic realm="x"', 'Bearer realm="y"'])
    assert found
    assert found.scheme == "bearer"


def test_long_header_is_read_in_linear_time() -> None:
    assert Challenge.parse("Bearer " + 'a="' + "\\" * 100_000)
    assert Challenge.parse("Bearer " + "a=b," * 20_000)


def test_url_of_a_signed_request() -> None:
    realm = httpx.URL("https://registry.example/token?account=me")
    challenge = Challenge(scheme="bearer", realm=str(realm), service="s", scopes=("b", "a"))
    url = token_url(realm, challenge, signed=True, now=lambda: 7.9)
    assert url.params.multi_items() == [
        ("account", "me"), ("nonce", url.params["nonce"]), ("scope", "a"), ("scope", "b"), ("service", "s"), ("ts", "7")
    ]  # fmt: skip
    assert len(url.params["nonce"]) == 22


def test_private_model_is_read_with_ollamas_key(fake: FakeRegistry, home: Path) -> None:
    fake.public_key = make_key(home)
    with open_registry() as registry:
        manifest = registry.resolve(name(fake))
        assert manifest
        registry.read(name(fake), manifest.config)
    assert [asked.path.partition("?")[0] for asked in fake.requests] == [
        "/v2/team/bot/manifests/v1",
        "/token",
        "/v2/team/bot/manifests/v1",
        f"/v2/team/bot/blobs/{manifest.config.digest}",  # the token is good for the model
    ]


def test_anonymous_token(fake: FakeRegistry) -> None:
    with open_registry() as registry:
        assert registry.resolve(name(fake))


def test_missing_library_names_the_extra(fake: FakeRegistry, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.public_key = make_key(home)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with open_registry() as registry, pytest.raises(RegistryRefused) as caught:
        registry.resolve(name(fake))
    assert caught.value.message.startswith(f"cannot read the manifest of {name(fake)}: {fake.host} denies access")
    assert "modelfile[private]" in (caught.value.hint or "")


def test_missing_library_does_not_stop_an_anonymous_token(
    fake: FakeRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(home)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with open_registry() as registry:
        assert registry.resolve(name(fake))


def test_missing_key(fake: FakeRegistry, home: Path) -> None:
    fake.public_key = make_key(home)
    (home / ".ollama" / "id_ed25519").unlink()
    with open_registry() as registry, pytest.raises(RegistryRefused) as caught:
        registry.resolve(name(fake))
    assert "ollama signin" in (caught.value.hint or "")


def test_damaged_key(fake: FakeRegistry, home: Path) -> None:
    pytest.importorskip("cryptography", reason="cryptography is missing")
    path = home / ".ollama" / "id_ed25519"
    path.parent.mkdir()
    path.write_text("nonsense")
    with open_registry() as registry, pytest.raises(RegistryRefused, match="is not an ed25519 key") as caught:
        registry.resolve(name(fake))
    assert str(path) in caught.value.message


def test_key_of_another_account(fake: FakeRegistry, home: Path) -> None:
    make_key(home)
    fake.fault("/token", reply('{"token": "stale-0123456789"}'))
    with open_registry() as registry, pytest.raises(RegistryRefused) as caught:
        registry.resolve(name(fake))
    assert "ask its owner" in (caught.value.hint or "")
    assert "stale" not in f"{caught.value.message}{caught.value.hint}"


def test_signed_requests_go_to_the_registrys_own_host_only() -> None:
    ollama = quirks.quirks_of("Registry.Ollama.ai")
    assert may_sign(httpx.URL("https://registry.ollama.ai/token"), "registry.ollama.ai", ollama)
    assert may_sign(httpx.URL("https://ollama.com/token"), "registry.ollama.ai", ollama)
    assert not may_sign(httpx.URL("https://evil.example/token"), "registry.ollama.ai", ollama)
    assert not may_sign(httpx.URL("https://registry.ollama.ai:444/token"), "registry.ollama.ai", ollama)
    assert not may_sign(httpx.URL("https://registry.ollama.ai.evil.example/"), "registry.ollama.ai", ollama)


def test_realm_on_another_host_gets_no_signature(fake: FakeRegistry, home: Path) -> None:
    make_key(home)
    with FakeRegistry() as realm:
        realm.token = fake.token
        fake.realm = f"http://{realm.host}/token"
        with open_registry() as registry:
            assert registry.resolve(name(fake))
        assert [asked.headers.get("Authorization") for asked in realm.requests] == [None]


@pytest.mark.parametrize(
    ("challenge", "message"),
    [
        ('Basic realm="Harbor"', "asks for credentials of the kind `basic`"),
        ("", "denies access (HTTP 401"),
        ('Bearer realm="ftp://x/"', "redirects to an invalid address"),
        ('Bearer realm=""', "denies access (HTTP 401"),
    ],
)
def test_challenges_without_a_way_on(fake: FakeRegistry, challenge: str, message: str) -> None:
    fake.fault("/manifests/", reply("", "401 Unauthorized", *([f"WWW-Authenticate: {challenge}"] if challenge else [])))
    with open_registry() as registry, pytest.raises(Exception, match=fake.host) as caught:
        registry.resolve(name(fake))
    assert message in str(caught.value)


@pytest.mark.parametrize("body", ["", "{}", '{"token": 1}', '{"token": "a b"}', '{"token": "a\\nb"}', "[" * 50_000])
def test_realm_without_a_token(fake: FakeRegistry, body: str) -> None:
    fake.fault("/token", reply(body))
    with open_registry() as registry, pytest.raises(Exception, match="gives no token"):
        registry.resolve(name(fake))


def test_hugging_face_token_in_its_usual_places(tmp_path: Path, home: Path) -> None:
    assert hugging_face_token({}) == ""
    assert hugging_face_token({"HF_TOKEN": f" {TOKEN}\n", "HUGGING_FACE_HUB_TOKEN": "other"}) == TOKEN
    assert hugging_face_token({"HUGGING_FACE_HUB_TOKEN": TOKEN}) == TOKEN
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert hugging_face_token({"HF_TOKEN_PATH": str(tmp_path / "token")}) == TOKEN
    assert hugging_face_token({"HF_HOME": str(tmp_path)}) == TOKEN
    folder = home / ".cache" / "huggingface"
    folder.mkdir(parents=True)
    (folder / "token").write_text(TOKEN)
    assert hugging_face_token({}) == TOKEN
    assert hugging_face_token({"XDG_CACHE_HOME": str(home / ".cache")}) == TOKEN
    assert hugging_face_token({"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_TOKEN": TOKEN}) == ""


@pytest.mark.parametrize("token", ["a b", "é", "a\x1bb"])
def test_invalid_hugging_face_token(token: str) -> None:
    with pytest.raises(UsageError, match="Hugging Face token contains invalid characters") as caught:
        hugging_face_token({"HF_TOKEN": token})
    assert token not in caught.value.message


def test_hugging_face_token_is_sent_once_asked_for(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quirks.QUIRKS, fake.host, quirks.QUIRKS["hf.co"])
    fake.token = TOKEN
    with open_registry(environ={"HF_TOKEN": TOKEN}) as registry:
        assert registry.resolve(name(fake))
    assert [asked.headers.get("Authorization") for asked in fake.requests] == [None, f"Bearer {TOKEN}"]


def test_denied_hugging_face_token(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quirks.QUIRKS, fake.host, quirks.QUIRKS["hf.co"])
    with open_registry(environ={"HF_TOKEN": TOKEN}) as registry, pytest.raises(RegistryRefused) as caught:
        registry.resolve(name(fake))
    assert "accept the model's license" in (caught.value.hint or "")
    assert TOKEN not in f"{caught.value}{caught.value.hint}"


def test_tokens_in_answers() -> None:
    assert token_in({"token": "a"}) == token_in({"access_token": "a"}) == "a"
    with pytest.raises(ValueError, match="no token"):
        token_in([])
