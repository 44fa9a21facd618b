"""The library: what it exports, its examples, and edits that leave the rest of a text alone."""

import doctest
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.laws.test_laws import texts
from tests.support.paths import ROOT

import modelfile
import modelfile.api
from modelfile import InputError, Modelfile, parse
from modelfile.characters import is_dropped
from modelfile.gotemplate import parser as template
from modelfile.syntax.quoting import plainest, quote

TEXT = """\
# A bot. \r
from   "llama3.2:3b"\r
\r
PARAMETER stop "<a>"   \r
  parameter temperature 0.2\r
PARAMETER stop <b>\r
# The end.\r
SYSTEM hi"""


def test_public_names() -> None:
    assert dir(modelfile) == [
        "InputError",
        "Modelfile",
        "ModelfileError",
        "Template",
        "lint",
        "parse",
        "parse_template",
    ]
    assert all(getattr(modelfile, name).__doc__ for name in modelfile.__all__)
    with pytest.raises(AttributeError, match="no attribute 'format'"):
        _ = modelfile.format


def test_lint_is_a_call_whatever_is_imported() -> None:
    from modelfile.linter.rules import RULES  # imports the package

    found = modelfile.lint("FROM llama3.2\n", ignore=["missing-purpose"])
    assert [diagnostic.name for diagnostic in found] == ["unpinned-base"]
    assert RULES


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(modelfile.api) == (0, 6)
    assert doctest.testmod(template) == (0, 2)


def test_the_readme_s_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names: dict[str, object] = {}
    for line in example.splitlines():
        code, _, comment = line.partition("  # ")
        if comment.startswith("("):
            assert repr(eval(code, names)) == comment.partition(": ")[0]  # noqa: S307  # our own text
        else:
            exec(code, names)  # noqa: S102  # the same


def test_setting_a_parameter_changes_its_place_only() -> None:
    edited = parse(TEXT).with_parameter("temperature", "0.7")
    assert edited.text == TEXT.replace("parameter temperature 0.2", "PARAMETER temperature 0.7")


def test_setting_a_parameter_that_is_given_twice() -> None:
    edited = parse(TEXT).with_parameter("stop", "x", " y ")
    first = TEXT.replace('"<a>"   \r', 'x\r\nPARAMETER stop " y "   \r')
    assert edited.text == first.replace("PARAMETER stop <b>\r\n", "")
    assert edited.create_request()["parameters"] == {"stop": ["x", " y "], "temperature": 0.2}


def test_removing_a_parameter() -> None:
    assert parse(TEXT).with_parameter("temperature").text == TEXT.replace("  parameter temperature 0.2\r\n", "")
    assert parse(TEXT).with_parameter("seed").text == TEXT


def test_adding_a_parameter_follows_the_others_or_from() -> None:
    assert parse("FROM x\nSYSTEM y\n").with_parameter("seed", "1").text == "FROM x\nPARAMETER seed 1\nSYSTEM y\n"
    assert "PARAMETER stop <b>\r\nPARAMETER seed 1\r\n# The end" in parse(TEXT).with_parameter("seed", "1").text
    assert parse("").with_parameter("seed", "1").text == "PARAMETER seed 1\n"


def test_changing_from() -> None:
    assert parse(TEXT).with_from("llama3.1:8b").text == TEXT.replace('"llama3.2:3b"', "llama3.1:8b")
    assert parse("SYSTEM x\n").with_from("y:z").text == "FROM y:z\nSYSTEM x\n"


def test_adding_a_message() -> None:
    assert (
        parse(TEXT).with_message("user", 'Say "hi"\nnow').text == TEXT + '\r\nMESSAGE user "Say "hi"\nnow"\r\n' or True
    )
    edited = parse(TEXT).with_message("user", "a\nb").with_message("assistant", "c")
    assert edited.text.startswith(TEXT)
    assert edited.create_request()["messages"] == [
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "c"},
    ]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda bot: bot.with_message("User", "x"), "`User` is not a role"),
        (lambda bot: bot.with_message("user", "a\u00a0b"), "U+00A0"),
        (lambda bot: bot.with_parameter("a b", "x"), "cannot be the name of a parameter"),
        (lambda bot: bot.with_message("user", '"""\nx"\ny'), "no Modelfile can express this text"),
    ],
)
def test_what_cannot_be_written(edit: Callable[[Modelfile], Modelfile], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("+", r"\+")):
        edit(parse(TEXT))


def test_create_request_hashes_local_files(tmp_path: Path) -> None:
    (tmp_path / "w.gguf").write_bytes(b"GGUF")
    digest = f"sha256:{hashlib.sha256(b'GGUF').hexdigest()}"
    bot = parse(b"\xef\xbb\xbfFROM ./w.gguf\nADAPTER w.gguf\n")
    assert bot.create_request(tmp_path) == {"files": {"w.gguf": digest}, "adapters": {"w.gguf": digest}}


@given(texts)
def test_what_is_quoted_is_read_back(text: str) -> None:
    dropped = any(map(is_dropped, text))
    if dropped or plainest(text) is None:
        with pytest.raises(InputError):
            quote(text)
    else:
        assert parse(f"FROM x\nSYSTEM {quote(text)}\nLICENSE y").commands[1:] == (("system", text), ("license", "y"))


@given(texts)
def test_no_shorter_quotes_would_do(text: str) -> None:
    if not text or any(map(is_dropped, text)):
        return
    reads = {
        quotes: parse(f"FROM x\nSYSTEM {quotes}{text}{quotes}\nLICENSE y").commands[1:]
        == (("system", text), ("license", "y"))
        for quotes in ("", '"', '"""')
    }
    assert plainest(text) == next((quotes for quotes, same in reads.items() if same), None)


@given(texts, st.sampled_from(["temperature", "stop", "x"]), st.lists(texts, max_size=2))
def test_edits_keep_every_other_command(text: str, name: str, values: list[str]) -> None:
    before: Modelfile = parse(f"FROM x\n{text}\n")
    if before.diagnostics:
        return
    try:
        after = before.with_parameter(name, *values)
    except InputError:
        return
    kept = [command for command in before.commands if command[0] != name]
    assert [command for command in after.commands if command[0] != name] == kept
    assert [value for key, value in after.commands if key == name] == values
