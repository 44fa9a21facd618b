"""Server addresses."""

import re
import shutil
from pathlib import Path

import pytest
from tests.fakes.faults import Status
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf

from modelfile.addresses import ServerAddress
from modelfile.errors import UsageError


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("  'example.com' ", "http://example.com:11434"),
        ("example.com:56789", "http://example.com:56789"),
        (":8080", "http://127.0.0.1:8080"),
        ("http://example.com", "http://example.com:80"),
        ("https://example.com", "https://example.com:443"),
        ("https://example.com:1", "https://example.com:1"),
        ("https://example.com/ollama/", "https://example.com:443/ollama"),
        ("ollama.com", "https://ollama.com:443"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("[::]:1234", "http://[::1]:1234"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[2001:db8::1]:1", "http://[2001:db8::1]:1"),
        ("example.com:66000", "http://example.com:11434"),
        ("example.com:-1", "http://example.com:11434"),
        ("example.com:x", "http://example.com:11434"),
        ("example.com:" + "9" * 5000, "http://example.com:11434"),
        ('" 127.0.0.1 "', "http://127.0.0.1:11434"),
        ("[::ffff:0.0.0.0]:1", "http://127.0.0.1:1"),
        ("HTTP://example.com", "http://example.com:11434"),
        ("example.com:", "http://example.com:11434"),
        ("example.com:00080", "http://example.com:80"),
        ("example.com:99999999999", "http://example.com:11434"),
        ("\u3000example.com\u2028", "http://example.com:11434"),
        ("fe80::1%eth0", "http://[fe80::1%eth0]:11434"),
        ("[fe80::1%eth0]:80", "http://[fe80::1%eth0]:80"),
        ("exämple.com", "http://exämple.com:11434"),
        ("example.com//a/./b/../c//", "http://example.com:11434/a/c"),
        ("example.com/../", "http://example.com:11434"),
        ("example.com/a b?c#d%20é[", "http://example.com:11434/a%20b%3Fc%23d%2520%C3%A9%5B"),
    ],
)
def test_addresses(address: str, url: str) -> None:
    parsed = ServerAddress.parse(address)
    assert str(parsed) == url
    assert ServerAddress.from_url(url) == parsed


@pytest.mark.parametrize(
    ("address", "warning"),
    [
        ("example.com:66000", "invalid port `66000` in `example.com:66000`: using 11434, as Ollama does"),
        ("https://a.b:x/c", "invalid port `x` in `https://a.b:x/c`: using 443, as Ollama does"),
        (" a.b: ", "invalid port `` in `a.b:`: using 11434, as Ollama does"),
        ("[::1]:-1", "invalid port `-1` in `[::1]:-1`: using 11434, as Ollama does"),
        ("a.b:1", None),
        ("::1", None),
        ("", None),
    ],
)
def test_an_invalid_port_is_reported(address: str, warning: str | None) -> None:
    warnings: list[str] = []
    ServerAddress.parse(address, warnings.append)
    assert warnings == ([warning] if warning else [])


@pytest.mark.parametrize(("command", "count"), [("pin", 1), ("ls", 1), ("lint", 0), ("pin --check --frozen", 0)])
def test_commands_that_ask_a_server_report_it_once(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, command: str, count: int
) -> None:
    for folder in ("a", "b"):
        (project / folder).mkdir()
        (project / folder / ".git").mkdir()
        for name in ("Modelfile", "weights.gguf"):
            shutil.copy(project / name, project / folder)
    assert mf("pin").code == 0
    port = fake.url.rpartition(":")[2]
    monkeypatch.setattr("modelfile.addresses._DEFAULT_PORTS", {"http": port})
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:bad")
    ran = mf(*command.split())
    assert ran.code == 0
    warning = f"warning: invalid port `bad` in `http://127.0.0.1:bad`: using {port}, as Ollama does\n"
    assert ran.err.count("warning:") == ran.err.count(warning) == count


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.com",
        "://example.com",
        "exa mple",
        "a:b:c",
        "http://?",
        "[]",
        "[localhost]",
        "[::1",
        "127.0.0.1%eth0",
        "[fe80::1%a?b]",
        "[fe80::1%]",
        "example.com:+80",
        "example.com:-0",
    ],
)
def test_invalid_addresses(address: str) -> None:
    with pytest.raises(UsageError, match="invalid server address"):
        ServerAddress.parse(address)


@pytest.mark.parametrize("address", ["user:geheim@host", "http://user:gehe/im@host:80/", "ftp://geheim@host"])
def test_a_password_in_an_address_is_rejected_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        ServerAddress.parse(address)
    assert "OLLAMA_API_KEY" in (caught.value.hint or "")
    assert "geh" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("url", ["", "x", "ftp://h:1", "http://h", "http://h:x", "http://[::1:1", "http://a/b:1"])
def test_what_is_no_url_is_not_read_back(url: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(url)}$"):
        ServerAddress.from_url(url)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [("", True), ("LOCALHOST", True), ("127.1.2.3", True), ("::1", True), ("10.0.0.1", False), ("localhost.x", False)],
)
def test_loopback(text: str, loopback: bool) -> None:
    assert ServerAddress.parse(text).is_loopback is loopback


def test_a_path_is_quoted_once(project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.exists()
    fake.fault("", Status(418), times=99)
    monkeypatch.setenv("OLLAMA_HOST", f"{fake.url}/my proxy")
    assert mf("build", "bot:v1").code == 3
    assert {logged.path.rpartition("/")[0] for logged in fake.requests} == {"/my%20proxy/api"}


def test_the_path_of_a_planned_server_is_quoted_once(project: Path, fake: FakeOllama) -> None:
    assert mf("build", "bot:v1", "--plan-out", "plan.json", "--host", fake.url).code == 0
    plan = (project / "plan.json").read_text()
    (project / "plan.json").write_text(plan.replace(fake.url, f"{fake.url}/my%20proxy"))
    fake.fault("", Status(418), times=99)
    since = len(fake.requests)
    assert mf("build", "--plan", "plan.json").code == 3
    assert {logged.path.rpartition("/")[0] for logged in fake.requests[since:]} == {"/my%20proxy/api"}
    (project / "plan.json").write_text(plan.replace(fake.url, "ftp://x"))
    assert mf("build", "--plan", "plan.json").err.startswith("error: `plan.json` is not a plan\n")
