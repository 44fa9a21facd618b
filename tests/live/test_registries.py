"""Models that a real server has pushed to Debian's docker-registry, read as another server has pulled them."""

import hashlib
import json
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.support.cli import mf
from tests.support.real_ollama import serve
from tests.support.registry import available, registry
from tests.support.server import connect

from modelfile.cli.options import _open_registries
from modelfile.library.published import show_published
from modelfile.names import ModelName
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.open import open_registry

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not available(), reason="docker-registry is not installed (apt-get install docker-registry)"),
]

MODELFILE = """\
# Answers in few words.
FROM ./tiny.gguf
TEMPLATE {{ .System }} {{ .Prompt }}
SYSTEM You are "terse" & <brief>, é.
PARAMETER temperature 0.1234567891
PARAMETER stop <a>
PARAMETER stop "b\\nc"
PARAMETER num_ctx 512
PARAMETER penalize_newline false
LICENSE MIT
LICENSE BSD
MESSAGE user Hi
MESSAGE assistant Yo
"""


def request(url: str, path: str, **body: object) -> None:
    """Post a request to a server, and check that it succeeds."""
    data = json.dumps(body | {"stream": False}).encode()
    with urlopen(Request(f"{url}{path}", data), timeout=60) as answer:  # noqa: S310  # a server of the test
        content = answer.read()
    assert b'"error"' not in content, content


@pytest.mark.parametrize("text", [MODELFILE, "# Says nothing.\nFROM ./tiny.gguf\n"])
def test_fingerprint_is_that_of_a_server_that_pulled_it(
    text: str, tmp_path: Path, tiny: Path, real: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "tiny.gguf").write_bytes(tiny.read_bytes())
    (tmp_path / "Modelfile").write_text(text)
    monkeypatch.setenv("OLLAMA_HOST", real)
    assert mf("build", "bot:v1", cwd=tmp_path).code == 0
    with registry() as host, serve() as second, open_registry() as client:
        name = f"{host}/team/bot:v1"
        request(real, "/api/copy", source="bot:v1", destination=name)
        request(real, "/api/push", model=name, insecure=True)
        request(second, "/api/pull", model=name, insecure=True)
        published = show_published(name, client)
        with connect(second) as opened:
            pulled = ServerStore(opened).find(ModelName.parse(name))
        assert pulled
        assert published.model == pulled.model
        assert published.fingerprint == pulled.fingerprint
        facts = [(stored.family, stored.quantization, stored.size) for stored in (published, pulled)]
        assert facts[0] == facts[1]
        raw = mf("show", f"registry:{name}", "--raw", open_registry=_open_registries)
        assert f"sha256:{hashlib.sha256(raw.out.encode()).hexdigest()}" == published.digest
        compared = mf("diff", f"registry:{name}", "model:bot:v1", open_registry=_open_registries)
        assert (compared.code, compared.err) == (0, "")
        assert compared.out.startswith(f"same model: {published.fingerprint[:16]}…\nOllama's digests differ, as ")
        assert mf("ls", f"registry:{host}/team/bot", open_registry=_open_registries).out == f"{name}\n"
