"""`mf doctor`: exit codes, text and JSON."""

import json
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf
from tests.support.folder import add_model, empty_store
from tests.support.paths import ROOT

from modelfile.names import ModelName


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def test_warnings_exit_1_and_have_help(fake: FakeOllama, tmp_path: Path) -> None:
    ran = mf("doctor", "--offline", "--host", fake.url, cwd=tmp_path)
    assert (ran.code, ran.err) == (1, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("ok       mf               ")
    assert f"ok       server           Ollama 0.9.3 at {fake.url}" in lines
    assert "skipped  registry         --offline was passed" in lines
    number = lines.index("warning  CVE-2026-7482    an uploaded GGUF file can read the server's memory")
    assert lines[number + 1] == (
        "         help: update Ollama to 0.17.1 or later; see https://pkg.go.dev/vuln/GO-2026-5748"
    )


def test_errors_exit_3_in_json_too(tmp_path: Path) -> None:
    ran = mf("doctor", "--offline", "--json", cwd=tmp_path)
    assert (ran.code, ran.err) == (3, "")
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert checks["server"] == {
        "name": "server",
        "status": "error",
        "message": "no Ollama server answers at http://127.0.0.1:9",
        "help": "start one with `ollama serve`, name another with --host or OLLAMA_HOST, or use a folder with --store",
    }
    assert checks["mf"]["status"] == "ok"


def test_no_problem_exits_0(fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.catalog.vulnerabilities.VULNERABILITIES", ())
    assert mf("doctor", "--offline", "--host", fake.url, cwd=tmp_path).code == 0


def test_a_broken_configuration_does_not_stop_the_other_checks(fake: FakeOllama, tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text("a = [")
    ran = mf("doctor", "--offline", "--host", fake.url, cwd=tmp_path, environ={"OLLAMA_API_KEY": "sk-very-secret"})
    assert ran.code == 3
    assert "error    configuration    `" in ran.out
    assert "ok       server           " in ran.out
    assert "sk-very-secret" not in ran.out + ran.err
    assert mf("doctor", "--offline", "--isolated", "--host", fake.url, cwd=tmp_path).code == 1


def test_the_bug_report_asks_for_it() -> None:
    assert "`mf doctor --json`" in (ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text(encoding="utf-8")


@pytest.mark.live
def test_a_real_server_is_examined(real: str, tmp_path: Path) -> None:
    ran = mf("doctor", "--offline", "--json", "--host", real, cwd=tmp_path)
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert checks["server"]["message"].endswith(f" at {real}")
    assert ran.code == (1 if any(check["status"] == "warning" for check in checks.values()) else 0)
    assert not any(check["status"] == "error" for check in checks.values())


@pytest.mark.live
def test_the_start_of_a_digest_names_a_model_of_a_real_server(real: str, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text(f"# A model.\nFROM {tiny}\n")
    assert mf("build", "digests:a", "--host", real, cwd=tmp_path).code == 0
    (listed,) = json.loads(mf("ls", "digests", "--json", "--host", real).out)
    start = listed["digest"].removeprefix("sha256:")[:12]
    assert mf("show", start, "--host", real).out.startswith("digests:a\n")
    assert mf("cp", start, "digests:b", "--host", real).code == 0
    ambiguous = mf("rm", start, "--yes", "--host", real)
    assert (ambiguous.code, "name one: digests:" in ambiguous.err) == (2, True)
    assert mf("rm", "digests:*", "--yes", "--host", real).code == 0
    assert mf("ls", "digests", "--json", "--host", real).out == "[]\n"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_secrets_in_checks_are_redacted(tmp_path: Path, options: list[str]) -> None:
    key = "sk-ant-Zq9mT4vLx82NbWc7RtYpQe31HsKdJf"
    (tmp_path / "mf.toml").write_text(f'[models.x]\nmodelfile = "{key}"\ntag = "v1"\n')
    (tmp_path / "mf.lock").write_text(json.dumps({"version": "1.0", "modelfiles": {key: 1}}))
    ran = mf("doctor", "--offline", *options, cwd=tmp_path)
    assert f"cannot read `sk-a{'*' * 33}`: no such file or directory" in ran.out
    assert f"`modelfiles.sk-a{'*' * 33}` is not an object" in ran.out
    assert key not in ran.out + ran.err


def checks(*options: str, **environ: str) -> dict[str, dict[str, str]]:
    ran = mf("doctor", "--offline", "--json", *options, environ=environ)
    return {check["name"]: check for check in json.loads(ran.out)["checks"]}


def test_a_folder_is_examined_instead_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layout = empty_store(tmp_path / "models")
    for name in ("bot:v1", "bot:v2"):
        add_model(layout, name, model=b"GGUF")
    for made in (checks("--store", "models"), checks(MF_STORE="models")):
        assert made["server"]["message"] == "not asked: models are in ~/models"
        message = "~/models, 2 models, the newest by Ollama since 0.32.7, 28 bytes, "
        assert made["store"]["message"].startswith(message)
        assert made["store"]["status"] in ("ok", "warning")  # of a disk that is nearly full
        assert "OLLAMA_API_KEY" not in made
    layout.manifest(ModelName.parse("bot:v3")).write_text("")
    made = checks("--store", "models")
    assert made["store"]["status"] == "warning"
    assert "bot/v3` is no manifest of a model" in made["store"]["message"]
    assert made["store"]["help"] == "run `mf store check`"
    assert checks("--store", "none")["store"] == {
        "name": "store",
        "status": "warning",
        "message": "no folder ~/none",
        "help": "a build or a pull creates it; check --store, MF_STORE and `store` in the configuration",
    }


def test_the_folder_of_a_server_that_does_not_answer_is_examined(tmp_path: Path) -> None:
    add_model(empty_store(tmp_path / ".ollama" / "models"), "bot:v1", model=b"GGUF")
    made = checks()
    assert made["server"]["status"] == "error"
    assert made["store"]["message"].startswith("~/.ollama/models, 1 model, the newest by Ollama since 0.32.7, ")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter").write_text("")
    made = checks(OLLAMA_MODELS=str(tmp_path / "other"))
    assert made["store"]["status"] == "skipped"
    assert "is no model store" in made["store"]["message"]
