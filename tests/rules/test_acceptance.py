"""The Modelfiles in tests/data/acceptance: Ollama rejects or misreads those with an error, and accepts the rest.

An entry is a `##` heading, a fenced block with the Modelfile (`python`: as a literal of its bytes), and the verdict:

- `accepted`: no error is found, and `ollama create` makes the model;
- `refused by cli, MF302: words`: these errors are found, and `ollama create` prints these words and asks no server;
- `refused by server, MF401: words`: the same, but the words are the server's;
- `read differently, MF501`: these errors are found, and the model is made, but from another text than the written one.

Then, as `- field: value` in JSON, the whole content of some field of the model; with `for "…"`, the text as written.
"""

import ast
import json
import re
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.support.paths import DATA
from tests.support.real_ollama import clean_environment, install, serve
from tests.support.server import connect
from tests.support.tiny_gguf import typed_gguf

from modelfile import parse
from modelfile.diagnostics import Severity
from modelfile.linter.api import lint_target
from modelfile.linter.rules import RULES
from modelfile.linter.settings import resolve_settings
from modelfile.project.config import Config
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.source import Source
from modelfile.stores.ollama.client import Client
from modelfile.syntax.syntax_errors import CODES

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
    """A Modelfile and its verdict."""

    title: str
    data: bytes
    verdict: str
    codes: list[str]
    words: str
    content: Mapping[str, list[str]]
    """Content of the model, by field."""
    written: list[tuple[str, str]]
    """Pairs of a text as read and as written."""


def entries(path: Path) -> Iterator[Entry]:
    text = path.read_text(encoding="utf-8")
    for match in ENTRY.finditer(text):
        content: dict[str, list[str]] = {}
        written = []
        for field, read, instead_of in CLAIM.findall(match["claims"]):
            content.setdefault(field, []).append(json.loads(read))
            if instead_of:
                written.append((json.loads(read), json.loads(instead_of)))
        yield Entry(
            title=match["title"],
            data=match["body"].encode() if match["kind"] == "modelfile" else ast.literal_eval(match["body"]),
            verdict=match["verdict"],
            codes=(match["codes"] or "").split(),
            words=match["words"] or "",
            content=content,
            written=written,
        )


ENTRIES = {path: list(entries(path)) for path in sorted(FOLDER.glob("*.md"))}
PARAMETERS = [
    pytest.param(entry, id=f"{path.stem}: {entry.title}") for path, found in ENTRIES.items() for entry in found
]


