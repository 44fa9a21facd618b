"""Laws of the formatter."""

from pathlib import Path

import pytest
from hypothesis import example, given
from tests.laws.test_laws import texts
from tests.support.cli import Ran, mf
from tests.support.paths import ROOT

from modelfile import InputError, parse
from modelfile.formatter import format_modelfile, print_modelfile
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile


@given(texts)
@example('SYSTEM "\x05a"')  # the next two were found by random Modelfiles
@example('PARAMETER stop "a\x17"')
def test_formatting_preserves_meaning_and_is_idempotent(text: str) -> None:
    before = parse(f"FROM x\n{text}\n")
    if before.diagnostics:
        return
    formatted = parse(format_modelfile(before))
    assert formatted.commands == before.commands
    assert format_modelfile(formatted) == formatted.text
    assert formatted.text.endswith("\n")


@pytest.mark.parametrize("folder", ["modelfiles", "examples"])
def test_modelfiles_of_this_repository_are_formatted(folder: str) -> None:
    assert mf("fmt", "--check", folder, cwd=ROOT) == Ran(0, "", "")


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
    path.write_bytes('\ufefffrom x\r\nsystem   "é\r\n"\r\n'.encode("utf-16-le"))
    path.chmod(0o640)
    assert mf("fmt", str(path)).code == 0
    assert path.read_bytes() == '\ufeffFROM x\nSYSTEM "é\r\n"\n'.encode("utf-16-le")
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
