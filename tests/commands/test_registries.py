"""Commands on models in registries: faults, each with the name, the registry, the cause and what to do."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.hostile import reply
from tests.fakes.ollama import FakeOllama
from tests.fakes.registry import FakeRegistry
from tests.fakes.script import Pause, Repeat, Script
from tests.fakes.store import published
from tests.support.cli import Ran, mf
from tests.support.clock import AdvancedClock

from modelfile.cli.options import _open_registries
from modelfile.errors import ExitCode

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        registry.push("team/bot", "v1", published(b"GGUF", system="You are terse.", license=["MIT"]))
        yield registry


def run(*arguments: str, cwd: Path | None = None) -> Ran:
    """Run `mf` with registries over HTTP."""
    return mf(*arguments, cwd=cwd, open_registry=_open_registries)


def test_model_is_shown(registry: FakeRegistry) -> None:
    ran = run("show", f"registry:{registry.host}/team/bot:v1")
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    assert "You are terse." in ran.out
    read = [asked.path for asked in registry.requests]
    assert not any(hashlib.sha256(b"GGUF").hexdigest() in path for path in read), "the weights are not read"


def test_raw_manifest_is_that_of_the_registry_to_the_byte(registry: FakeRegistry) -> None:
    ran = run("show", f"registry:{registry.host}/team/bot:v1", "--raw")
    digest = f"sha256:{hashlib.sha256(ran.out.encode()).hexdigest()}"
    assert digest == registry.tags["team/bot"]["v1"]
    layers = run("show", f"registry:{registry.host}/team/bot:v1", "--layers", "--json")
    assert json.loads(layers.out)["digest"] == digest


def test_long_waits_are_reported(registry: FakeRegistry) -> None:
    registry.fault("/manifests/", reply("", "429 Too Many Requests", "Retry-After: 2"))
    ran = run("show", f"registry:{registry.host}/team/bot:v1")
    assert (ran.code, ran.err) == (ExitCode.CLEAN, f"{registry.host} is busy or fails: the next try is in 2 s\n")


def test_tags_are_listed(registry: FakeRegistry) -> None:
    ran = run("ls", f"registry:{registry.host}/team/bot")
    assert (ran.code, ran.out) == (ExitCode.CLEAN, f"{registry.host}/team/bot:v1\n")


def test_registry_that_cannot_list(registry: FakeRegistry) -> None:
    registry.fault("/tags/", reply("404 page not found", "404 Not Found"))
    ran = run("ls", f"registry:{registry.host}/team/bot")
    assert ran.code == ExitCode.FAILED
    assert (
        ran.err == f"error: http://{registry.host} cannot list the tags of {registry.host}/team/bot\nhelp: name a tag\n"
    )


def faults() -> Iterator[object]:
    """Yield faults with what the error says."""
    yield pytest.param(reply("", "401 Unauthorized"), "denies access", "ollama signin", id="401")
    yield pytest.param(reply('{"error":"gated"}', "403 Forbidden"), "denies access (HTTP 403: gated)", "", id="403")
    yield pytest.param(
        reply("", "429 Too Many Requests", "Retry-After: 60"), "too many requests (HTTP 429)", "in 60 s", id="429"
    )
    yield pytest.param(reply("", "500 Internal Server Error"), "has failed (HTTP 500)", "later", id="500")
    yield pytest.param(reply("<html>"), "answers with a web page", "is it a registry?", id="HTML")
    yield pytest.param(reply("{}", "200 OK", "Docker-Content-Digest: x"), "sends something else", "", id="no manifest")
    yield pytest.param(Script((HEAD + b"Content-Length: 9\r\n\r\n{",)), "broke", "check the network", id="truncated")
    yield pytest.param(Script((HEAD + b"\r\n", Repeat(b" " * 65536))), "more than the 4,194,304", "", id="huge")
    yield pytest.param(
        reply("", "307 Temporary Redirect", "Location: x"), "redirects more than 10 times", "", id="endless redirect"
    )
    yield pytest.param(
        reply('{"schemaVersion":1,"mediaType":"application/vnd.docker.distribution.manifest.v1+json"}'),
        "unknown media type",
        "",
        id="wrong media type",
    )


@pytest.mark.parametrize("arguments", [("show",), ("show", "--layers"), ("show", "--raw")])
@pytest.mark.parametrize(("script", "message", "hint"), [*faults()])
def test_fault(registry: FakeRegistry, arguments: tuple[str, ...], script: Script, message: str, hint: str) -> None:
    registry.fault("/manifests/", script, times=99)
    name = f"{registry.host}/team/bot:v1"
    ran = run(arguments[0], f"registry:{name}", *arguments[1:])
    assert (ran.code, ran.out) == (ExitCode.FAILED, "")
    assert ran.err.startswith(f"error: cannot read the manifest of {name}: ")
    assert message in ran.err
    assert hint in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", ["outdated", "update"])
@pytest.mark.parametrize(("script", "message", "hint"), [*faults()])
def test_fault_of_a_pinned_base(
    registry: FakeRegistry, command: str, script: Script, message: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text(f"# A bot.\nFROM {registry.host}/team/bot:v1\n")
    assert run("pin", cwd=tmp_path).code == ExitCode.CLEAN
    written = (tmp_path / "mf.lock").read_bytes()
    registry.fault("/manifests/", script, times=99)
    if command == "outdated":
        registry.fault("/tags/", script, times=99)
    ran = run(command, cwd=tmp_path)
    assert (ran.code, ran.out) == (ExitCode.FAILED, "")
    assert f"cannot read the manifest of {registry.host}/team/bot:v1: " in ran.err
    assert ran.err.count("error: ") == 1
    assert message in ran.err
    unreachable = command == "update" and hint in ("later", "check the network")
    assert ("or run `mf pin --from-server`" if unreachable else hint) in ran.err
    assert (tmp_path / "mf.lock").read_bytes() == written


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (reply("", "404 Not Found"), "HTTP 404"),
        (reply("<html>"), "instead of"),
        (Script((HEAD + b"\r\n", Repeat(b"x" * 65536))), "more than"),
    ],
)
def test_fault_of_a_layer(registry: FakeRegistry, script: Script, message: str) -> None:
    registry.fault("/blobs/", script, times=99)
    ran = run("show", f"registry:{registry.host}/team/bot:v1")
    assert ran.code == ExitCode.FAILED
    assert ran.err.startswith(f"error: cannot read the config of {registry.host}/team/bot:v1: {registry.host} ")
    assert message in ran.err


def test_weights_without_a_model_layer_are_named(registry: FakeRegistry) -> None:
    manifest = json.loads(registry.blobs["team/bot"][registry.tags["team/bot"]["v1"]])
    manifest["layers"] = None
    registry.fault("/manifests/", reply(json.dumps(manifest)))
    ran = run("show", f"registry:{registry.host}/team/bot:v1")
    assert "has no weights" in ran.err
    assert "is it a cloud model?" in ran.err


def test_https_is_asked_only(registry: FakeRegistry, tmp_path: Path) -> None:
    port = registry.host.rpartition(":")[2]
    (tmp_path / "mf.toml").write_text(f'mirrors = {{"registry.ollama.ai" = "https://127.0.0.1:{port}"}}\n')
    ran = run("show", "registry:team/bot:v1", cwd=tmp_path)
    assert ran.code == ExitCode.FAILED
    assert ran.err.startswith("error: cannot read the manifest of team/bot:v1: no secure connection to 127.0.0.1:")
    assert "`insecure-registries` of the configuration, or asked with --insecure" in ran.err


def test_mirror_of_the_configuration_is_asked(registry: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text(f'mirrors = {{"registry.ollama.ai" = "http://{registry.host}"}}\n')
    ran = run("show", "registry:team/bot:v1", "--layers", cwd=tmp_path)
    assert ran.code == ExitCode.CLEAN
    assert f"http://{registry.host}" in ran.out


@pytest.mark.parametrize("command", ["show", "ls"])
def test_registry_that_is_not_allowed(command: str, tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text('registries = ["hf.co"]\n')
    ran = run(command, "registry:team/bot", cwd=tmp_path)
    assert ran.code == ExitCode.USAGE
    assert "registry not allowed: `registry.ollama.ai`" in ran.err
    assert "add the host to `registries` in the configuration" in ran.err


@pytest.mark.parametrize(
    "line",
    [
        'mirrors = {"a" = "ftp://x"}',
        'mirrors = {"a" = "https://user:pw@x"}',
        'mirrors = {"a" = 1}',
        'mirrors = ["a"]',
        'mirrors = {"a/b" = "https://x"}',
        'insecure-registries = "a"',
        'insecure-registries = ["http://a"]',
    ],
)
def test_invalid_configuration(line: str, tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text(f"{line}\n")
    ran = run("show", "registry:team/bot", cwd=tmp_path)
    assert ran.code == ExitCode.USAGE
    assert "invalid value of `" in ran.err


def test_insecure_asks_over_plain_http(monkeypatch: pytest.MonkeyPatch, registry: FakeRegistry) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{registry.host}")  # it answers for any host
    monkeypatch.delenv("NO_PROXY", raising=False)
    manifest = registry.blobs["team/bot"][registry.tags["team/bot"]["v1"]]
    registry.fault("http://registry.example/v2/team/bot/manifests/v1", reply(manifest))
    ran = run("show", "registry:registry.example/team/bot:v1", "--layers", "--insecure")
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    assert "http://registry.example" in ran.out


@pytest.mark.parametrize("command", ["pin", "outdated", "update"])
def test_every_command_that_asks_registries_can_ask_over_plain_http(
    command: str, monkeypatch: pytest.MonkeyPatch, registry: FakeRegistry, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{registry.host}")  # it answers for any host
    monkeypatch.delenv("NO_PROXY", raising=False)
    digest = registry.push("team/bot", "main", published(b"GGUF"))
    (tmp_path / "Modelfile").write_text(f"FROM {registry.host}/team/bot:main\n")
    assert run("pin", cwd=tmp_path).code == ExitCode.CLEAN
    for path in (tmp_path / "Modelfile", tmp_path / "mf.lock"):
        path.write_text(path.read_text().replace(registry.host, "registry.example"))
    if command == "pin":
        (tmp_path / "mf.lock").unlink()
    manifest = registry.blobs["team/bot"][digest]
    registry.fault("http://registry.example/v2/team/bot/manifests/main", reply(manifest))
    ran = run(command, "--insecure", cwd=tmp_path)
    assert ran.code == ExitCode.CLEAN, ran.err
    source = json.loads((tmp_path / "mf.lock").read_text())["modelfiles"]["Modelfile"]["base"]["source"]
    assert source == "http://registry.example"


def test_server_pulls_over_plain_http_if_told_so(fake: FakeOllama, tmp_path: Path) -> None:
    fake.store.plain_hosts.add("registry.lan")
    fake.registry["registry.lan/team/base:v1"] = published(b"GGUF")
    ran = mf("pull", "registry.lan/team/base:v1", "--insecure", cwd=tmp_path, environ={"OLLAMA_HOST": fake.url})
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    again = mf("pull", "registry.lan/team/base:v1", cwd=tmp_path, environ={"OLLAMA_HOST": fake.url})
    assert again.code == ExitCode.FAILED, "the option holds for one run"


@pytest.mark.parametrize("mirror", ["https://mirror.lan", "http://mirror.lan:5000/"])
def test_server_pulls_from_the_mirror(mirror: str, fake: FakeOllama, tmp_path: Path) -> None:
    host = mirror.rstrip("/").partition("://")[2]
    if mirror.startswith("http:"):
        fake.store.plain_hosts.add(host)
    settings = f'mirrors = {{"registry.ollama.ai" = "{mirror}"}}\ninsecure-registries = ["mirror.lan:5000"]\n'
    (tmp_path / "mf.toml").write_text(settings)
    fake.registry[f"{host}/library/base:main"] = published(b"GGUF", system="Be brief.")
    at = {"OLLAMA_HOST": fake.url}
    ran = mf("pull", "base:main", cwd=tmp_path, environ=at)
    assert (ran.code, ran.err, [*fake.models]) == (ExitCode.CLEAN, "", ["base:main"])
    fake.registry[f"{host}/library/base:main"] = published(b"GGUF", system="Be kind.")
    assert mf("cp", "base:main", f"{host}/library/base:main", environ=at).code == ExitCode.CLEAN
    assert mf("pull", "base:main", cwd=tmp_path, environ=at).out.endswith("(changed)\n")
    assert {*fake.models} == {"base:main", f"{host}/library/base:main"}, "a name that was there stays"


def test_server_pulls_past_a_mirror_below_a_path(fake: FakeOllama, tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text('mirrors = {"registry.ollama.ai" = "https://mirror.lan/proxy"}\n')
    fake.registry["base:v1"] = published(b"GGUF")
    assert mf("pull", "base:v1", cwd=tmp_path, environ={"OLLAMA_HOST": fake.url}).code == ExitCode.CLEAN


def test_timeout_of_the_command(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Script((HEAD, Repeat(b"X-A: b\r\n", 0.05)))
    registry.fault("/manifests/", AdvancedClock.from_start_of(endless, monkeypatch))
    ran = run("show", f"registry:{registry.host}/team/bot:v1", "--timeout", "0.1")
    assert "has not answered within 0.1 s" in ran.err
    assert "--timeout allows it more time" in ran.err


def test_interrupt_ends_the_command_at_once(registry: FakeRegistry) -> None:
    registry.fault("/manifests/", Script((Pause(),)))
    argv = [sys.executable, "-m", "modelfile", "show", f"registry:{registry.host}/team/bot:v1"]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    while not registry.requests:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(2)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (ExitCode.INTERRUPTED, "error: interrupted\n")


def test_no_server_is_asked(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    assert run("diff", *(f"registry:{registry.host}/team/bot:v1",) * 2).code == ExitCode.CLEAN


def test_pull_of_a_registry_that_is_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    (tmp_path / "mf.toml").write_text('registries = ["hf.co"]\n')
    ran = run("pull", "team/bot:v1", cwd=tmp_path)
    assert ran.code == ExitCode.FAILED
    assert ran.err.startswith("error: cannot pull team/bot:v1: registry not allowed: `registry.ollama.ai`\n")


def test_locked_base_is_shown_without_its_registry(registry: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text(f"# Answers in few words.\nFROM {registry.host}/team/bot:v1\n")
    assert run("pin", cwd=tmp_path).code == ExitCode.CLEAN
    registry.fault("/", reply("", "500 Internal Server Error"), times=99)
    before = len(registry.requests)
    ran = run("show", f"lock:{registry.host}/team/bot:v1", cwd=tmp_path)
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    assert "You are terse." in ran.out
    assert len(registry.requests) == before
    assert run("show", f"registry:{registry.host}/team/bot:v1", cwd=tmp_path).code == ExitCode.FAILED  # the fault


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("localhost:5000", ""),
        ("127.0.0.1:5000", ""),
        ("registry.lan:5000", 'insecure-registries = ["Registry.LAN:5000"]'),
    ],
)
def test_server_pulls_over_plain_http_where_the_configuration_allows_it(
    host: str, settings: str, fake: FakeOllama, tmp_path: Path
) -> None:
    (tmp_path / "mf.toml").write_text(settings)
    fake.store.plain_hosts.add(host)
    fake.registry[f"{host}/team/base:v1"] = published(b"GGUF")
    ran = mf("pull", f"{host}/team/base:v1", cwd=tmp_path, environ={"OLLAMA_HOST": fake.url})
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    (tmp_path / "Modelfile").write_text(f"FROM {host}/team/base:v1\nSYSTEM Be brief.\n")
    assert mf("rm", f"{host}/team/base:v1", "--yes", cwd=tmp_path, environ={"OLLAMA_HOST": fake.url}).code == 0
    assert mf("build", "bot:v1", cwd=tmp_path, environ={"OLLAMA_HOST": fake.url}).code == ExitCode.CLEAN


@pytest.mark.parametrize("host", ["registry.lan:5000", "localhost.example"])
def test_server_pulls_over_https_from_all_other_hosts(host: str, fake: FakeOllama, tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text('insecure-registries = ["registry.lan"]')
    fake.store.plain_hosts.add(host)
    fake.registry[f"{host}/team/base:v1"] = published(b"GGUF")
    ran = mf("pull", f"{host}/team/base:v1", cwd=tmp_path, environ={"OLLAMA_HOST": fake.url})
    assert ran.code == ExitCode.FAILED
    assert f"cannot reach {host}: it does not speak HTTPS" in ran.err
    assert "list it in `insecure-registries`" in ran.err
