"""UTF-8 that was read as another code page, and text that only looks like it."""

import pytest

from modelfile.diagnostics import Diagnostic
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

HEAD = "# For tests.\nFROM x:y\nSYSTEM Say "


def broken(text: str, page: str) -> str:
    return "".join(bytes([byte]).decode(page, "ignore") or chr(byte) for byte in text.encode())


def found(text: str) -> list[Diagnostic]:
    modelfile = Modelfile.parse(Source(text=f"{HEAD}{text} always.\n"))
    return [one for one in lint(Context(modelfile=modelfile)) if one.name == "mojibake"]


def fixed(text: str) -> str:
    def diagnose(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
        return tuple(one for one in lint(Context(modelfile=modelfile)) if one.name == "mojibake")

    modelfile = Modelfile.parse(Source(text=f"{HEAD}{text} always.\n"))
    return apply_fixes(modelfile, diagnose, unsafe=True)[0].text.removeprefix(HEAD).removesuffix(" always.\n")


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("caf\xe9", "cp1252 cp437 cp850 mac_roman"),
        ("it\u2019s \u201cfine\u201d \u2013 ok", "cp1252 cp437 cp850 cp1251 cp866 mac_roman"),
        ("Gr\xfc\xdfe", "cp1252 cp437 cp850 mac_roman"),
        ("\u043f\u0440\u0438\u0432\u0435\u0442", "cp1252 cp437 cp850 cp1251 cp866"),
        ("\u4f60\u597d", "cp1252"),
        ("\U0001f600", "cp1252 cp437 cp850 cp1251"),
        ("20 \xb0C", "cp1252 cp437 cp850"),
    ],
)
def test_broken_characters_are_found_and_repaired(text: str, pages: str) -> None:
    for page in pages.split():
        (one,) = found(broken(text, page))
        assert " is UTF-8 that was read as " in one.message
        assert fixed(broken(text, page)) == text


def test_text_that_was_broken_twice_is_repaired_at_once() -> None:
    twice = broken(broken("it\u2019s", "cp1252"), "cp1252")
    assert fixed(twice) == "it\u2019s"


def test_chinese_that_was_read_as_gbk_is_repaired() -> None:
    text = "\u4f60\u597d\u4e16\u754c\u4f60\u597d\u4e16\u754c"
    assert fixed(text.encode().decode("gbk")) == text


def test_cyrillic_that_was_read_as_gbk_is_repaired() -> None:
    text = "\u043f\u0440\u0438\u0432\u0435\u0442"
    assert fixed(text.encode().decode("gbk")) == text


def test_many_broken_characters_are_one_finding() -> None:
    (one,) = found("caf\xc3\xa9, \xc3\xbcber, na\xc3\xafve")
    assert one.message == "`caf\xc3\xa9` is UTF-8 that was read as Windows-1252, and 2 more"
    assert one.hint == "write `caf\xe9` in line 3, and save the file as UTF-8"


def test_character_that_is_lost_cannot_be_repaired() -> None:
    (one,) = found("caf\ufffd")
    assert one.message == "U+FFFD stands for a character that an earlier program lost"
    assert one.fix is None


@pytest.mark.parametrize(
    "text",
    [
        "caf\xe9 \xc0 bient\xf4t \xc2 \xca",
        "IRM\xc3\u2026 MANH\xc3\u201d",
        "tr\xe8s\xbb\u2026 \xabcaf\xe9\xbb\u2026",
        "\u201e\xc4\u201c \u201e\xc5\u201c",
        "\u251c\u2500\u2500 src \u2502 \u2514\u2500\u2500 a \u251c\u2500\u253c\u2500\u2524",
        "\u221a2 \xacx \u03a9 \u2248 \u0393",
        "\u041f\u0451\u0441 \u0427\u0451\u0440\u043d\u044b\u0439 \xab\u0401\u043b\u043a\u0430\xbb\u2026",
        "\u0442\u0451\u0436\u043d\u043e \u0432\u0440\u0435\u043c\u0451\u043d\u043d\u043e",
        "\u4f60\u597d\u4e16\u754c\uff0c\u8bf7\u7528\u4e2d\u6587\u56de\u7b54\u3002",
        "\u4e3a\u4ec0\u4e48\u5440\uff1f",
        "\u201c\u592a\u592a\u592a\u592a\u201d",
        "S\xe3o Paulo N\xc3O \xd1\u201d \u2013 \xd1and\xfa",
    ],
)
def test_text_in_any_language_is_none(text: str) -> None:
    assert found(text) == []
