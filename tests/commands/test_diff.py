"""`mf diff` of a Modelfile of local weights with a model: a part that is not compared is named."""

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import edit
from tests.support.cli import mf

TEXT = "# The base.\nFROM ./weights.gguf\nPARAMETER num_ctx 4096\nTEMPLATE {{ .Prompt }}!\n"
NOTE = (
    "not compared: {}, which a build decides for the files of `base/Modelfile`; "
    "they are known once it is built from here\n"
)


@pytest.fixture(autouse=True)
def base(project: Path) -> Path:
    """Return the Modelfile of a base of local weights, built as my-base:v1; other:v1 has a temperature as well."""
    folder = project / "base"
    folder.mkdir()
    (project / "mf.toml").unlink()
    (project / "weights.gguf").rename(folder / "weights.gguf")
    file = folder / "Modelfile"
    file.write_text(TEXT + "PARAMETER temperature 0.9\n")
    assert mf("build", "other:v1", "-f", "base/Modelfile").code == 0
    file.write_text(TEXT)
    assert mf("build", "my-base:v1", "-f", "base/Modelfile").code == 0
    return file


TEMPERATURE = "behavior (may change answers)\n  temperature  {}  default 0.8\n"


def body(out: str) -> str:
    """Return the changes that are printed after the two sides."""
    sides, lines = out.splitlines(keepends=True)[:2], out.splitlines(keepends=True)[2:]
    assert [side[:2] for side in sides] == ["- ", "+ "]
    return "".join(lines)


def forget() -> None:
    """Remove the cache, as on a machine that has built nothing."""
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])


def test_a_parameter_that_weights_cannot_bring_is_a_difference() -> None:
    for is_cached in (True, False):
        if not is_cached:
            forget()
        ran = mf("diff", "base/Modelfile", "other:v1")
        assert (ran.code, body(ran.out)) == (1, TEMPERATURE.format("(none) -> 0.9"))
        swapped = mf("diff", "other:v1", "base/Modelfile")
        assert (swapped.code, body(swapped.out)) == (1, TEMPERATURE.format("0.9 -> (none)"))


def test_after_a_build_everything_is_compared(base: Path) -> None:
    same = mf("diff", "base/Modelfile", "my-base:v1")
    assert (same.code, same.out, same.err) == (0, "same model: mf1:635c0d1b5002…\n", "")
    assert json.loads(mf("diff", "base/Modelfile", "my-base:v1", "--json").out)["same"] is True
    edit(base, "TEMPLATE {{ .Prompt }}!\n", "")
    assert mf("build", "plain:v1", "-f", "base/Modelfile").code == 0
    ran = mf("diff", "base/Modelfile", "my-base:v1")
    assert (ran.code, ran.err) == (1, "")
    assert body(ran.out).endswith("  template\n    @@ -1 +1 @@\n    !{{ .Prompt }}{+!+}\n")


def test_what_is_not_compared_is_named(base: Path) -> None:
    forget()
    ran = mf("diff", "base/Modelfile", "my-base:v1")
    assert (ran.code, ran.out, ran.err) == (0, "", NOTE.format("parameter stop"))
    answer = json.loads(mf("diff", "base/Modelfile", "my-base:v1", "--json").out)
    assert (answer["same"], answer["changes"], answer["undecided"]) == (None, [], ["parameter stop"])
    edit(base, "TEMPLATE {{ .Prompt }}!\n", "")
    ran = mf("diff", "my-base:v1", "base/Modelfile")
    assert (ran.code, ran.out, ran.err) == (0, "", NOTE.format("parameter stop and template"))
    edit(base, "num_ctx 4096\n", "num_ctx 4096\nPARAMETER stop <e>\nTEMPLATE {{ .Prompt }}\n")
    ran = mf("diff", "base/Modelfile", "my-base:v1", "--json")
    answer = json.loads(ran.out)
    assert (ran.code, ran.err, answer["same"], answer["undecided"]) == (1, "", False, [])
    assert [change["aspect"] for change in answer["changes"]] == ["template", "parameter"]


def test_the_lock_proves_that_models_are_the_same_or_differ(base: Path) -> None:
    edit(base, "TEMPLATE {{ .Prompt }}!\n", "")
    assert mf("build", "plain:v1", "-f", "base/Modelfile").code == 0
    assert mf("pin", "base/Modelfile").code == 0
    forget()
    same = mf("diff", "plain:v1", "base/Modelfile")
    assert (same.code, same.out, same.err) == (0, "same model: mf1:4af59f3d496e…\n", "")
    made = {name: json.loads(mf("show", name, "--json").out)["fingerprint"] for name in ("plain:v1", "my-base:v1")}
    ran = mf("diff", "base/Modelfile", "my-base:v1")
    assert (ran.code, body(ran.out)) == (
        1,
        f"weights (may change answers)\n  fingerprint  {made['plain:v1'][:16]}… -> {made['my-base:v1'][:16]}…\n",
    )
    assert ran.err == NOTE.format("parameter stop and template")
    edit(base, "4096", "2048")  # the lock is out of date for it
    assert body(mf("diff", "base/Modelfile", "plain:v1").out) == (
        "behavior (may change answers)\n  num_ctx  2048 -> 4096  default 4096\n"
    )


def test_a_server_that_rewrites_weights_decides_on_them_too(base: Path) -> None:
    with FakeOllama("0.31.0") as newer:
        (base.parent / "weights.gguf").write_bytes(b"GGUF" + bytes(24))
        host = ("--host", newer.url)
        assert mf("build", "old:v1", "-f", "base/Modelfile", *host).code == 0
        (base.parent / "weights.gguf").write_bytes(b"GGUF" + bytes(32))
        ran = mf("diff", "base/Modelfile", "old:v1", *host)
        assert (ran.code, ran.out) == (0, "")
        assert ran.err == NOTE.format("weights, parameter stop, renderer and parser")
