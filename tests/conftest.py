"""A clean environment for every test, no network but this machine's, and a real Ollama server for live tests."""

import ipaddress
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests.fakes.ollama import FakeOllama
from tests.support.building import BASE, LOCAL, MUTABLE, UPON
from tests.support.real_ollama import serve
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile import cache
from modelfile.stores.network.retry import Backoff

settings.register_profile("unhurried", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("unhurried")
settings.register_profile("fuzz", max_examples=20_000, deadline=None)

# Started in the background of a shell, pytest ignores Ctrl-C, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

UNWANTED = (
    "OLLAMA_HOST",
    "OLLAMA_API_KEY",
    "OLLAMA_MODELS",
    "MF_STORE",
    "NO_COLOR",
    "FORCE_COLOR",
    "TERM",
    "COLUMNS",
    "CI",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-cases` and `--rounds`."""
    parser.addoption(
        "--update-cases", action="store_true", help="write what the commands print into tests/commands/cases/*.md"
    )
    parser.addoption("--rounds", type=int, default=1, help="how many times as long each campaign runs")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    for name in UNWANTED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")  # the discard port: no answer
    monkeypatch.setattr("modelfile.stores.open.BACKOFF", Backoff(pause=lambda _: None))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    connect = socket.socket.connect

    def offline(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not ipaddress.ip_address(address[0]).is_loopback:
            raise AssertionError(f"a test reaches for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", offline)
    yield
    assert cache._Switch.enabled, "the test leaves the cache disabled for those after it"  # noqa: SLF001  # tests only


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """Return how many times as long as in a plain run a campaign of random input or faults runs: `--rounds`."""
    return int(request.config.getoption("--rounds"))


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    """Yield an Ollama server in this process that answers as 0.9.3 does."""
    with FakeOllama() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeOllama) -> Path:
    """Return a folder with a Modelfile of local weights, for the fake server; every tag may be overwritten."""
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" + bytes(60) + b"weights")
    (tmp_path / "Modelfile").write_text(LOCAL)
    (tmp_path / ".git").mkdir()
    (tmp_path / "mf.toml").write_text(MUTABLE)
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def models(project: Path) -> Path:
    """Return a project of two models, `bot:v1` FROM `base:v1`."""
    (project / "mf.toml").write_text(
        f'{MUTABLE}[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\n\n'
        '[models.base]\nmodelfile = "base.Modelfile"\ntag = "v1"\n'
    )
    (project / "base.Modelfile").write_text(BASE)
    (project / "Modelfile").write_text(UPON)
    return project


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a GGUF that Ollama accepts."""
    return write_tiny_gguf(tmp_path_factory.mktemp("weights") / "tiny.gguf")


@pytest.fixture
def real() -> Iterator[str]:
    """Yield the URL of a real Ollama server of the test's own: it starts in 0.2 s, and it has no models."""
    with serve() as url:
        yield url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that are marked `no_cover`, with the reason beside each, where coverage is measured."""
    for item in items if config.getoption("cov_source", None) else ():
        if item.get_closest_marker("no_cover"):
            item.add_marker(pytest.mark.skip(reason="coverage cannot be measured"))
