"""`mf build` of a Modelfile that the lock no longer records: a warning, or an error with --locked."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import BASE, LOCAL, UPON, asked, digests, edit
from tests.support.cli import mf
from tests.support.tiny_gguf import bare_gguf

CHANGED = "{key}: has changed since `mf pin`"
DOES_NOT_RECORD = "error: mf.lock does not record what is to be built\n"
RENEW = "help: run `mf pin`, review the changes in mf.lock, and commit it\n"


def stale(ran: Any) -> list[tuple[str, str]]:
    return [(item["modelfile"], item["reason"]) for item in json.loads(ran.out)["stale"]]


def test_a_stale_lock_is_a_warning_and_the_model_is_built(project: Path) -> None:
    assert mf("pin").code == 0
    (project / "Modelfile").write_text(f"{LOCAL}SYSTEM other\n")
    warning = (
        "warning: mf.lock is out of date for bot:v1\n"
        "  Modelfile: has changed since `mf pin`\n"
        "help: run `mf pin` if that is intended\n"
    )
    planned = mf("build", "bot:v1", "--dry-run")
    assert (planned.code, planned.err) == (0, warning)
    assert stale(mf("build", "bot:v1", "--dry-run", "--json")) == [("Modelfile", "text")]
    built = mf("build", "bot:v1")
    assert (built.code, built.err.startswith(warning)) == (0, True)
    again = mf("build", "bot:v1", "--json")
    assert (again.code, again.err, stale(again)) == (0, warning, [("Modelfile", "text")])
    assert mf("build", "bot:v1", "--quiet").err == ""
    assert mf("pin").code == 0
    current = mf("build", "bot:v1", "--json")
    assert (current.code, current.err, stale(current)) == (0, "", [])


def test_every_reason_is_named(models: Path) -> None:
    assert mf("pin").code == 0
    assert mf("build").code == 0
    (models / "other.gguf").write_bytes(b"GGUF" + bytes(60) + b"other")
    (models / "base.Modelfile").write_text("FROM ./other.gguf\nSYSTEM other\n")
    reasons = [
        "base.Modelfile: has changed since `mf pin`",
        "base.Modelfile: uses `other.gguf`, which is not in the lock",
        "base.Modelfile: no longer uses `weights.gguf`",
    ]
    ran = mf("build", "base:v1", "--dry-run")
    assert ran.err.splitlines()[1:-1] == [f"  {reason}" for reason in reasons]
    edit(models / "Modelfile", "hello", "other")
    ran = mf("build", "--locked")
    assert (ran.code, ran.out) == (3, "")
    lines = [*reasons, "Modelfile: has changed since `mf pin`"]
    assert ran.err.startswith(DOES_NOT_RECORD)
    assert ran.err.endswith(RENEW)
    assert sorted(ran.err.splitlines()[1:-1]) == sorted(f"  {line}" for line in lines)


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--plan-out", "plan.json"), ("--json",)])
def test_locked_refuses_a_stale_lock_and_asks_no_server(
    project: Path, fake: FakeOllama, options: tuple[str, ...]
) -> None:
    assert mf("pin").code == 0
    assert mf("build", "bot:v1", "--locked").code == 0
    before, since = digests(fake), len(fake.requests)
    written = (project / "mf.lock").read_bytes()
    (project / "Modelfile").write_text(f"{LOCAL}SYSTEM other\n")
    ran = mf("build", "bot:v1", "--locked", *options)
    assert (ran.code, ran.err) == (3, f"{DOES_NOT_RECORD}  {CHANGED.format(key='Modelfile')}\n{RENEW}")
    if "--json" in options:
        assert json.loads(ran.out)["error"]["code"] == "stale-lock"
    assert (project / "mf.lock").read_bytes() == written
    assert not (project / "plan.json").exists()
    assert digests(fake) == before
    assert {method for method, _ in asked(fake, since)} <= {"GET"}
    (project / "Modelfile").write_text(LOCAL)
    assert mf("build", "bot:v1", "--locked", *options).code == 0


def test_locked_refuses_what_is_not_in_a_lock(project: Path) -> None:
    ran = mf("build", "bot:v1", "--locked")
    assert (ran.code, ran.err) == (3, f"{DOES_NOT_RECORD}  Modelfile: is not pinned: there is no mf.lock\n{RENEW}")
    assert mf("pin").code == 0
    (project / "new.Modelfile").write_text(LOCAL)
    ran = mf("build", "new:v1", "-f", "new.Modelfile", "--locked")
    assert (ran.code, ran.err) == (
        3,
        f"{DOES_NOT_RECORD}  new.Modelfile: is not pinned: mf.lock has no entry for it\n{RENEW}",
    )
    assert mf("build", "new:v1", "-f", "new.Modelfile").code == 0
    ran = mf("build", "new:v1", "-f", "-", "--locked", stdin=LOCAL.encode())
    assert ran.code == 3
    ran = mf("build", "bot:v1", "--locked", "--quantize", "q8_0")
    quantized = (
        'Modelfile: is to be quantized to q8_0, which is not in the lock; first write `quantize = "q8_0"` in mf.toml'
    )
    assert (ran.code, ran.err) == (3, f"{DOES_NOT_RECORD}  {quantized}\n{RENEW}")
    warning = f"warning: mf.lock is out of date for bot:v1\n  {quantized}\nhelp: run `mf pin` if that is intended\n"
    (project / "weights.gguf").write_bytes(bare_gguf("F16"))
    assert mf("pin").code == 0
    ran = mf("build", "bot:v1", "--quantize", "q8_0", "--dry-run")
    assert (ran.code, ran.err) == (0, warning)
    (project / "mf.toml").write_text('[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\nquantize = "q8_0"\n')
    assert mf("pin").code == 0
    ran = mf("build", "bot:v1", "--locked", "--quantize", "q8_0", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    ran = mf("build", "other:v1", "-f", "Modelfile", "--locked")
    hint = "first write a model without `quantize` in mf.toml"
    plain = f"is to be built without quantization, which is not in the lock; {hint}"
    assert (ran.code, ran.err) == (3, f"{DOES_NOT_RECORD}  Modelfile: {plain}\n{RENEW}")


def test_locked_refuses_a_plan_of_a_stale_lock(project: Path) -> None:
    assert mf("pin").code == 0
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    lock = (project / "mf.lock").read_bytes()
    (project / "mf.lock").unlink()
    assert mf("build", "--plan", "plan.json", "--locked").err.startswith(DOES_NOT_RECORD)
    (project / "mf.lock").write_bytes(lock)
    assert mf("build", "--plan", "plan.json", "--locked").code == 0


def test_a_plan_is_followed_whatever_the_lock_says_of_it(project: Path) -> None:
    assert mf("pin").code == 0
    (project / "Modelfile").write_text(f"{LOCAL}SYSTEM other\n")
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    assert mf("pin").code == 0
    assert mf("build", "--plan", "plan.json").code == 0


def test_locked_refuses_a_base_that_was_pinned_again_alone(models: Path) -> None:
    assert mf("pin").code == 0
    (models / "base.Modelfile").write_text(f"{BASE}SYSTEM other\n")
    assert mf("pin", "base.Modelfile").code == 0
    ran = mf("build", "--locked")
    assert (ran.code, ran.err.startswith(f"{DOES_NOT_RECORD}  Modelfile: its base base:v1, built from")) == (3, True)
    assert (models / "Modelfile").read_text() == UPON


def test_locked_holds_every_version_of_ollama_to_the_fingerprint(project: Path, fake: FakeOllama) -> None:
    assert mf("pin").code == 0
    lock = json.loads((project / "mf.lock").read_text())
    entry = lock["modelfiles"]["Modelfile"]
    entry |= {"ollama": "0.33.0", "fingerprint": f"mf1:{'0' * 64}"}
    (project / "mf.lock").write_text(json.dumps(lock))
    ran = mf("build", "bot:v1", "--locked")
    assert ran.code == 3
    assert "the fingerprint of bot:v1 has changed since `mf pin` (mf1:000000000000… -> mf1:" in ran.err
    hint = "use Ollama 0.33.0, or remove its entry from mf.lock, then run `mf pin` with this Ollama"
    assert ran.err.endswith(f"\nhelp: {hint}\n")
    assert not fake.models
    ran = mf("build", "bot:v1")
    assert ran.code == 0
    assert "warning: Ollama 0.9.3 creates another model from these weights than the 0.33.0 of mf.lock; " in ran.err


def test_new_local_weights_are_added_without_making_them_again(project: Path, fake: FakeOllama) -> None:
    (project / "other.Modelfile").write_text(f"{LOCAL}SYSTEM other\n")
    assert mf("pin", "other.Modelfile").code == 0
    since = len(fake.requests)
    ran = mf("build", "bot:v1", "--json")
    assert (ran.code, ran.err) == (0, "added `Modelfile` to mf.lock\n")
    assert [logged.path for logged in fake.requests[since:]].count("/api/create") == 1
    lock = json.loads((project / "mf.lock").read_text())
    entry = lock["modelfiles"].pop("Modelfile")
    assert (entry["fingerprint"], entry["ollama"]) == (json.loads(ran.out)["fingerprint"], "0.9.3")
    (project / "mf.lock").write_text(json.dumps(lock))
    assert mf("pin").code == 0
    assert json.loads((project / "mf.lock").read_text())["modelfiles"]["Modelfile"] == entry
    assert mf("build", "bot:v1", "--locked").code == 0
