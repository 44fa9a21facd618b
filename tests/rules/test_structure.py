"""Mistakes around quotes and words: each is reported once, by the rule that explains it, and fixed if it is safe."""

import pytest

from modelfile.diagnostics import Diagnostic
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

HEAD = "# For tests.\nFROM x:y\n"
TEMPLATE = 'TEMPLATE """{{ .System }}{{ .Prompt }}"""\n'


def diagnose(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
    return lint(Context(modelfile=modelfile))


@pytest.mark.parametrize(
    ("body", "name", "words"),
    [
        ('SYSTEM """Code:\n"""Adds."""\nreturn 1\nreturn 2\n"""\n', "unknown-instruction", "ended on line 4, because"),
        ('SYSTEM """Code."""\ndef f():\n    return 1\n', "unknown-instruction", "ended on line 3, because"),
        (
            "SYSTEM Be brief.\n# Rules\nMessages are short.\nStop when asked.\n",
            "unknown-instruction",
            "the comment ended",
        ),
        (
            "SYSTEM Be brief.\nMessages are short.\n# Rules\nStop when asked.\n",
            "unknown-instruction",
            "the text of SYSTEM",
        ),
        ("SYSTEM\nYou are brief.\nAnd kind.\n", "missing-argument", "missing value for SYSTEM"),
        ("RUN x\n", "unknown-instruction", "`RUN`"),
        ('SYSTEM """a""" # b\n', "unclosed-quote", "missing closing quotes"),
        (f'SYSTEM """a""" # b\n{TEMPLATE}', "text-after-quote", "reads on to line 4"),
        (f'SYSTEM """a\n{TEMPLATE}', "swallowed-instruction", "was read as part of SYSTEM in line 3"),
    ],
)
def test_each_mistake_is_reported_once(body: str, name: str, words: str) -> None:
    (found,) = diagnose(Modelfile.parse(Source(text=HEAD + body)))
    assert found.name == name
    assert words in found.message


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ("PARAMTER top_k 3\n", "PARAMETER top_k 3\n"),
        ("top_k: 3\n", "PARAMETER top_k 3\n"),
        ("PARAMETER top_k=3\n", "PARAMETER top_k 3\n"),
        ("PARAMETER max_tokens 3\n", "PARAMETER num_predict 3\n"),
        ("SYSTEM: hi\n", "SYSTEM hi\n"),
        ("$ ollama create x\n", ""),
        (
            "SYSTEM Be brief.\n\n- Be kind.\n# Rules\n1. None.\n",
            'SYSTEM """Be brief.\n\n- Be kind.\n# Rules\n1. None."""\n',
        ),
        ('SYSTEM "Say "no"\nor "yes" now."\n', 'SYSTEM """Say "no"\nor "yes" now."""\n'),
        ('SYSTEM """a\nb""" # c\nPARAMETER top_k 3\n', '# c\nSYSTEM """a\nb"""\nPARAMETER top_k 3\n'),
        ('SYSTEM """\na\n""\nPARAMETER top_k 3\n', 'SYSTEM """\na\n"""\nPARAMETER top_k 3\n'),
        ('SYSTEM "a\nPARAMETER top_k 3\n', 'SYSTEM "a"\nPARAMETER top_k 3\n'),
        ('SYSTEM """"a."""\n', 'SYSTEM """a."""\n'),
        ('SYSTEM """a.""""\n', 'SYSTEM """a."""\n'),
        ('SYSTEM "Yes" or "no"\n', 'SYSTEM """"Yes" or "no""""\n'),
        (">>> PARAMETER top_k 3\n", "PARAMETER top_k 3\n"),
        ("PARAMETER temprature=0.1\n", "PARAMETER temperature 0.1\n"),
        ("PARAMETER repeat_penality: 1.1\n", "PARAMETER repeat_penalty 1.1\n"),
        ("PARAMETER top_k\u00a03\n", "PARAMETER top_k 3\n"),
        ("MESSAGE user\u3000a\n", "MESSAGE user a\n"),
        ("MESSAGE USER a\nMESSAGE bot b\n", "MESSAGE user a\nMESSAGE assistant b\n"),
        ('SYSTEM ""\nPARAMETER top_k 3\n', "PARAMETER top_k 3\n"),
        ("You are a kind assistant.\nBe brief.\n", 'SYSTEM """You are a kind assistant.\nBe brief."""\n'),
    ],
)
def test_fixes_write_the_intended_text(bad: str, good: str) -> None:
    modelfile, _ = apply_fixes(Modelfile.parse(Source(text=HEAD + bad)), diagnose, unsafe=True)
    assert modelfile.text.endswith(good)
    assert not modelfile.diagnostics


@pytest.mark.parametrize(
    "line",
    [
        'SYSTEM """He said "hi""""',
        'SYSTEM """"Hi", he said."""',
        'SYSTEM """A screen of 24""""',
        'SYSTEM "Say "hi" to all."',
        'SYSTEM """Use """ to quote."""',
        'PARAMETER stop ""}"',
    ],
)
def test_intended_quotes_are_not_reported(line: str) -> None:
    assert not diagnose(Modelfile.parse(Source(text=f"{HEAD}{line}\n")))


def test_ten_thousand_lines_of_prose_are_one_finding() -> None:
    text = HEAD + "SYSTEM a\n" + "messages and models of the system\n" * 10_000
    assert len(Modelfile.parse(Source(text=text)).diagnostics) == 1


@pytest.mark.parametrize(("base", "more"), [("x:y", ": the model keeps that of its base"), ("./x.gguf", "")])
def test_empty_system_does_not_clear_that_of_the_base(base: str, more: str) -> None:
    (one,) = diagnose(Modelfile.parse(Source(text=f'# For tests.\nFROM {base}\nSYSTEM ""\n')))
    assert one.message == f"empty SYSTEM has no effect{more}"


@pytest.mark.parametrize(
    "text",
    [
        'SYSTEM """You write Modelfiles, such as\nFROM ./x.gguf\nPARAMETER temperature 0.2\n"""',
        'SYSTEM """You help. An example:\nPARAMETER temperature 0.2\nIt makes answers sober."""',
    ],
)
def test_closed_text_may_show_instructions(text: str) -> None:
    modelfile = Modelfile.parse(Source(text=f"# For tests.\nFROM x:y\n{text}\n"))
    assert [one.name for one in lint(Context(modelfile=modelfile))] == []


def test_quotes_are_added_after_the_text_and_before_the_comment() -> None:
    text = '# For tests.\nFROM x:y\nSYSTEM "Be brief.\n\n# Sober.\nPARAMETER temperature 0.2\nPARAMETER stop "END"\n'
    modelfile = Modelfile.parse(Source(text=text))
    (one,) = (one for one in lint(Context(modelfile=modelfile)) if one.name == "swallowed-instruction")
    assert one.fix is not None
    assert text[: one.fix.edits[0].span.start].endswith("Be brief.")


@pytest.mark.parametrize("sign", [">>> ", "... ", "> ", "1. ", "$ "])
def test_from_behind_a_sign_is_not_called_missing(sign: str) -> None:
    (one,) = Modelfile.parse(Source(text=f"{sign}FROM x:y\nPARAMETER top_k 3\n")).diagnostics
    assert (
        one.message
        == f"unexpected {'line number' if sign[0] == '1' else f'`{sign.strip()}`'} before an instruction in line 1"
    )
