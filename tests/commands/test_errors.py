"""Errors of commands, as text and as JSON: the exact message, hint and code."""

import json
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf

CHANGES = "\n  changes: system (may change answers)"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "error"),
    [
        (("show", "bot:v3"), 3, ("bot:v3 not found on {url}", "did you mean `bot:v2` or `bot:v1`?", "not-found")),
        (
            ("show", "bot:v1", "--host", "127.0.0.1:9"),
            3,
            (
                "no Ollama server answers at http://127.0.0.1:9",
                "start one with `ollama serve`, name another with --host or OLLAMA_HOST, or use a folder with --store",
                "server-unreachable",
            ),
        ),
        (
            ("pull", "bot:v1", "bot:v2", "--host", "127.0.0.1:9"),
            3,
            (
                "no Ollama server answers at http://127.0.0.1:9",
                "start one with `ollama serve`, name another with --host or OLLAMA_HOST, or use a folder with --store",
                "server-unreachable",
            ),
        ),
        (
            ("cp", "bot:v1", "bot:v2"),
            3,
            (
                "bot:v2 on {url} already has another model: mf1:cb6864efbd5c…, not mf1:75ed7aa6c13b…" + CHANGES,
                "use a new tag, or pass --replace to replace the model",
                "would-replace",
            ),
        ),
        (("cp", "bot:v1", "c"), 2, ("`c` has no tag", "write c:v1, or c:latest if that is intended", "usage-error")),
        (
            ("show", "bot:v1", "--host", "a", "--host", "b"),
            2,
            ("--host given more than once", "only `mf build` accepts several", "usage-error"),
        ),
        (
            ("rm", "bot:v1", "-y", "--host", "a", "--host", "a"),
            2,
            ("--host given more than once", "only `mf build` accepts several", "usage-error"),
        ),
        (
            ("rollback", "bot:v1", "--to", ""),
            2,
            ("--to `` matches every backup", "run `mf rollback bot:v1 --list` to list them", "usage-error"),
        ),
        (("rollback", "bot:v2"), 3, ("no backups of bot:v2 on {url}", "there are backups of bot:v1", "not-found")),
        (
            ("build", "bot:v1", "--plan-out", "-"),
            2,
            (
                "--plan-out cannot write to standard output: paths in a plan are relative to its folder",
                "pass a file, or print the plan with `--dry-run --json`",
                "usage-error",
            ),
        ),
        (
            ("rm", "bot:v1"),
            2,
            ("cannot ask for confirmation: standard input is not a terminal", "pass --yes", "usage-error"),
        ),
        (
            ("pull", "a b"),
            2,
            (
                "invalid model name `a b`",
                (
                    "invalid model `a b`: a name is [host/][namespace/]model[:tag], "
                    "with up to 80 of A-Z a-z 0-9 _ . - in each part"
                ),
                "usage-error",
            ),
        ),
        (
            ("ls", "--host", "ftp://x"),
            2,
            (
                "invalid server address `ftp://x`",
                "write [http://|https://]host[:port][/path], as in OLLAMA_HOST=127.0.0.1:11434",
                "usage-error",
            ),
        ),
        (
            ("build", "bot:v1"),
            3,
            (
                "cannot read `Modelfile`: no such file or directory",
                "name the Modelfile, as in `--file bot/Modelfile`",
                "input-error",
            ),
        ),
        (
            ("build", "bot:v1", "-f", "bad.Modelfile"),
            3,
            (
                "`bad.Modelfile` has errors",
                "`mf lint bad.Modelfile` shows them, and --fix fixes what it safely can",
                "modelfile-has-errors",
            ),
        ),
        (("diff", "./none", "bot:v1"), 3, ("file not found: `./none`", None, "input-error")),
        (
            ("explain", "temprature"),
            2,
            (
                "unknown rule, parameter, instruction or quantization: `temprature`",
                "did you mean `temperature`?",
                "usage-error",
            ),
        ),
        (("config", "--config", "none.toml"), 2, ("file not found: `none.toml`", None, "usage-error")),
        (("show",), 2, ("missing argument `NAME`", "run `mf show --help`", "usage-error")),
        (("shwo",), 2, ("unknown command: `shwo`", "did you mean `mf show`?", "usage-error")),
    ],
)
@pytest.mark.usefixtures("store")
def test_errors_are_json_with_json(
    tmp_path: Path, fake: FakeOllama, arguments: tuple[str, ...], exit_code: int, error: tuple[str, str | None, str]
) -> None:
    (tmp_path / "bad.Modelfile").write_text("FROM bot:v1\nPARAMETER num_ctx many\n")
    plain, ran = mf(*arguments), mf(*arguments, "--json")
    assert (ran.code, ran.err, plain.out) == (exit_code, plain.err, "")
    message, hint, code = error
    expected = {"error": {"message": message.replace("{url}", fake.url), "hint": hint, "code": code}}
    assert ran.out == json.dumps(expected, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("output_format", [("--format", "json"), ("--format=json",)])
def test_lint_that_finds_no_modelfile_fails_in_json(tmp_path: Path, output_format: tuple[str, ...]) -> None:
    ran = mf("lint", *output_format, cwd=tmp_path)
    error = json.loads(ran.out)["error"]
    assert (ran.code, error["message"], error["code"]) == (3, "no Modelfile in `.`", "input-error")
    assert mf("lint", "--format", "concise", cwd=tmp_path).out == ""
