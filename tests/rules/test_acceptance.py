"""The Modelfiles in tests/data/acceptance: what we call an error Ollama refuses or reads otherwise, the rest it takes.

An entry is a `##` heading, a fenced block with the Modelfile (`python`: as a literal of its bytes), and the verdict:

- `accepted`: no error is found, and `ollama create` makes the model;
- `refused by cli, MF302: words`: these errors are found, and `ollama create` says these words and asks no server;
- `refused by server, MF401: words`: the same, but the words are the server's;
- `read differently, MF501`: these errors are found, and the model is made, but of something else than what is written.

Then, as `- field: value` in JSON, what the made model holds of some field, all of it; with `for "…"`, what is written.
"""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.support.paths import DATA
from tests.support.real_ollama import clean_environment, install

from modelfile import parse
from modelfile.cli.checked import check
from modelfile.diagnostics import Severity
from modelfile.linter.rules import RULES
from modelfile.linter.settings import settings
from modelfile.project.config import Config
from modelfile.source import Source
from modelfile.stores.ollama.client import Client

VERSION = "0.9.3"
FOLDER = DATA / "acceptance"
ENTRY = re.compile(
    r"^## (?P<title>.+)\n(?P<fence>~~~|```)(?P<kind>modelfile|python)\n(?P<body>(?s:.*?))^(?P=fence)\n"
    r"(?P<verdict>accepted|refused by cli|refused by server|read differently)"
    r"(?:, (?P<codes>MF\d+(?: MF\d+)*))?(?:: (?P<words>.+))?\n(?P<claims>(?:- .+\n)*)",
    re.MULTILINE,
)
CLAIM = re.compile(r'- (\w+): (".*?(?<!\\)(?:\\\\)*")(?: for (".*"))?\n')
MADE = "acceptance:made"
BASE = "base:v1"
SAME_AS_BASE = (
    "base:latest",
    f"base:_{'a' * 79}",
    f"base:sha256-{'2' * 64}",
    "localhost:5000/key-smith/base_1.0-b:v1",
    "hf.co/Locksmith/Lock-1.0-GGUF:Q4_K_M",
)
OTHER = "other:v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A Modelfile with what becomes of it."""

    title: str
    data: bytes
    verdict: str
    codes: list[str]
    words: str
    holds: Mapping[str, list[str]]
    """What the model holds, by field."""
    written: list[tuple[str, str]]
    """What is read, and what is written for it."""


def entries(path: Path) -> Iterator[Entry]:
    text = path.read_text(encoding="utf-8")
    for match in ENTRY.finditer(text):
        holds: dict[str, list[str]] = {}
        written = []
        for field, read, instead_of in CLAIM.findall(match["claims"]):
            holds.setdefault(field, []).append(json.loads(read))
            if instead_of:
                written.append((json.loads(read), json.loads(instead_of)))
        yield Entry(
            title=match["title"],
            data=match["body"].encode() if match["kind"] == "modelfile" else ast.literal_eval(match["body"]),
            verdict=match["verdict"],
            codes=(match["codes"] or "").split(),
            words=match["words"] or "",
            holds=holds,
            written=written,
        )


ENTRIES = {path: list(entries(path)) for path in sorted(FOLDER.glob("*.md"))}
PARAMETERS = [
    pytest.param(entry, id=f"{path.stem}: {entry.title}") for path, found in ENTRIES.items() for entry in found
]


