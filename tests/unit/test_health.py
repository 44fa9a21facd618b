"""The checks of `mf doctor`, each with what it reports."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.server import connect

from modelfile.addresses import ServerAddress
from modelfile.errors import ServerUnreachable, UsageError
from modelfile.health import Check, Status, diagnose
from modelfile.project.project import Project
from modelfile.stores.memory import MemoryStore
from modelfile.stores.network.deadline import Timeouts
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.open import open_store, reach
from modelfile.stores.protocol import Store

KEY = "sk-very-secret"
Opener = Callable[[], AbstractContextManager[Store]]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder below an empty home folder."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "models")


@pytest.fixture
def registry() -> Iterator[str]:
    """Yield the URL of a registry that answers 401 to all, as one that wants a token does."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def server(version: str) -> Opener:
    """Return an opener of a store of a version."""
    return lambda: nullcontext(MemoryStore(ollama=version))


def checks(
    open_server: Opener | None = None, *, registry: str | None = None, config: Path | None = None, **environ: str
) -> dict[str, Check]:
    """Return the checks by name."""
    address = ServerAddress.parse(registry) if registry else None
    made = [*diagnose(Project(config=config), open_server or server("0.33.0"), environ, registry=address)]
    assert len({check.name for check in made}) == len(made)
    return {check.name: check for check in made}


def test_models_that_cannot_be_built_are_an_error_of_the_configuration() -> None:
    Path("mf.toml").write_text('[models.base]\nmodelfile = "gone"\ntag = "v1"\n')
    found = checks()["configuration"]
    message = "`mf.toml`: `models.base.modelfile`: cannot read `gone`: no such file or directory"
    assert (found.status, found.message) == (Status.ERROR, message)
    hint = "correct the path, which is relative to the configuration, or delete the table"
    assert found.hint == hint
    with Path("mf.toml").open("a") as file:
        file.write('[models.small]\nmodelfile = "small"\ntag = "v1"\n')
    found = checks()["configuration"]
    assert (found.message, found.hint) == (message, f"{hint}; `mf lint` also reports 1 more")
    Path("gone").write_text("FROM llama3.2:3b\n")
    found = checks()["configuration"]
    assert found.message == "`mf.toml`: `models.small.modelfile`: cannot read `small`: no such file or directory"


def test_a_healthy_machine_has_no_warnings(fake: FakeOllama, registry: str) -> None:
    with connect(fake.url) as client:
        made = checks(lambda: nullcontext(ServerStore(client)), registry=registry, OLLAMA_MODELS=".")
    bad = {name for name, check in made.items() if check.status is not Status.OK}
    assert bad == {"CVE-2025-51471", "CVE-2026-7482"}
    assert made["server"].message == f"Ollama 0.9.3 at {fake.url}"
    assert made["store"].message.startswith("., ") or made["store"].message.startswith("~/models, ")
    assert made["registry"].message == "127.0.0.1 answers"
    assert made["lock"].message == "no mf.lock"
    assert made["cache"].message.endswith(" with 0 files, 0.0 MB")


def test_vulnerabilities_name_the_release_that_fixes_them() -> None:
    found = checks(server("0.14.3"))["CVE-2026-7482"]
    assert (found.status, found.message) == (Status.WARNING, "an uploaded GGUF file can read the server's memory")
    assert found.hint == "update Ollama to 0.17.1 or later; see https://pkg.go.dev/vuln/GO-2026-5748"
    assert checks(server("0.17.1"))["vulnerabilities"].message == "none known of this version"


def test_a_version_that_is_new_or_unknown_is_reported() -> None:
    made = checks(server("99.1.0"))["server"]
    assert made.status is Status.OK
    assert "99.1.0 at memory:, newer than " in made.message
    made = checks(server("0.0.0"))["server"]
    assert (made.status, made.message) == (Status.WARNING, "Ollama 0.0.0 at memory:, not a release")


def test_a_server_that_does_not_answer_is_an_error() -> None:
    made = checks(lambda: open_store(ServerAddress.parse("127.0.0.1:9")))
    assert (made["server"].status, made["server"].message) == (
        Status.ERROR,
        "no Ollama server answers at http://127.0.0.1:9",
    )
    assert "key file" in made

    def invalid() -> AbstractContextManager[Store]:
        raise UsageError("invalid server address `ftp://x`")

    assert checks(invalid)["server"].message == "invalid server address `ftp://x`"


def test_the_registry_counts_as_reachable_whatever_it_answers(registry: str) -> None:
    assert checks(registry=registry)["registry"].status is Status.OK
    made = checks(registry="127.0.0.1:9")["registry"]
    assert (made.status, made.message) == (Status.WARNING, "127.0.0.1 does not answer")
    assert checks()["registry"].status is Status.SKIPPED


