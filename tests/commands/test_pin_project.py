"""Pins of models that are FROM one another, taken from their Modelfiles, built or not."""

import json
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import BASE, digests, edit
from tests.support.cli import Ran, mf
from tests.support.server import connect
from tests.support.tiny_gguf import bare_gguf

from modelfile.catalog.versions import Version
from modelfile.events import Events, ignore
from modelfile.names import ModelName
from modelfile.pinning.check import check_pins
from modelfile.pinning.pin import pin
from modelfile.project.project import Project
from modelfile.recipe.recipe import Recipe
from modelfile.stores.memory import MemoryStore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.protocol import StoredModel


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
    assert json.loads(written)["version"] == "1.1"
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


def test_a_check_reads_files_as_the_version_that_they_were_pinned_with(models: Path) -> None:
    seen: dict[str, str] = {}
    for _ in range(2):
        check_pins(Project().modelfiles(["."]), check=lambda target, version: seen.update({target.key: str(version)}))
        assert mf("pin").code == 0
    assert seen == {"Modelfile": "None", "base.Modelfile": "0.9.3"}
    assert (models / "mf.lock").exists()


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
    assert (
        ran.out
        == f"Modelfile: {built} is not in the lock\nbase.Modelfile: is not pinned: mf.lock has no entry for it\n"
    )


def test_fingerprint_is_checked_if_the_base_is_built(models: Path, fake: FakeOllama) -> None:
    assert mf("pin").code == 0
    content = json.loads((models / "mf.lock").read_text())
    content["modelfiles"]["Modelfile"]["fingerprint"] = f"mf1:{'0' * 64}"
    (models / "mf.lock").write_text(json.dumps(content))
    assert clean()
    assert mf("build", "base:v1").code == 0
    assert clean()  # which asks no server
    with connect(fake.url) as client:
        (drift,) = check_pins(Project().modelfiles(["."]), ServerStore(client)).drifts
    assert str(drift).startswith("Modelfile: its fingerprint has changed since `mf pin` (mf1:")


QUANTIZED = '[models.base]\nquantize = "q8_0"\n'


def test_quantized_base_is_pinned_before_it_is_built(models: Path, fake: FakeOllama) -> None:
    edit(models / "mf.toml", "[models.base]\n", QUANTIZED)
    (models / "weights.gguf").write_bytes(bare_gguf("F16"))
    ran = mf("pin")
    assert ran.code == 0, ran
    assert ran.out == (
        "Modelfile: pinned base:v1; builds what its quantized base gives  (new)\n"
        f"base.Modelfile: pinned weights.gguf (sha256:{weights(models)[:12]}…); builds q8_0 as the server quantizes it"
        "  (new)\n"
    )
    assert probes(fake) == 0
    assert lock(models) == {
        "Modelfile": {
            "base": {
                "modelfile": "base.Modelfile",
                "name": "registry.ollama.ai/library/base:v1",
                "written": "base:v1",
            },
            "files": {},
            "text": lock(models)["Modelfile"]["text"],
        },
        "base.Modelfile": {
            "files": {"weights.gguf": f"sha256:{weights(models)}"},
            "quantize": ["q8_0"],
            "text": lock(models)["base.Modelfile"]["text"],
        },
    }
    assert clean()


def weights(folder: Path) -> str:
    return sha256((folder / "weights.gguf").read_bytes()).hexdigest()


class QuantizingStore(MemoryStore):
    """A store that makes other weights where it quantizes."""

    def create(self, name: ModelName, recipe: Recipe, digests: Mapping[Path, str], events: Events) -> None:
        """Make a model of a recipe."""
        super().create(name, recipe, digests, events)
        if recipe.quantize:
            model = self._get(name)
            made = tuple(
                f"sha256:{sha256((recipe.quantize + digest).encode()).hexdigest()}" for digest in model.weights
            )
            self._write(name, replace(model, weights=made), events)


def test_pin_and_build_agree_on_a_quantized_base(models: Path, tiny: Path) -> None:
    store = QuantizingStore()

    def run(*arguments: str) -> Ran:
        return mf(*arguments, open_store=lambda _: nullcontext(store))

    shutil.copy(tiny, models / "weights.gguf")
    edit(models / "mf.toml", "[models.base]\n", QUANTIZED)
    for change in ("", "SYSTEM other\n", "PARAMETER seed 1\n"):
        (models / "base.Modelfile").write_text(BASE + change)
        assert run("pin").code == 0
        written = (models / "mf.lock").read_bytes()
        for _ in range(2):
            ran = run("build")
            assert (ran.code, "mf pin" in ran.err) == (0, False), ran
            ran = run("pin", "--check")
            assert (ran.code, ran.out, ran.err) == (0, "", "")
            assert run("pin").code == 0
            assert (models / "mf.lock").read_bytes() == written
        sent = f"sha256:{weights(models)}"
        built = [store.find(ModelName.parse(name)) for name in ("base:v1", "bot:v1")]
        assert all(found and sent not in found.model.weights for found in built)
    (models / "weights.gguf").write_bytes(tiny.read_bytes() + bytes(8))
    assert run("build").err.count("`weights.gguf` has changed since `mf pin`") == 1


