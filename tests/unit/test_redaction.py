"""Secrets in texts: which ones are found, and that no output of a Modelfile's text shows them."""

import json
import re
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cli import mf
from tests.support.operations import GROWTH, Count, count_copied, count_operations, growth

from modelfile.redaction import Redactor, find_secrets, redact
from modelfile.report.formats import FORMATS

RANDOM = "Zq8Lm2Xv7Rt4Wn9Ks6Hd3Bj5Fg0Pc1Yw8Ez2Ua7Ti4Oq9Nl6Mk3Vb5Cx0Rs1Dh"
KEY = "sk-" + "ant-" + RANDOM[:40]
BEGIN, END = ("-----" + word + " RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
PRIVATE = "\n".join((BEGIN, RANDOM, RANDOM[::-1], RANDOM[5:25] + "==", END))


@pytest.mark.parametrize("text", [f"a {KEY} b\nc", f"x\r\n{PRIVATE}\nafter", f"{KEY} {KEY}", "", "nothing: here"])
def test_redacted_text_keeps_its_length_and_lines(text: str) -> None:
    redacted = redact(text)
    assert len(redacted) == len(text)
    assert [match.start() for match in re.finditer(r"[\r\n]", redacted)] == [
        match.start() for match in re.finditer(r"[\r\n]", text)
    ]
    assert leaked(redacted) == set()
    assert find_secrets(redacted) == ()


def leaked(text: str) -> set[str]:
    """Return the parts of secrets that a text shows, beyond the characters by which their owners recognize them."""
    return {RANDOM[at : at + 6] for at in range(4, len(RANDOM) - 6)} & {
        text[at : at + 6] for at in range(len(text))
    } | {RANDOM[::-1][at : at + 6] for at in range(len(RANDOM) - 6)} & {text[at : at + 6] for at in range(len(text))}


@pytest.mark.parametrize("separator", ["\n", "\\n", "\r\n"])
@pytest.mark.parametrize("end", [END, ""])
def test_whole_private_key_is_one_secret(separator: str, end: str) -> None:
    text = separator.join((BEGIN, RANDOM, RANDOM[::-1], end))
    assert leaked(redact(f"{text}{separator}SYSTEM after")) == set()


def test_text_after_a_secret_stays() -> None:
    assert redact(f"SYSTEM {KEY}, and that is all.").endswith(", and that is all.")
    assert redact(f"{PRIVATE}\nSYSTEM after\n").endswith("\nSYSTEM after\n")


@given(st.integers(0, len(KEY)), st.text(max_size=20))
def test_start_of_a_secret_is_redacted_in_a_message(length: int, around: str) -> None:
    quoted = f"{around} `{KEY[:length]}…`"
    assert leaked(Redactor(f"SYSTEM {KEY}").redact(quoted)) == set()


@pytest.mark.parametrize("secret", ["hunter2", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"])
def test_short_secrets_and_those_with_spaces_are_redacted_in_a_message(secret: str) -> None:
    redactor = Redactor(f"SYSTEM The password is {secret}")
    assert redactor
    for message in (f"`{secret}`", f"`{secret[:14]}…`"):
        redacted = redactor.redact(message)
        assert len(redacted) == len(message)
        assert secret[4:9] not in redacted
    assert redactor.redact("`hunter27`") == "`hunter27`"


@pytest.mark.parametrize("count", [count_operations, count_copied])
def test_words_that_only_contain_a_form_are_cheap(count: Count) -> None:
    text = "The token is a word: your password is never shown, key 1234 5678. "
    assert find_secrets(text * 10_000) == ()
    assert growth(lambda n: partial(find_secrets, text * n), 20, count) <= GROWTH


MODELFILE = f'''\
FROM llama3.2
PARAMETER temperature {KEY}
PARAMETER stop {KEY}
PARAMETER mirostat 1
SYSTEM   {KEY}
MESSAGE user  say api_key={RANDOM[8:40]}
LICENSE """{PRIVATE}"""
'''


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("options", ["", "--ignore MF701", "--select MF3"])
def test_no_format_of_findings_shows_a_secret(tmp_path: Path, output: str, options: str) -> None:
    (tmp_path / "Modelfile").write_text(MODELFILE)
    ran = mf("lint", "--format", output, *options.split(), cwd=tmp_path, together=True)
    assert "temperature" in ran.out
    assert leaked(ran.out) == set()


@pytest.mark.parametrize(
    "command", ["lint --fix --diff", "lint --diff --unsafe-fixes", "fmt --diff", "diff Modelfile other/Modelfile"]
)
def test_no_diff_shows_a_secret(tmp_path: Path, command: str) -> None:
    text = MODELFILE.replace(f"temperature {KEY}", "temperature 1")
    (tmp_path / "Modelfile").write_text(text)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Modelfile").write_text(text.replace(KEY, f"sk-ant-{RANDOM[9:49]}").replace("say", "tell"))
    ran = mf(*command.split(), cwd=tmp_path, together=True)
    assert ran.code == 1
    assert "*****" in ran.out
    assert leaked(ran.out) == set()
    if not command.startswith("diff"):
        assert "Modelfile: a secret is redacted in the diff, so `patch` cannot apply it\n" in ran.out


def test_diff_as_json_shows_no_secret(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"FROM x:y\nSYSTEM {KEY}\nPARAMETER stop {KEY}\n")
    (tmp_path / "b").write_text("FROM x:y\nSYSTEM none\n")
    ran = mf("diff", "./a", "./b", "--json", cwd=tmp_path)
    assert [change["aspect"] for change in json.loads(ran.out)["changes"]] == ["parameter", "system"]
    assert leaked(ran.out) == set()


def test_build_shows_findings_without_a_secret(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text(MODELFILE)
    ran = mf("build", "bot:v1", cwd=tmp_path, together=True)
    assert ran.code == 3
    assert leaked(ran.out) == set()


@pytest.mark.parametrize(
    "command", ["build bot:v1", "build bot:v1 --json", "diff Modelfile b", "parse --request Modelfile"]
)
def test_no_error_shows_a_secret(tmp_path: Path, command: str) -> None:
    (tmp_path / "Modelfile").write_text(f"# mf: ignore-file[MF3]\nFROM x:y\nPARAMETER temperature {KEY}\n")
    (tmp_path / "b").write_text("FROM x:y\n")
    ran = mf(*command.split(), cwd=tmp_path)
    assert ran.code != 0
    assert "error" in ran.err + ran.out
    assert leaked(ran.err) == set()
    if not command.startswith("parse"):  # which prints what Ollama reads, as it is
        assert leaked(ran.out) == set()
