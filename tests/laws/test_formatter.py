"""Laws of the formatter."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.laws.test_laws import texts
from tests.support.cli import Ran, mf
from tests.support.paths import ROOT

from modelfile import InputError, parse
from modelfile.formatter import format_modelfile, print_modelfile
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, Quoting, Value
from modelfile.syntax.quoting import can_hold


@given(texts)
@example('SYSTEM "\x05a"')  # the next two were found by random Modelfiles
@example('PARAMETER stop "a\x17"')
def test_formatting_preserves_meaning_and_is_idempotent(text: str) -> None:
    before = parse(f"FROM x\n{text}\n")
    if before.diagnostics or any("\r" in value for _, value in before.commands):
        return
    formatted = parse(format_modelfile(before))
    assert formatted.commands == before.commands
    assert format_modelfile(formatted) == formatted.text
    assert formatted.text.endswith("\n")


@given(texts)
@example('SYSTEM "Be brief.\nBe kind."')
@example('SYSTEM "a """\n"\nb\n"')
def test_values_of_several_lines_are_between_triple_quotes(text: str) -> None:
    for value in _values_formatted(text):
        content = value.text
        if "\n" in content and can_hold(Quoting.TRIPLE, content):
            assert value.quoting is Quoting.TRIPLE


@given(texts)
@example('PARAMETER stop "### End"')
@example('PARAMETER stop "###"')
@example('MESSAGE user "Hi."')
@example('SYSTEM "Be brief."')
@example('SYSTEM """Be brief."""')
@example("SYSTEM Be brief.")
def test_quotes_are_never_weakened(text: str) -> None:
    before = parse(f"FROM x\n{text}\n")
    after = _values_formatted(text)
    for old, new in zip(before.of_type(Instruction) if after else (), after, strict=True):
        assert new.quoting >= old.value.quoting
        if not old.value.text or "\n" in old.value.text or old.value.text.rstrip().endswith('"'):
            continue
        assert new.quoting is old.value.quoting


@given(texts, st.sampled_from(["", " ", "\t"]))
@example('SYSTEM "Say "yes""', "")
@example('SYSTEM "Say "yes"\nor "no""', "")
def test_one_more_line_does_not_end_a_text_early(text: str, indent: str) -> None:
    for value in _values_formatted(text):
        content = value.text
        if value.quoting is not Quoting.NONE and not content.endswith('"""') and can_hold(Quoting.TRIPLE, content):
            longer = f"{content}{indent}\nThanks."
            quotes = value.quoting
            read = parse(f"FROM x\nSYSTEM {quotes}{longer}{quotes}\nLICENSE y").commands
            assert read == (("model", "x"), ("system", longer), ("license", "y"))


def _values_formatted(text: str) -> list[Value]:
    before = parse(f"FROM x\n{text}\n")
    if before.diagnostics or "\r" in text:
        return []
    return [node.value for node in parse(format_modelfile(before)).of_type(Instruction)]


@given(texts)
@example('SYSTEM """a\r\nb"""\r\nPARAMETER seed 1\n')
@example("# fmt: off\r\nPARAMETER  seed 1\r\n# fmt: on\n")
@example('SYSTEM "a\r\x01\nb"')
def test_line_endings_are_normalized_as_a_whole_or_not_at_all(text: str) -> None:
    before = parse(f"FROM x\r\n{text}\n")
    if before.diagnostics:
        return
    in_values = any("\r" in value for _, value in before.commands)
    whole = format_modelfile(before, unsafe_newlines=True)
    assert "\r" not in whole
    assert [name for name, _ in parse(whole).commands] == [name for name, _ in before.commands]
    if not in_values:
        assert format_modelfile(before) == whole
        return
    with pytest.raises(InputError, match="has a carriage return"):
        format_modelfile(before)


def test_carriage_returns_in_values_are_reported_and_left(tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    mixed = b'from x\r\nsystem """Be brief.\r\nBe kind.\n"""\n'
    path.write_bytes(mixed)
    message = "line 2 has a carriage return (CRLF line ending) that is part of a value"
    for words in ((), ("--check",), ("--diff",)):
        ran = mf("fmt", *words, "Modelfile", cwd=tmp_path)
        assert (ran.code, ran.err.splitlines()[:2]) == (
            3,
            [
                f"error: cannot format `Modelfile`: {message}",
                "help: pass --unsafe-newlines to write LF line endings in values too, which changes the model",
            ],
        )
        assert path.read_bytes() == mixed
    assert mf("fmt", "--unsafe-newlines", "Modelfile", cwd=tmp_path) == Ran(
        0, "reformatted Modelfile\n1 file reformatted\n", ""
    )
    assert path.read_bytes() == b'FROM x\nSYSTEM """Be brief.\nBe kind.\n"""\n'


@pytest.mark.parametrize("folder", ["modelfiles", "examples"])
def test_modelfiles_of_this_repository_are_formatted(folder: str) -> None:
    number = len([*ROOT.glob(f"{folder}/**/*Modelfile")])
    assert mf("fmt", "--check", folder, cwd=ROOT) == Ran(0, f"{number} files already formatted\n", "")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("FROM y\n# c\n", "it would mean something else"),
        ("FROM x\n", "a comment would be lost"),
        ("FROM x\n# c", "formatting it again would change it again"),
    ],
)
def test_proof_rejects_a_wrong_text(monkeypatch: pytest.MonkeyPatch, wrong: str, message: str) -> None:

    def printer(modelfile: Modelfile) -> str:
        return wrong if modelfile.text == "from x\n# c\n" else print_modelfile(modelfile)

    monkeypatch.setattr("modelfile.formatter.print_modelfile", printer)
    with pytest.raises(InputError, match=message) as caught:
        format_modelfile(parse("from x\n# c\n"))
    assert "bug" in (caught.value.hint or "")


def test_encoding_and_mode_are_preserved(tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    path.write_bytes('\ufefffrom x\r\nsystem   "é"\r\n'.encode("utf-16-le"))
    path.chmod(0o640)
    assert mf("fmt", str(path)).code == 0
    assert path.read_bytes() == '\ufeffFROM x\nSYSTEM "é"\n'.encode("utf-16-le")
    assert path.stat().st_mode & 0o777 == 0o640


def test_invalid_utf_8_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    path.write_bytes(b"from x\nsystem \xff\n")
    ran = mf("fmt", str(path))
    assert ran.code == 3
    assert "it is not UTF-8" in ran.err
    assert path.read_bytes() == b"from x\nsystem \xff\n"
    with pytest.raises(InputError):
        format_modelfile(Modelfile.parse(Source.decode(path.read_bytes())))