def test_a_change_of_quantization_is_stale_until_it_is_pinned(models: Path) -> None:
    listed = (models / "mf.toml").read_text()
    (models / "weights.gguf").write_bytes(bare_gguf("F16"))
    seen: set[bytes] = set()
    was = ""
    for text, types in (
        (listed, "none"),
        (listed.replace("[models.base]\n", QUANTIZED), "q8_0"),
        (listed.replace("[models.base]\n", QUANTIZED.replace("q8_0", "q4_K_M")), "q4_K_M"),
        (f'{listed}\n[models.small]\nmodelfile = "base.Modelfile"\ntag = "v1"\nquantize = "q4_K_M"\n', "none, q4_K_M"),
        (listed, "none"),
    ):
        (models / "mf.toml").write_text(text)
        if seen:
            ran = mf("pin", "--check")
            assert ran.code == 1
            assert f"base.Modelfile: its quantization has changed since `mf pin` ({was} -> {types})" in ran.out
        assert mf("pin").code == 0
        assert clean()
        was = types
        seen.add((models / "mf.lock").read_bytes())
    assert len(seen) == 4


def test_a_base_is_stale_once_the_project_builds_it_or_no_longer_does(models: Path) -> None:
    assert mf("build").code == 0
    listed = (models / "mf.toml").read_text()
    for text in ("", listed, ""):
        (models / "mf.toml").write_text(text)
        assert mf("pin", "--check").code == 1
        assert mf("pin").code == 0
        assert clean()


def test_the_lock_of_one_machine_holds_on_another(models: Path) -> None:
    (models / "other.Modelfile").write_text("# Upon a model of the server.\nFROM llama3.2:3b\n")
    here = MemoryStore.with_models("llama3.2:3b")
    name = ModelName.parse("llama3.2:3b")
    there = MemoryStore(url="memory:there", ollama="0.33.0")
    there._write(name, here._get(name), ignore)  # noqa: SLF001  # a model with another digest, as on each server
    targets = Project().modelfiles(["."])
    pin(targets, here)
    written = (models / "mf.lock").read_bytes()
    assert here.list()[0].digest != there.list()[0].digest
    for store in (there, here):
        changes = pin(Project().modelfiles(["."]), store)
        assert {change.kind for change in changes} == {None}
        assert (models / "mf.lock").read_bytes() == written
        check = check_pins(Project().modelfiles(["."]), store, whole=True)
        assert (check.drifts, check.undecided, check.unread) == ((), (), ())
    edit(models / "other.Modelfile", "FROM", "SYSTEM hi\nFROM")
    before = lock(models)
    pin(Project().modelfiles(["."]), there)
    after = lock(models)
    assert after["other.Modelfile"]["base"] == before["other.Modelfile"]["base"]
    assert after.pop("other.Modelfile") != before.pop("other.Modelfile")
    assert after == before


@pytest.mark.parametrize("edited", ["base.Modelfile", "Modelfile"])
@pytest.mark.parametrize("late", [False, True])
def test_another_process_may_edit_and_pin_meanwhile(models: Path, edited: str, *, late: bool) -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    (models / "base.Modelfile").write_text("FROM llama3.2:3b\n")
    pin(Project().modelfiles(["."]), store)

    def edit_other() -> None:
        (models / edited).write_text((models / edited).read_text() + "PARAMETER seed 7\n")

    class Late(MemoryStore):
        turns = 0

        def find(self, name: ModelName) -> StoredModel | None:
            Late.turns += 1
            if Late.turns == 1:
                if late:
                    edit_other()
                pin(Project().modelfiles([edited]), store)
            return super().find(name)

    edit(models / "Modelfile", "hello", "other")
    if not late:
        edit_other()
    pin(Project().modelfiles(["Modelfile"]), Late.with_models("llama3.2:3b", "base:v1"), pull=False)
    assert Late.turns
    check = check_pins(Project().modelfiles(["."]), store, whole=True)
    assert (check.drifts, check.unread) == ((), ())


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


def test_check_judges_by_the_version_that_was_pinned_with(project: Path) -> None:
    (project / "Modelfile").write_text("# For tests.\nFROM ./weights.gguf\n")
    assert mf("pin").code == 0
    versions: list[Version | None] = []
    checked = check_pins([Project().at(project / "Modelfile")], None, check=lambda _, version: versions.append(version))
    assert (checked.drifts, versions) == ((), [Version(0, 9, 3)])