def test_the_key_is_sent_without_being_shown(fake: FakeOllama) -> None:
    with connect(fake.url) as client:
        made = checks(lambda: nullcontext(ServerStore(client)), OLLAMA_API_KEY=KEY)
    assert (made["OLLAMA_API_KEY"].status, made["OLLAMA_API_KEY"].message) == (Status.OK, f"set; sent to {fake.url}")
    assert KEY not in repr(made)
    made = checks(OLLAMA_API_KEY=KEY)
    assert (made["OLLAMA_API_KEY"].status, made["OLLAMA_API_KEY"].message) == (
        Status.WARNING,
        "set, but not sent to memory:",
    )
    assert KEY not in repr(made)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode")
def test_permissions_of_the_key_file(tmp_path: Path) -> None:
    (tmp_path / ".ollama").mkdir()
    key = tmp_path / ".ollama" / "id_ed25519"
    key.write_text("secret")
    key.chmod(0o600)
    assert (checks()["key file"].status, checks()["key file"].message) == (Status.OK, "~/.ollama/id_ed25519")
    key.chmod(0o640)
    made = checks()["key file"]
    assert (made.status, made.hint) == (Status.WARNING, "run `chmod 600 ~/.ollama/id_ed25519`")


def test_the_store_is_examined_only_on_this_machine(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks()["store"].message == "memory: is on another machine"
    with connect(fake.url) as client:

        def local() -> AbstractContextManager[Store]:
            return nullcontext(ServerStore(client))

        assert checks(local, OLLAMA_MODELS="none")["store"].message == "no folder none"
        monkeypatch.setattr("modelfile.health._LOW_SPACE", 1 << 62)
        made = checks(local, OLLAMA_MODELS=".")["store"]
    assert (made.status, made.hint) == (Status.WARNING, "free some disk space, for example with `mf rm`")


@pytest.mark.parametrize(
    ("file", "text", "name", "message"),
    [
        ("mf.toml", "nope = 1", "configuration", "unknown setting `nope`"),
        ("mf.toml", "a = [", "configuration", "is not TOML"),
        ("mf.lock", "{", "lock", "mf.lock"),
    ],
)
def test_a_project_that_cannot_be_read_is_an_error(file: str, text: str, name: str, message: str) -> None:
    Path(file).write_text(text)
    made = checks()[name]
    assert made.status is Status.ERROR
    assert message in made.message


def test_a_project_is_described() -> None:
    Path("mf.toml").write_text("keep = 3\n")
    assert checks()["configuration"].message == "~/models/mf.toml"


def test_git_that_is_missing_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks()["git"].status is Status.OK
    monkeypatch.setenv("PATH", "")
    assert (checks()["git"].status, checks()["git"].message) == (Status.WARNING, "not found")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode")
def test_a_cache_that_others_can_write_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache" / "modelfile").mkdir(parents=True)
    (tmp_path / "cache" / "modelfile").chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert checks()["cache"].status is Status.WARNING


def test_mirror_is_reached_instead_of_the_registry(registry: str, tmp_path: Path) -> None:
    config = tmp_path / "mf.toml"
    config.write_text(f'mirrors = {{"127.0.0.1" = "{registry}/path"}}\n')
    assert checks(registry="127.0.0.1:9", config=config)["registry"].status is Status.OK


def test_registry_that_is_not_allowed_is_not_reached(tmp_path: Path) -> None:
    config = tmp_path / "mf.toml"
    config.write_text('registries = ["hf.co"]\n')
    made = checks(registry="127.0.0.1:9", config=config)["registry"]
    assert (made.status, made.message) == (Status.SKIPPED, "registry not allowed: `127.0.0.1`")


def test_reach_reports_only_silence(registry: str) -> None:
    reach(ServerAddress.parse(registry))
    with pytest.raises(ServerUnreachable):
        reach(ServerAddress.parse("127.0.0.1:9"))


def test_a_registry_that_is_silent_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.stores.open._PROBE", Timeouts(first=0.1, connect=0.1, answer=0.2))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = checks(registry=f"127.0.0.1:{listening.getsockname()[1]}")["registry"]
    assert (made.status, made.message) == (Status.WARNING, "127.0.0.1 does not answer")


@pytest.mark.parametrize("text", ["9" * 10_000, "9" * 4000, "\x1b[2J", "0.9.3-" + "x" * 10_000, "-"])
def test_a_version_of_a_hostile_server_is_bounded_and_escaped(text: str) -> None:
    made = checks(server(text))["server"]
    assert made.status in {Status.OK, Status.WARNING}
    assert len(made.message) < 200
    assert made.message.isprintable()


def test_a_check_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("modelfile.health.home_folder", no_home)
    made = checks()
    assert (made["key file"].status, made["key file"].message) == (
        Status.ERROR,
        "cannot be examined: Could not determine home directory.",
    )
    assert made["vulnerabilities"].status is Status.OK

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("modelfile.project.project.Project.find_lock", denied)
    assert checks()["lock"].message == "cannot be examined: [Errno 13] Permission denied"


def test_a_user_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.health.home_folder", lambda: None)
    made = checks()["key file"]
    assert (made.status, made.message) == (Status.SKIPPED, "there is no home folder")
