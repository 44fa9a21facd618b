"""Pins of models that are FROM one another, taken from their Modelfiles, built or not."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import BASE, digests, edit
from tests.support.cli import mf


def lock(folder: Path) -> Any:
    return json.loads((folder / "mf.lock").read_text())["modelfiles"]


def pinned(folder: Path) -> dict[str, tuple[str, str]]:
    """Return the fingerprints of each Modelfile and its base in the lock."""
    return {
        key: (pin["fingerprint"], (pin.get("base") or {}).get("fingerprint", "")) for key, pin in lock(folder).items()
    }


def probes(fake: FakeOllama) -> int:
    return sum(logged.path == "/api/create" for logged in fake.requests)


def clean() -> bool:
    ran = mf("pin", "--check")
    return (ran.code, ran.out, ran.err) == (0, "", "")


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("change", ["SYSTEM other\n", "PARAMETER seed 1\n"])
def test_edit_pin_build(models: Path, fake: FakeOllama, change: str, *, built: bool) -> None:
    if built:
        assert mf("build").code == 0
    assert mf("pin").code == 0
    assert mf("build").code == 0
    before = digests(fake)
    (models / "base.Modelfile").write_text(BASE + change)
    assert not clean()
    ran = mf("pin")
    assert ran.code == 0, ran
    assert clean()
    assert digests(fake) == before
    pins = pinned(models)
    assert pins["Modelfile"][1] == pins["base.Modelfile"][0]
    ran = mf("build", "--json")
    assert ran.code == 0, ran
    assert [item["fingerprint"] for item in json.loads(ran.out)] == [
        pins["base.Modelfile"][0],
        pins["Modelfile"][0],
    ]
    assert clean()
    written = (models / "mf.lock").read_text()
    assert mf("pin").code == 0
    assert (models / "mf.lock").read_text() == written
    assert json.loads(written)["version"] == "1.0"
    assert "digest" not in lock(models)["Modelfile"]["base"]


def test_known_weights_are_not_probed_again(models: Path, fake: FakeOllama) -> None:
    assert mf("pin").code == 0
    assert probes(fake) == 1
    assert mf("pin").code == 0
    assert probes(fake) == 1
    assert mf("build").code == 0
    since = probes(fake)
    edit(models / "Modelfile", "hello", "other")
    assert mf("pin").code == 0
    assert probes(fake) == since


def test_single_pin_takes_its_base_from_the_lock(models: Path, fake: FakeOllama) -> None:
    assert mf("pin").code == 0
    edit(models / "Modelfile", "hello", "other")
    ran = mf("pin", "Modelfile")  # base:v1 is nowhere yet
    assert ran.code == 0, ran
    assert clean()
    pins = pinned(models)
    assert pins["Modelfile"][1] == pins["base.Modelfile"][0]
    assert mf("build").code == 0
    (models / "base.Modelfile").write_text(BASE + "SYSTEM other\n")
    assert mf("pin", "Modelfile").code == 0
    assert lock(models)["Modelfile"]["base"]["digest"] == f"sha256:{digests(fake)['base:v1'].removeprefix('sha256:')}"


def test_models_are_pinned_after_their_bases(models: Path) -> None:
    (models / "a.Modelfile").write_text("# The last.\nFROM BOT:v1\nSYSTEM last\n")
    assert mf("pin").code == 0
    pins = pinned(models)
    assert (pins["a.Modelfile"][1], pins["Modelfile"][1]) == (pins["Modelfile"][0], pins["base.Modelfile"][0])
    assert mf("build").code == 0
    ran = mf("build", "last:v1", "-f", "a.Modelfile", "--json")
    assert json.loads(ran.out)["fingerprint"] == pins["a.Modelfile"][0]


def test_check_of_one_includes_its_base(models: Path) -> None:
    assert mf("pin").code == 0
    assert mf("pin", "--check", "Modelfile").code == 0
    (models / "base.Modelfile").write_text(BASE + "SYSTEM other\n")
    ran = mf("pin", "--check", "--frozen", "Modelfile")
    assert (ran.code, ran.out) == (1, "base.Modelfile: has changed since `mf pin`\n")
    assert mf("pin", "base.Modelfile").code == 0
    pins = pinned(models)
    was, now = pins["Modelfile"][1][:16], pins["base.Modelfile"][0][:16]
    ran = mf("pin", "--check", "--frozen", "Modelfile")
    built = "its base base:v1, built from `base.Modelfile`,"
    assert (ran.code, ran.out) == (1, f"Modelfile: {built} has changed since `mf pin` ({was}… -> {now}…)\n")
    content = json.loads((models / "mf.lock").read_text())
    del content["modelfiles"]["base.Modelfile"]
    (models / "mf.lock").write_text(json.dumps(content))
    ran = mf("pin", "--check", "--frozen", "Modelfile")
    assert ran.out == f"Modelfile: {built} is not in the lock\nbase.Modelfile: is not in the lock\n"


def test_fingerprint_is_checked_if_the_base_is_built(models: Path) -> None:
    assert mf("pin").code == 0
    content = json.loads((models / "mf.lock").read_text())
    content["modelfiles"]["Modelfile"]["fingerprint"] = f"mf1:{'0' * 64}"
    (models / "mf.lock").write_text(json.dumps(content))
    assert clean()
    assert mf("build", "base:v1").code == 0
    assert mf("pin", "--check").out.startswith("Modelfile: its fingerprint has changed since `mf pin` (mf1:")


def test_quantized_base_is_pinned_from_the_server(models: Path) -> None:
    assert mf("build").code == 0
    edit(models / "mf.toml", "[models.base]\n", '[models.base]\nquantize = "q8_0"\n')
    assert mf("pin").code == 0
    assert "digest" in lock(models)["Modelfile"]["base"]


def test_models_in_a_cycle_are_pinned_from_the_server(models: Path, fake: FakeOllama) -> None:
    assert mf("build").code == 0
    (models / "base.Modelfile").write_text("# In a cycle.\nFROM bot:v1\n")
    ran = mf("pin")
    assert ran.code == 0, ran
    assert sum("modelfile" in pin["base"] for pin in lock(models).values()) == 1
    assert fake.models


def test_build_on_a_base_that_is_out_of_date(models: Path) -> None:
    assert mf("build").code == 0
    (models / "base.Modelfile").write_text(BASE + "SYSTEM other\n")
    assert mf("pin").code == 0
    ran = mf("build", "bot:v1")
    assert ran.code == 3
    assert ran.err.endswith("`base.Modelfile` first, or run `mf pin` if that is intended\n")
    assert mf("build").code == 0
    assert mf("build", "bot:v1").code == 0
