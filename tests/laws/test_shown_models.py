"""Modelfiles of models that `ollama show --modelfile` gets wrong (0.9.3 to 0.33)."""

from pathlib import Path

import pytest

import modelfile
from modelfile.events import ignore
from modelfile.importer.stored import export
from modelfile.names import ModelName
from modelfile.recipe.recipe import resolve
from modelfile.stores.memory import MemoryStore


def again(text: str) -> str:
    """Return the Modelfile of the model that a Modelfile builds, without its head; it must build the same model."""
    store = MemoryStore.with_models("llama3.2:3b")
    store.ollama = "0.33.0"
    name = ModelName.parse("bot:v1")
    store.create(name, resolve(modelfile.parse(text), Path()), {}, ignore)
    stored = modelfile.show("bot:v1", store)
    written = export(stored, store)
    store.create(name, resolve(modelfile.parse(written), Path()), {}, ignore)
    assert modelfile.show("bot:v1", store).fingerprint == stored.fingerprint
    return written.partition("\n")[2]


@pytest.mark.parametrize(
    "text",
    [
        "PARAMETER num_ctx 5\nPARAMETER seed 5\nPARAMETER stop b\nPARAMETER stop a\nPARAMETER top_k 5\n",
        "RENDERER qwen3\nPARSER qwen3\nREQUIRES 0.14.0\n",
        "SYSTEM Be brief.\n",
        'MESSAGE user """one\ntwo"""\nMESSAGE assistant """ padded """\n',
        'MESSAGE user """"Really?" he said"""\nMESSAGE assistant "User:"\n',
        'PARAMETER stop """"User:"""\nPARAMETER stop " b"\nPARAMETER stop """c\nd"""\n',
        'SYSTEM """"Yes" or "no""""\n',
        'SYSTEM """a\r\nb"""\n',
        'SYSTEM """a """ b"""\n',
        'TEMPLATE """"{{ .Prompt }}" is the question"""\n',
    ],
    ids=[
        "order",
        "requires",
        "template",
        "messages",
        "quotes-in-messages",
        "stops",
        "quotes",
        "crlf",
        "triple",
        "start",
    ],
)
def test_written_as_it_was(text: str) -> None:
    found = again(f"FROM llama3.2:3b\n{text}")
    assert modelfile.parse(found).commands == modelfile.parse(f"FROM llama3.2:3b\n{text}").commands


def test_order_of_parameters_is_theirs_in_the_alphabet() -> None:
    names = ("top_k", "num_ctx", "seed")
    lines = again("FROM llama3.2:3b\n" + "".join(f"PARAMETER {name} 5\n" for name in names)).splitlines()
    assert lines[2:] == [f"PARAMETER {name} 5" for name in sorted(names)]