@pytest.fixture
def folder(tmp_path: Path, tiny: Path, adapter: Path) -> Path:
    """Return a folder for the Modelfile, with the files next to it."""
    data, text = tiny.read_bytes(), b"Not weights.\n"
    embedding = b"token_embd.weight" + struct.pack("<IQQ", 2, 32, 64)  # followed by the number of its type
    files = {
        "weights/tiny.gguf": data,
        "weights/a b.gguf": data,
        "single/tiny.gguf": data,
        "lora/adapter.gguf": adapter.read_bytes(),
        "training/config.json": b"{}\n",
        "bad/cut.gguf": data[: len(data) // 2],
        "bad/head.gguf": data[:100],
        "bad/empty.gguf": b"",
        "bad/text.gguf": text,
        "bad/text.bin": text,
        "bad/page.gguf": b"<!DOCTYPE html><title>Log in</title>\n",
        "bad/pointer.gguf": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "bad/corrupt.gguf": typed_gguf({"general.architecture": (99, b"")}, size=4096),
        "bad/novel.gguf": data.replace(b"llama", b"fooma"),
        "bad/repacked.gguf": data.replace(embedding + b"\1", embedding + b"\x1f"),
        "bad/gemma-lora.gguf": adapter.read_bytes().replace(b"llama", b"gemma"),
        "bad/adapter_model.bin": b"PK\3\4" + bytes(60),
        "bad/m-00001-of-00002.gguf": typed_gguf({"general.architecture": "llama", "split.no": 0, "split.count": 2}),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the smallest GGUF that Ollama accepts as an adapter."""
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


def test_every_entry_is_parsed() -> None:
    for path, found in ENTRIES.items():
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(found)
        assert len(re.findall(r"^- ", text, re.MULTILINE)) == sum(
            len(values) for entry in found for values in entry.content.values()
        )
    modelfiles = [entry.data for found in ENTRIES.values() for entry in found]
    assert len(modelfiles) == len(set(modelfiles)) > 100


def test_every_error_rule_has_an_entry() -> None:
    tried = {code for found in ENTRIES.values() for entry in found for code in entry.codes}
    sometimes = {CODES["unexpanded-reference"], CODES["typographic-quotes"]}  # where the text goes on below
    of_settings = {"MF617"}  # mf.toml has its cause; tests/live/test_weights.py asks the server
    assert tried | of_settings == {rule.code for rule in RULES if rule.severity is Severity.ERROR} | sometimes


@pytest.mark.parametrize("entry", PARAMETERS)
def test_lint_agrees_with_the_verdict(entry: Entry, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / "Modelfile").write_bytes(entry.data)
    project = Project(isolated=True)
    settings = resolve_settings(project, Config(ollama=VERSION))
    found = lint_target(Target(project, folder / "Modelfile"), settings).diagnostics
    assert sorted({finding.code for finding in found if finding.severity is Severity.ERROR}) == entry.codes, found
    assert bool(entry.codes) == (entry.verdict != "accepted")


@pytest.mark.parametrize("entry", PARAMETERS)
def test_parser_reads_what_ollama_reads(entry: Entry) -> None:
    parsed: dict[str, list[str]] = {}
    for name, value in parse(entry.data).commands:
        parsed.setdefault(name, []).append(value)
    parsed = {
        "message": parsed.get("message", []),
        "license": ["\n".join(parsed.get("license", []))],
        **{name: parsed[name][-1:] for name in ("system", "template") if name in parsed},
    }
    assert parsed.items() >= {name: values for name, values in entry.content.items() if name in parsed}.items()
    text = Source.decode(entry.data).text
    for read, written in entry.written:
        assert written in text
        assert written not in read


@pytest.fixture(scope="module")
def stocked(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of a real server that has the bases."""
    folder = tmp_path_factory.mktemp("bases")
    with serve() as url, connect(url) as client:
        if (version := client.version()) != VERSION:
            pytest.skip(f"the verdicts are for Ollama {VERSION}, this is {version}")
        for model, text in ((BASE, f"FROM {tiny}"), (OTHER, f"FROM {BASE}\nSYSTEM The other one.")):
            ran = ollama(url, folder, model, text.encode())
            assert ran.returncode == 0, ran
        for name in SAME_AS_BASE:
            client.copy(BASE, name)
        yield client


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
def rejecting_server() -> Iterator[tuple[str, list[str]]]:
    """Run a server that answers HEAD / and rejects everything else; yield its address and its requests."""
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
def test_ollama_agrees_with_the_verdict(entry: Entry, folder: Path, stocked: Client) -> None:
    if entry.verdict.startswith("refused"):
        with rejecting_server() as (url, asked):
            ran = ollama(url, folder, MADE, entry.data)
        if entry.verdict == "refused by server":
            assert asked[-1].startswith("POST /api/blobs/sha256:") or asked[-1] == "POST /api/create"
            of_files = {"MF218", *(rule.code for rule in RULES if rule.code.startswith("MF6"))}
            sends_file = not of_files.isdisjoint(entry.codes) and b"./gone/" not in entry.data
            assert (asked[-1] == "POST /api/create") == (not sends_file)
            ran = ollama(stocked.url, folder, MADE, entry.data)
        else:
            assert asked == ["HEAD /"]
        assert (ran.returncode, entry.words in ran.stderr) == (1, True), ran
        return
    ran = ollama(stocked.url, folder, MADE, entry.data)
    assert ran.returncode == 0, ran
    try:
        shown = show(stocked)
    finally:
        stocked.delete(MADE)
    for name, values in entry.content.items():
        assert shown[name] == (sorted(values) if name == "parameter" else values)
    for read, written in entry.written:
        assert any(read in value for values in shown.values() for value in values)
        assert not any(written in value for values in shown.values() for value in values)


def show(client: Client) -> dict[str, list[str]]:
    """Return the content of the model, as the server shows it."""
    answer = client.show(MADE)
    return {
        "system": [answer.system],
        "template": [answer.template],
        "license": [answer.license],
        "message": [f"{message.role}: {message.content}" for message in answer.messages or ()],
        "parameter": sorted(re.sub(" +", " ", line, count=1) for line in answer.parameters.splitlines()),
    }