@pytest.fixture
def folder(tmp_path: Path, tiny: Path, adapter: Path) -> Path:
    """Where the Modelfile stands, and what stands beside it."""
    for source, name in ((tiny, "weights/tiny.gguf"), (tiny, "weights/a b.gguf"), (adapter, "lora/adapter.gguf")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(source, tmp_path / name)
    return tmp_path


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest GGUF that Ollama takes for an adapter."""
    import numpy as np
    from gguf import GGUFWriter

    path = tmp_path_factory.mktemp("lora") / "adapter.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.zeros((1, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_every_entry_is_read() -> None:
    for path, found in ENTRIES.items():
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(found)
        assert len(re.findall(r"^- ", text, re.MULTILINE)) == sum(
            len(values) for entry in found for values in entry.holds.values()
        )
    modelfiles = [entry.data for found in ENTRIES.values() for entry in found]
    assert len(modelfiles) == len(set(modelfiles)) > 100


def test_every_error_is_tried() -> None:
    tried = {code for found in ENTRIES.values() for entry in found for code in entry.codes}
    assert tried == {rule.code for rule in RULES if rule.severity is Severity.ERROR}


@pytest.mark.parametrize("entry", PARAMETERS)
def test_what_lint_says(entry: Entry, folder: Path) -> None:
    (folder / "Modelfile").write_bytes(entry.data)
    found = check(str(folder / "Modelfile"), settings(Config(target=VERSION), isolated=True)).diagnostics
    assert sorted({finding.code for finding in found if finding.severity is Severity.ERROR}) == entry.codes, found
    assert bool(entry.codes) == (entry.verdict != "accepted")


@pytest.mark.parametrize("entry", PARAMETERS)
def test_what_we_read(entry: Entry) -> None:
    held: dict[str, list[str]] = {}
    for name, value in parse(entry.data).commands:
        held.setdefault(name, []).append(value)
    held = {
        "message": held.get("message", []),
        "license": ["\n".join(held.get("license", []))],
        **{name: held[name][-1:] for name in ("system", "template") if name in held},
    }
    assert held.items() >= {name: values for name, values in entry.holds.items() if name in held}.items()
    text = Source.decode(entry.data).text
    for read, written in entry.written:
        assert written in text
        assert written not in read


@pytest.fixture(scope="module")
def stocked(real: str, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A real server with the bases."""
    folder = tmp_path_factory.mktemp("bases")
    with Client(real) as client:
        if (version := client.version()) != VERSION:
            pytest.skip(f"the verdicts are for Ollama {VERSION}, this is {version}")
        try:
            for model, text in ((BASE, f"FROM {tiny}"), (OTHER, f"FROM {BASE}\nSYSTEM The other one.")):
                ran = ollama(real, folder, model, text.encode())
                assert ran.returncode == 0, ran
            for name in SAME_AS_BASE:
                client.copy(BASE, name)
            yield client
        finally:
            for name in {tag.name for tag in client.tags()} & {MADE, BASE, OTHER, *SAME_AS_BASE}:
                client.delete(name)


def ollama(host: str, folder: Path, model: str, modelfile: bytes) -> subprocess.CompletedProcess[str]:
    """Run `ollama create`; paths are relative to the folder."""
    path = folder / "Modelfile"
    path.write_bytes(modelfile)
    return subprocess.run(
        [install(), "create", model, "-f", path],
        cwd=folder,
        env=clean_environment() | {"OLLAMA_HOST": host},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@contextmanager
def deaf() -> Iterator[tuple[str, list[str]]]:
    """A server that is there and refuses all that is asked, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            self.close_connection = True
            if self.raw_requestline and self.parse_request():
                asked.append(f"{self.command} {self.path}")
                self.send_response(200 if self.command == "HEAD" and self.path == "/" else 500)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


@pytest.mark.live
@pytest.mark.parametrize("entry", PARAMETERS)
def test_what_ollama_does(entry: Entry, folder: Path, stocked: Client) -> None:
    if entry.verdict.startswith("refused"):
        with deaf() as (url, asked):
            ran = ollama(url, folder, MADE, entry.data)
        if entry.verdict == "refused by server":
            assert asked[-1] == "POST /api/create"
            ran = ollama(stocked.url, folder, MADE, entry.data)
        else:
            assert asked == ["HEAD /"]
        assert (ran.returncode, entry.words in ran.stderr) == (1, True), ran
        return
    ran = ollama(stocked.url, folder, MADE, entry.data)
    assert ran.returncode == 0, ran
    try:
        held = show(stocked)
    finally:
        stocked.delete(MADE)
    for name, values in entry.holds.items():
        assert held[name] == (sorted(values) if name == "parameter" else values)
    for read, written in entry.written:
        assert any(read in value for values in held.values() for value in values)
        assert not any(written in value for values in held.values() for value in values)


def show(client: Client) -> dict[str, list[str]]:
    """What the server itself says that the model holds."""
    shown = client.show(MADE)
    return {
        "system": [shown.system],
        "template": [shown.template],
        "license": [shown.license],
        "message": [f"{message.role}: {message.content}" for message in shown.messages or ()],
        "parameter": sorted(re.sub(" +", " ", line, count=1) for line in shown.parameters.splitlines()),
    }
