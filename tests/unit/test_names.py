"""Model names and server addresses."""

import shutil
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf

from modelfile.cli.server import url_of
from modelfile.errors import UsageError
from modelfile.names import ModelName, model_for, server_url


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("llama3.2", "registry.ollama.ai/library/llama3.2:latest", "llama3.2:latest"),
        ("llama3.2:3b", "registry.ollama.ai/library/llama3.2:3b", "llama3.2:3b"),
        ("team/bot:v1", "registry.ollama.ai/team/bot:v1", "team/bot:v1"),
        ("hf.co/a/b:Q4_K_M", "hf.co/a/b:Q4_K_M", "hf.co/a/b:Q4_K_M"),
        ("127.0.0.1:5000/team/tiny", "127.0.0.1:5000/team/tiny:latest", "127.0.0.1:5000/team/tiny:latest"),
        ("http://127.0.0.1:5000/team/tiny:v1", "127.0.0.1:5000/team/tiny:v1", "127.0.0.1:5000/team/tiny:v1"),
        ("http:///team/tiny", "registry.ollama.ai/team/tiny:latest", "team/tiny:latest"),
        ("Registry.Ollama.ai/Library/x:y", "Registry.Ollama.ai/Library/x:y", "x:y"),
        ("_x-y.z:" + "t" * 80, "registry.ollama.ai/library/_x-y.z:" + "t" * 80, "_x-y.z:" + "t" * 80),
    ],
)
def test_names(text: str, full: str, short: str) -> None:
    name = ModelName.parse(text)
    assert (name.full, str(name)) == (full, short)
    assert ModelName.parse(str(name)).same_as(name)
    assert ModelName.parse(name.full.upper()).same_as(name)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "its model is empty"),
        ("bad name!", "its model `bad name!` is at fault"),
        ("x:", "its tag is empty"),
        (":x", "its model is empty"),
        ("/x", "its namespace is empty"),
        ("a//x", "its namespace is empty"),
        ("/a/x", "its host is empty"),
        ("a/b/c/d", "its host `a/b` is at fault"),
        ("./weights.gguf", "its namespace `.` is at fault"),
        ("https://x.y/z", "its host `https:/` is at fault"),
        ("a.b/x", "its namespace `a.b` is at fault"),
        ("-x", "its model `-x` is at fault"),
        ("é", "its model `é` is at fault"),
        ("x:" + "t" * 81, "its tag `ttt"),
        ("x@sha256:" + "0" * 64, "Ollama cannot pull by digest"),
    ],
)
def test_refused_names(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        ModelName.parse(text)
    assert (caught.value.hint or "").startswith(hint)


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
        ("example.com:00080", "http://example.com:00080"),
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
    assert server_url(address) == url


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("example.com:66000", "`66000` is no port: `example.com:66000` is read with 11434, as Ollama does"),
        ("https://a.b:x/c", "`x` is no port: `https://a.b:x/c` is read with 443, as Ollama does"),
        (" a.b: ", "`` is no port: `a.b:` is read with 11434, as Ollama does"),
        ("[::1]:-1", "`-1` is no port: `[::1]:-1` is read with 11434, as Ollama does"),
        ("a.b:1", None),
        ("::1", None),
        ("", None),
    ],
)
def test_a_port_that_is_none_is_told(address: str, told: str | None) -> None:
    heard: list[str] = []
    server_url(address, heard.append)
    assert heard == ([told] if told else [])


@pytest.mark.parametrize(("command", "told"), [("pin", 1), ("ls", 1), ("lint", 0), ("pin --check --frozen", 0)])
def test_commands_that_ask_a_server_tell_it_once(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, command: str, told: int
) -> None:
    for folder in ("a", "b"):
        (project / folder).mkdir()
        (project / folder / ".git").mkdir()
        for name in ("Modelfile", "weights.gguf"):
            shutil.copy(project / name, project / folder)
    assert mf("pin").code == 0
    port = fake.url.rpartition(":")[2]
    monkeypatch.setattr("modelfile.names._DEFAULT_PORTS", {"http": port})
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:bad")
    url_of.cache_clear()
    ran = mf(*command.split())
    assert ran.code == 0
    said = f"warning: `bad` is no port: `http://127.0.0.1:bad` is read with {port}, as Ollama does\n"
    assert ran.err.count("warning:") == ran.err.count(said) == told


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
def test_refused_addresses(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a server"):
        server_url(address)


@pytest.mark.parametrize("address", ["user:geheim@host", "http://user:gehe/im@host:80/", "ftp://geheim@host"])
def test_a_password_in_an_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        server_url(address)
    assert "OLLAMA_API_KEY" in (caught.value.hint or "")
    assert "geh" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("path", ["bot/Modelfile", "x/Modelfile.bot", "x/bot.Modelfile", "bot.modelfile"])
def test_model_for(path: str) -> None:
    assert model_for(Path(path)) == "bot"
