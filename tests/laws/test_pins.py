"""A check and a pin agree: what `check_pins` passes, `pin` leaves as it is, and what `pin` wrote passes the check."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.support.tiny_gguf import bare_gguf

from modelfile.errors import InputError
from modelfile.lockfile.reader import parse_lock, validate
from modelfile.pinning.check import check_pins
from modelfile.pinning.pin import pin
from modelfile.project.project import Project
from modelfile.stores.memory import MemoryStore

FILES = {
    "base.Modelfile": ("FROM ./w.gguf\n", "FROM llama3.2:3b\n", "FROM ./w.gguf\nSYSTEM Be brief.\n"),
    "Modelfile": ("FROM base:v1\n", "FROM BASE:v1\nPARAMETER seed 1\n", "FROM ./w.gguf\n"),
    "top.Modelfile": ("FROM bot:v1\nSYSTEM hi\n", "FROM llama3.2:3b\n", "FROM base:v1\nADAPTER ./a.gguf\n"),
    "w.gguf": (bare_gguf("one").decode(), bare_gguf("two").decode()),
    "a.gguf": (bare_gguf("three", kind="adapter").decode(), bare_gguf("four", kind="adapter").decode()),
}
LISTED = ("", 'quantize = "q8_0"\n', 'quantize = "q4_K_M"\n', None)


def configure(folder: Path, chance: random.Random) -> None:
    """List each model quantized, not quantized, or not at all."""
    text = ""
    for name, file in (("base", "base.Modelfile"), ("bot", "Modelfile"), ("small", "base.Modelfile")):
        if (more := chance.choice(LISTED)) is not None:
            text += f'[models.{name}]\nmodelfile = "{file}"\ntag = "v1"\n{more}'
    (folder / "mf.toml").write_text(text)


def tamper(folder: Path, chance: random.Random) -> None:
    """Change or remove a part of the lock, as a merge might."""
    lock = json.loads((folder / "mf.lock").read_text())
    pins: dict[str, Any] = lock["modelfiles"]
    if pins:
        key = chance.choice([*pins])
        part = chance.choice([None, *(part for part in pins[key] if part not in ("text", "files"))])
        other = pins[chance.choice([*pins])]
        if part is None:
            del pins[key]
        elif part in other and chance.random() < 0.5:
            pins[key][part] = other[part]
        else:
            del pins[key][part]
    (folder / "mf.lock").write_text(json.dumps(lock))


def is_damaged(lock: Path) -> bool:
    """Return whether a lock lacks a part that it must have, so that nothing may be made of it."""
    try:
        validate(parse_lock(lock.read_bytes(), "mf.lock"), "mf.lock")
    except InputError:
        return True
    return False


@pytest.fixture
def stores() -> tuple[MemoryStore, ...]:
    """Return two servers whose models have other digests, and other versions of Ollama."""
    names = ("llama3.2:3b", "base:v1", "bot:v1")
    other = MemoryStore.with_models("first:v1", *names)
    other.ollama = "0.33.0"
    return MemoryStore.with_models(*names), other


def test_check_and_pin_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stores: tuple[MemoryStore, ...], rounds: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    chance = random.Random(5)  # noqa: S311  # the same in every run
    for name, texts in FILES.items():
        (tmp_path / name).write_text(texts[0])
    configure(tmp_path, chance)
    clean, after = 0, b""
    for _ in range(25 * rounds):
        for _ in range(chance.randint(0, 2)):
            match chance.randrange(4):
                case 0:
                    configure(tmp_path, chance)
                case 1 if (tmp_path / "mf.lock").exists():
                    tamper(tmp_path, chance)
                case _:
                    name = chance.choice([*FILES])
                    (tmp_path / name).write_text(chance.choice(FILES[name]))
        store = chance.choice(stores)
        before = (tmp_path / "mf.lock").read_bytes() if (tmp_path / "mf.lock").exists() else b""
        if before and is_damaged(tmp_path / "mf.lock"):
            with pytest.raises(InputError, match="is damaged"):
                check_pins(Project().modelfiles(["."]), store, whole=True)
            with pytest.raises(InputError, match="is damaged"):
                pin(Project().modelfiles(["."]), store, pull=False)
            assert (tmp_path / "mf.lock").read_bytes() == before
            (tmp_path / "mf.lock").write_bytes(after)
            continue
        check = check_pins(Project().modelfiles(["."]), store, whole=True)
        pin(Project().modelfiles(["."]), store, pull=False)
        after = (tmp_path / "mf.lock").read_bytes()
        if not check.drifts:
            clean += 1
            assert json.loads(after) == json.loads(before)
        for other in stores:
            assert check_pins(Project().modelfiles(["."]), other, whole=True).drifts == ()
            pin(Project().modelfiles(["."]), other, pull=False)
            assert (tmp_path / "mf.lock").read_bytes() == after
    assert clean
