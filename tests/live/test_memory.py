"""The memory estimate of made models against the log of a real server that loads them."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.support.cli import mf
from tests.support.made_models import MODELS, write_made_model
from tests.support.real_ollama import Unavailable
from tests.support.running_ollama import RunningOllama, run

from modelfile.catalog.versions import Version
from modelfile.weights.footprint import Exactness, Runner, footprint
from modelfile.weights.gguf import read_header

pytestmark = pytest.mark.live

MIB = 1 << 20
RUNNER = Runner(version=Version(0, 9, 3), reserve=0)
ROUNDING = 0.005 * MIB
"""The log has two decimals of a MiB."""


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOllama]:
    try:
        with run(tmp_path_factory.mktemp("running")) as server:
            yield server
    except Unavailable as error:
        pytest.skip(str(error))


def load(ollama: RunningOllama, name: str, context: int) -> dict[str, float]:
    """Load a model, and return the sizes of its buffers by the server's log, in MiB."""
    start = ollama.log.stat().st_size
    data = json.dumps({"model": name, "options": {"num_ctx": context}}).encode()
    with suppress(HTTPError):  # some models of zeros stop the server's warm-up, which comes after its buffers
        urlopen(Request(f"{ollama.url}/api/generate", data, method="POST"), timeout=60).close()  # noqa: S310  # its own
    log = ollama.log.read_bytes()[start:].decode(errors="replace")
    sizes = re.findall(r"CPU(?:_Mapped)?\s+(model|KV|compute) buffer size\s*=\s*([\d.]+) MiB", log)
    return {kind: float(size) for kind, size in sizes}


@pytest.mark.parametrize("name", MODELS)
def test_memory_is_that_of_the_log(ollama: RunningOllama, name: str) -> None:
    model = f"made-{[*MODELS].index(name)}:v1"
    folder = ollama.log.parent
    path = write_made_model(folder / "made.gguf", MODELS[name])
    (folder / "Modelfile").write_text(f"FROM {path}\nTEMPLATE {{{{ .Prompt }}}}\n")
    built = mf("build", model, "-f", str(folder / "Modelfile"), "--host", ollama.url)
    assert built.code == 0, built.err

    for context in (2048, 8192, 32768):
        logged = load(ollama, model, context)
        terms = {term.name: term for term in footprint(read_header(path), context, RUNNER).terms}
        cache = terms.get("KV cache") or terms["state"]

        assert terms["weights"].bytes == pytest.approx(logged["model"] * MIB, abs=ROUNDING)
        assert cache.exactness is Exactness.EXACT
        assert cache.bytes == pytest.approx(logged["KV"] * MIB, abs=ROUNDING)
        assert terms["compute"].bytes == pytest.approx(logged["compute"] * MIB, rel=0.02)
        assert (terms["compute"].exactness is Exactness.EXACT) == (MODELS[name].architecture == "llama")


def test_model_on_the_server_needs_what_its_file_does(ollama: RunningOllama, tmp_path: Path) -> None:
    path = write_made_model(tmp_path / "made.gguf", MODELS["llama, key_length 64"])
    (tmp_path / "mf.toml").write_text('ollama = "0.9.3"\n')
    (tmp_path / "Modelfile").write_text(f"FROM {path}\nTEMPLATE {{{{ .Prompt }}}}\nPARAMETER num_ctx 3072\n")
    assert mf("build", "made-shown:v1", "--host", ollama.url, cwd=tmp_path).code == 0

    def shown(*arguments: str) -> Any:
        ran = mf("show", *arguments, "--memory", "1G", "--json", cwd=tmp_path)
        assert (ran.code, ran.err) == (0, "")
        (found,) = json.loads(ran.out)["models"]
        return {key: value for key, value in found.items() if key not in ("name", "quantization")}

    on_server = shown("made-shown:v1", "--host", ollama.url)
    assert on_server == shown("Modelfile")
    assert (on_server["ollama"], on_server["slots"], on_server["num_ctx"]) == ("0.9.3", 2, 3072)
