"""Tests of the public API: exported names, examples, and edits that keep the rest of a text."""

import doctest
import hashlib
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.laws.test_laws import texts
from tests.support.paths import ROOT

import modelfile
from modelfile import InputError, Modelfile, create_request, parse
from modelfile.characters import is_unprintable
from modelfile.syntax.quoting import choose_quoting, quote

TEXT = """\
# A bot. \r
from   "llama3.2:3b"\r
\r
PARAMETER stop "<a>"   \r
  parameter temperature 0.2\r
PARAMETER stop <b>\r
# The end.\r
SYSTEM hi"""


def test_exported_names() -> None:
    assert dir(modelfile) == sorted(modelfile.MODULES) == modelfile.__all__
    assert all(getattr(modelfile, name).__doc__ for name in modelfile.__all__)
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = modelfile.missing


@pytest.mark.parametrize("name", sorted(set(modelfile.MODULES.values())))
def test_doctests(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(import_module(f"modelfile.{name}")).failed == 0


def test_lint_stays_a_function_when_submodules_are_imported() -> None:
    from modelfile.linter.rules import RULES  # imports the package

    found = modelfile.lint("FROM llama3.2\n", ignore=["missing-purpose"])
    assert [diagnostic.name for diagnostic in found] == ["unpinned-base"]
    assert RULES


def test_examples_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for line in "".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL)).splitlines():
        code, _, comment = line.partition("  # ")
        if comment.startswith(("(", "[", "True")):
            assert repr(eval(code, names)) == comment.partition(": ")[0]  # noqa: S307  # the project's own text
        else:
            exec(code, names)  # noqa: S102  # the same


def test_setting_a_parameter_changes_only_its_line() -> None:
    edited = parse(TEXT).with_parameter("temperature", "0.7")
    assert edited.text == TEXT.replace("parameter temperature 0.2", "PARAMETER temperature 0.7")


def test_setting_a_repeated_parameter_replaces_all_of_it() -> None:
    edited = parse(TEXT).with_parameter("stop", "x", " y ")
    first = TEXT.replace('"<a>"   \r', 'x\r\nPARAMETER stop " y "   \r')
    assert edited.text == first.replace("PARAMETER stop <b>\r\n", "")
    assert create_request(edited)["parameters"] == {"stop": ["x", " y "], "temperature": 0.2}


def test_parameter_is_removed_with_its_line() -> None:
    assert parse(TEXT).with_parameter("temperature").text == TEXT.replace("  parameter temperature 0.2\r\n", "")
    assert parse(TEXT).with_parameter("seed").text == TEXT


def test_new_parameter_is_added_after_the_others_or_from() -> None:
    assert parse("FROM x\nSYSTEM y\n").with_parameter("seed", "1").text == "FROM x\nPARAMETER seed 1\nSYSTEM y\n"
    assert "PARAMETER stop <b>\r\nPARAMETER seed 1\r\n# The end" in parse(TEXT).with_parameter("seed", "1").text
    assert parse("").with_parameter("seed", "1").text == "PARAMETER seed 1\n"


def test_changing_the_base() -> None:
    assert parse(TEXT).with_from("llama3.1:8b").text == TEXT.replace('"llama3.2:3b"', "llama3.1:8b")
    assert parse("SYSTEM x\n").with_from("y:z").text == "FROM y:z\nSYSTEM x\n"


def test_new_message_is_added_after_the_others() -> None:
    edited = parse(TEXT).with_message("user", "a\nb").with_message("assistant", "c")
    assert edited.text.startswith(TEXT)
    assert create_request(edited)["messages"] == [
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "c"},
    ]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda bot: bot.with_message("User", "x"), "invalid role `User`"),
        (lambda bot: bot.with_message("user", "a\u00a0b"), "U+00A0"),
        (lambda bot: bot.with_parameter("a b", "x"), "invalid parameter name `a b`"),
        (lambda bot: bot.with_message("user", '"""\nx"\ny'), "cannot write this text in a Modelfile"),
    ],
)
def test_invalid_edits_are_rejected(edit: Callable[[Modelfile], Modelfile], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("+", r"\+")):
        edit(parse(TEXT))


def test_create_request_has_the_digests_of_local_files(tmp_path: Path) -> None:
    (tmp_path / "w.gguf").write_bytes(b"GGUF")
    digest = f"sha256:{hashlib.sha256(b'GGUF').hexdigest()}"
    bot = parse(b"\xef\xbb\xbfFROM ./w.gguf\nADAPTER w.gguf\n")
    assert create_request(bot, tmp_path) == {"files": {"w.gguf": digest}, "adapters": {"w.gguf": digest}}


@given(texts)
def test_quoted_text_is_read_back(text: str) -> None:
    if any(map(is_unprintable, text)) or choose_quoting(text) is None:
        with pytest.raises(InputError):
            quote(text)
    else:
        assert parse(f"FROM x\nSYSTEM {quote(text)}\nLICENSE y").commands[1:] == (("system", text), ("license", "y"))


@given(texts)
def test_careful_sufficient_quotes_are_chosen(text: str) -> None:
    if not text or any(map(is_unprintable, text)):
        return
    reads = {
        quotes: parse(f"FROM x\nSYSTEM {quotes}{text}{quotes}\nLICENSE y").commands[1:]
        == (("system", text), ("license", "y"))
        for quotes in ("", '"', '"""')
    }
    is_fragile = "\n" in text or "\r" in text or text.rstrip(" \t").endswith('"')
    order = ("", '"""', '"') if is_fragile else ("", '"', '"""')
    assert choose_quoting(text) == next((quotes for quotes in order if reads[quotes]), None)


@given(texts, st.sampled_from(["temperature", "stop", "x"]), st.lists(texts, max_size=2))
def test_edits_keep_every_other_command(text: str, name: str, values: list[str]) -> None:
    before: Modelfile = parse(f"FROM x\n{text}\n")
    if before.diagnostics:
        return
    try:
        after = before.with_parameter(name, *values)
    except InputError:
        return
    others = [command for command in before.commands if command[0] != name]
    assert [command for command in after.commands if command[0] != name] == others
    assert [value for key, value in after.commands if key == name] == values
