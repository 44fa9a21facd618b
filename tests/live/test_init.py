"""Modelfiles that `mf init` writes of models on the real Ollama 0.9.3, built again by its own command line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.cli import mf
from tests.support.paths import ROOT
from tests.support.real_ollama import clean_environment, install, serve
from tests.support.server import connect
from tests.support.tiny_gguf import typed_gguf, write_tiny_gguf
from tests.support.varied_modelfiles import VARIED

import modelfile
from modelfile.stores.ollama.store import ServerStore

pytestmark = pytest.mark.live

BASES = ("qwen:7b", "qwen2.5-coder:7b", "llama3.1:8b", "llama3.2:3b")
"""Small models stand in for the bases in modelfiles/ under their names."""
LLAMA: dict[str, str | int] = {"general.architecture": "llama", "llama.block_count": 1}


class Server(NamedTuple):
    """A real server, and a folder with weights."""

    url: str
    folder: Path
    store: ServerStore

    def ollama(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Ollama's command line."""
        environment = clean_environment() | {"OLLAMA_HOST": self.url, "HOME": str(self.folder)}
        argv = [str(install()), *arguments]
        return subprocess.run(
            argv, env=environment, cwd=self.folder, capture_output=True, encoding="utf-8", check=False
        )

    def create(self, name: str, text: str) -> str:
        """Have Ollama create a model; return its fingerprint, or its error."""
        path = self.folder / "Modelfile"
        path.write_text(text, encoding="utf-8", newline="")
        done = self.ollama("create", name, "-f", str(path))
        return done.stderr if done.returncode else modelfile.show(name, self.store).fingerprint

    def init(self, name: str, *options: str) -> str:
        """Return the Modelfile that `mf init` writes."""
        ran = mf("init", name, "--host", self.url, "-o", "-", *options, cwd=self.folder)
        assert ran.code == 0, ran.err
        return ran.out


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("weights")
    write_tiny_gguf(folder / "tiny.gguf")
    (folder / "lora.gguf").write_bytes(typed_gguf(LLAMA | {"general.type": "adapter"}, {}))
    (folder / "vision.gguf").write_bytes(typed_gguf({"general.architecture": "clip", "clip.vision.block_count": 2}, {}))
    with serve() as url, connect(url) as client:
        made = Server(url, folder, ServerStore(client))
        for number, base in enumerate(BASES):
            text = f"FROM ./tiny.gguf\nSYSTEM base\nLICENSE MIT\nPARAMETER seed {number}\n"
            assert made.create(base, text).startswith("mf1:")
        yield made


@pytest.mark.parametrize("path", sorted(ROOT.glob("modelfiles/*/Modelfile")), ids=lambda path: path.parent.name)
def test_models_of_this_repository(server: Server, path: Path) -> None:
    name, text = f"{path.parent.name}:v1", path.read_text(encoding="utf-8")
    built = mf("build", name, "--host", server.url, "-f", str(path), "--quiet")
    assert built.code == 0, built.err
    written = server.init(name)
    base = next(line for line in text.splitlines() if line.startswith("FROM "))
    assert base.endswith(".gguf") or base in written.splitlines()
    assert server.create("again:v1", written) == modelfile.show(name, server.store).fingerprint
    (server.folder / "init.Modelfile").write_text(written, encoding="utf-8")
    again = f"again-{name}"
    ran = mf("build", again, "--host", server.url, "-f", "init.Modelfile", "--quiet", cwd=server.folder)
    assert ran.code == 0, ran.err
    assert mf("diff", name, again, "--host", server.url).code == 0


def test_varied_models(server: Server) -> None:
    for number, text in enumerate(VARIED):
        below, above = f"below:{number}", f"above:{number}"
        found = {below: server.create(below, f"FROM ./tiny.gguf\n{text}")}
        found[above] = server.create(above, f"FROM {below}\n{VARIED[-number]}PARAMETER seed 7\n")
        for name, fingerprint in found.items():
            assert fingerprint.startswith("mf1:")
            assert server.create("again:v1", server.init(name)) == fingerprint
        assert f"\nFROM {below}\n" in server.init(above)


SHOWN = {
    "message-with-a-quote-first": ('MESSAGE user """"Really?" he said"""\nMESSAGE assistant yes\n', False),
    "stop-with-a-quote-first": ('PARAMETER stop """"User:"""\n', False),
    "system-with-a-quote-first": ('SYSTEM """"Yes" or "no" only"""\n', False),
    "template-with-a-quote-first": ('TEMPLATE """"{{ .Prompt }}" is the question"""\n', False),
    "message-of-two-lines": ('MESSAGE user """one\ntwo"""\n', True),
    "stop-with-spaces": ('PARAMETER stop """ b"""\nPARAMETER stop """c """\n', True),
    "system-with-quotes-inside": ('SYSTEM """a """ b " c"""\n', True),
    "projector": ("FROM ./vision.gguf\n", True),
    "adapter": ("ADAPTER ./lora.gguf\n", True),
    "licenses": ('LICENSE """a "b"\nc"""\nLICENSE """ two"""\n', True),
}
"""Modelfiles, and whether the server's own `ollama show --modelfile` builds the same model again."""


@pytest.mark.parametrize("case", SHOWN)
def test_beside_what_the_server_shows(server: Server, case: str) -> None:
    text, is_right = SHOWN[case]
    fingerprint = server.create(f"{case}:v1", f"FROM ./tiny.gguf\n{text}")
    assert fingerprint.startswith("mf1:"), fingerprint
    shown = server.ollama("show", "--modelfile", f"{case}:v1").stdout
    assert (server.create("shown:v1", shown) == fingerprint) == is_right
    assert server.create("again:v1", server.init(f"{case}:v1")) == fingerprint


def test_order_and_template_that_the_server_invents(server: Server) -> None:
    parameters = "".join(f"PARAMETER {name} 5\n" for name in ("top_k", "seed", "num_ctx", "num_keep", "num_batch"))
    fingerprint = server.create("order:v1", f"FROM llama3.2:3b\n{parameters}")
    shown = {server.ollama("show", "--modelfile", "order:v1").stdout for _ in range(20)}
    assert len(shown) > 1
    assert all("\nTEMPLATE {{ .Prompt }}\n" in text and "\nFROM llama3.2:3b\n" not in text for text in shown)
    written = {server.init("order:v1") for _ in range(5)}
    assert len(written) == 1
    assert written.pop().splitlines()[1:] == [
        "FROM llama3.2:3b",
        "",
        *(f"PARAMETER {name} 5" for name in ("num_batch", "num_ctx", "num_keep", "seed", "top_k")),
    ]
    assert server.create("again:v1", server.init("order:v1")) == fingerprint


def test_copies_of_weights(server: Server) -> None:
    fingerprint = server.create("copied:v1", "FROM ./tiny.gguf\nADAPTER ./lora.gguf\nSYSTEM a\n")
    written = server.init("copied:v1", "--weights", "copies")
    assert written.splitlines()[1:4] == ["FROM ./copies/copied-v1.gguf", "", "ADAPTER ./copies/copied-v1-adapter.gguf"]
    assert server.create("again:v1", written) == fingerprint
