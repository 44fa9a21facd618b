"""Rules on what other programs leave in a Modelfile: conflicts, shells, consoles, word processors, other alphabets."""

from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

HEAD = "# For tests.\nFROM x:y\n"
SHELL = "shell-remains"


def lint_text(text: str) -> list[Diagnostic]:
    return [*lint(Context(modelfile=Modelfile.parse(Source(text=text))))]


def lines(text: str) -> list[tuple[str, int]]:
    """Return the name and line of each finding."""
    source = Source(text=text)
    return [(one.name, source.line_of(one.span.start)) for one in lint_text(text)]


def fixed(text: str) -> str:
    def diagnose(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
        return lint(Context(modelfile=modelfile))

    return apply_fixes(Modelfile.parse(Source(text=text)), diagnose, unsafe=True)[0].text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEAD}<<<<<<< HEAD\nSYSTEM a\n=======\n>>>>>>> b\n", [("conflict-markers", 3)]),
        (f"{HEAD}<<<<<<< HEAD\n||||||| base\nSYSTEM a\n=======\n>>>>>>> b\n", [("conflict-markers", 3)]),
        (f"{HEAD}SYSTEM a\n>>>>>>> b\n", [("conflict-markers", 4)]),
        (f"{HEAD}<<<<<<< a\n=======\n>>>>>>> b\n" * 2, [("conflict-markers", 3), ("conflict-markers", 8)]),
        (f'{HEAD}SYSTEM """a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> d\ne"""\n', [("conflict-markers", 4)]),
        (f'{HEAD}SYSTEM """a\n=======\nb\n<<<<<<<<<<\nc"""\n', []),
    ],
)
def test_merge_conflict_is_one_finding(text: str, expected: list[tuple[str, int]]) -> None:
    assert [one for one in lines(text) if one[0] != "duplicate-instruction" and one[0] != "multiple-from"] == expected


@pytest.mark.parametrize("subject", ["You resolve conflicts.", "Say what to merge:", "You teach Git."])
def test_prompt_about_conflicts_may_show_one(subject: str) -> None:
    assert lines(f'{HEAD}SYSTEM """{subject}\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> d\ne"""\n') == []


def test_merge_conflict_in_a_text_is_a_warning_and_names_its_markers() -> None:
    (found,) = lint_text(f'{HEAD}SYSTEM """a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> d\ne"""\n')
    assert found.severity is Severity.WARNING
    assert found.message == "unresolved merge conflict: lines 4 to 8 contain both versions"
    assert found.hint == "keep one version, and delete the markers in lines 4, 6 and 8"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{HEAD}SYSTEM """a"""\n```\n', "unexpected Markdown fence"),
        (f"{HEAD}SYSTEM a\nEOF\n", "unexpected end of a heredoc: `EOF`"),
        (f"cat > Modelfile << 'EOF'\n{HEAD}", "unexpected shell command: `cat > Modelfile << 'EOF'`"),
        (f"cat <<EOF > Modelfile\n{HEAD}", "unexpected shell command: `cat <<EOF > Modelfile`"),
        (
            f"{HEAD}SYSTEM a\n\nollama create bot -f Modelfile\n",
            "unexpected shell command: `ollama create bot -f Modelfile`",
        ),
        (f"$ cat Modelfile\n{HEAD}", "unexpected shell prompt: `$ cat Modelfile`"),
        (f"{HEAD}root@host:~/bot# ollama run bot\n", "unexpected shell prompt: `root@host:~/bot# ollama run bot`"),
        (
            f"{HEAD}PS C:\\Users\\anna> ollama run bot\n",
            "unexpected shell prompt: `PS C:\\Users\\anna> ollama run bot`",
        ),
        (f"{HEAD}>>> Send a message (/? for help)\n", "unexpected shell prompt: `>>> Send a message (/? for help)`"),
        (
            f"transferring model data\nusing existing layer sha256:00\nsuccess\n{HEAD}",
            "unexpected log lines of a console in lines 1 to 3",
        ),
        (f"{HEAD}Error: invalid model name\n", "unexpected log line of a console: `Error: invalid model name`"),
        (
            f"{HEAD}time=2025-01-01T00:00:00Z level=INFO\n",
            "unexpected log line of a console: `time=2025-01-01T00:00:00Z level=INFO`",
        ),
        (
            f"diff --git a/Modelfile b/Modelfile\nindex 0123456..89abcde\n{HEAD}",
            "unexpected lines of a patch in lines 1 to 2",
        ),
        (f"{HEAD}:wq\n", "unexpected line of an editor: `:wq`"),
        (
            f"{HEAD}/set parameter num_thread 8\n",
            "unexpected command of the prompt of `ollama run`: `/set parameter num_thread 8`",
        ),
        ("# For tests.\n> FROM x:y\n> PARAMETER seed 1\n", "unexpected `>` before an instruction in line 2 and 1 more"),
        (
            "# For tests.\n1 FROM x:y\n2 PARAMETER seed 1\n",
            "unexpected line number before an instruction in line 2 and 1 more",
        ),
    ],
)
def test_remains_of_a_shell_are_named_once(text: str, message: str) -> None:
    found = [one for one in lint_text(text) if one.severity is Severity.ERROR and one.name != "missing-from"]
    assert [(one.name, one.message) for one in found] == [
        (SHELL, message.replace("lines of a patch", "lines of a patch"))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"```dockerfile\n{HEAD}```\n", {1: "Markdown fence", 4: "Markdown fence"}),
        (f'```\n{HEAD}SYSTEM """a"""\n```\n', {1: "Markdown fence", 5: "Markdown fence"}),
        (
            "# For tests.\nFROM x:y\n-PARAMETER top_k 1\n+PARAMETER top_k 2\n",
            {3: "`-` before an instruction", 4: "`+` before an instruction"},
        ),
    ],
)
def test_remains_on_distant_lines_are_reported_at_each(text: str, expected: dict[int, str]) -> None:
    source = Source(text=text)
    found = {source.line_of(one.span.start): one.message for one in lint_text(text) if one.name == SHELL}
    assert found.keys() == expected.keys()
    assert all(words in found[line] for line, words in expected.items())


@pytest.mark.parametrize(
    ("text", "name", "first", "last"),
    [
        (f"{HEAD}<<<<<<< HEAD\nSYSTEM a\n=======\n>>>>>>> b\n", "conflict-markers", 3, 6),
        (f'{HEAD}SYSTEM """a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> d\ne"""\n', "conflict-markers", 4, 8),
        (f"{HEAD}SYSTEM <<EOF\nBe brief.\nEOF\n", "unexpanded-reference", 3, 5),
        (f"transferring model data\nsuccess\n{HEAD}", SHELL, 1, 2),
        (f"cat <<EOF > Modelfile\n{HEAD}EOF\n", SHELL, 1, 4),
    ],
)
def test_finding_on_adjacent_lines_covers_them(text: str, name: str, first: int, last: int) -> None:
    source = Source(text=text)
    (found,) = (one for one in lint_text(text) if one.name == name)
    assert (source.line_of(found.span.start), source.line_of(found.span.end)) == (first, last)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (f"```dockerfile\n{HEAD}```\n", HEAD),
        (f"cat <<EOF > Modelfile\n{HEAD}EOF\nollama create bot\n", HEAD),
        ("# For tests.\n> FROM x:y\n> PARAMETER seed 1\n", "# For tests.\nFROM x:y\nPARAMETER seed 1\n"),
        ("# For tests.\n1: FROM x:y\n2: PARAMETER seed 1\n", "# For tests.\nFROM x:y\nPARAMETER seed 1\n"),
    ],
)
def test_fix_deletes_the_remains(text: str, after: str) -> None:
    assert fixed(text) == after


def test_text_that_continues_is_no_remain_of_a_shell() -> None:
    text = f"{HEAD}SYSTEM You help.\nUse these commands:\n$ ls\ncat file.txt\n"
    assert lines(text) == [("unknown-instruction", 4)]


@pytest.mark.parametrize("word", ["TAGS", "DESCRIPTION", "EMBEDDING", "RESPONSE_FORMAT", "CATEGORY"])
@pytest.mark.parametrize("above", ["", "SYSTEM a\n", 'SYSTEM """a\nb"""\n', "SYSTEM a\nb c d\n", "MESSAGE user a\n"])
def test_line_that_is_written_like_an_instruction_is_reported_each_time(word: str, above: str) -> None:
    text = f"{HEAD}{above}{word} chat\n{word} code\n"
    first = text.count("\n") - 1
    assert {("unknown-instruction", first), ("unknown-instruction", first + 1)} <= {*lines(text)}


REFERENCES = """
@prompt.txt
@./prompts/billing.md
${SYSTEM_PROMPT}
$SYSTEM_PROMPT
$(cat prompt.txt)
`cat prompt.txt`
./prompt.txt
../prompts/system.md
/etc/ollama/prompt.txt
~/prompt.md
C:\\prompts\\a.txt
prompts/system.txt
system_prompt.md
<<EOF
{{ file "prompt.txt" }}
{{ system_prompt }}
%PROMPT%
$env:PROMPT
file://prompt.txt
file://prompt
< prompt.txt
<%= prompt %>
{% include 'a.md' %}
"./my prompt.txt"
"""


@pytest.mark.parametrize("value", REFERENCES.strip().splitlines())
def test_reference_as_a_whole_value_is_not_expanded(value: str) -> None:
    assert lines(f"{HEAD}SYSTEM {value}\n") == [("unexpanded-reference", 3)]


@pytest.mark.parametrize(
    "line", ["MESSAGE system file://training/train.txt", "MESSAGE system prompts/base.md", "MESSAGE user file:///a.txt"]
)
def test_reference_as_a_whole_message_is_not_expanded(line: str) -> None:
    answer = "" if " system " in line else "MESSAGE assistant Read.\n"
    assert lines(f"{HEAD}{line}\n{answer}") == [("unexpanded-reference", 3)]


@pytest.mark.parametrize(
    "line",
    [
        "SYSTEM /no_think",
        "SYSTEM Be brief.",
        "SYSTEM You read README.md",
        "MESSAGE user README.md\nMESSAGE assistant main.py",
        "MESSAGE user Print my home.\nMESSAGE assistant $HOME",
        "MESSAGE user Which shell?\nMESSAGE assistant /bin/sh",
        "TEMPLATE {{ .Prompt }}",
        "LICENSE MIT",
        "LICENSE Apache-2.0",
        "SYSTEM You write bash; `${PATH}` is a variable.",
        'SYSTEM Values such as "changeme", "xxx" or ${DB_PASSWORD} are no secrets.',
        "SYSTEM Replace ${NAME} by the name of the customer.",
        "SYSTEM Leave ${NAME} as it is.",
        "SYSTEM Prices are in $.",
        "SYSTEM @anna is the user.",
    ],
)
def test_text_is_no_reference(line: str) -> None:
    assert "unexpanded-reference" not in {name for name, _ in lines(f"{HEAD}{line}\n")}


def test_heredoc_is_one_finding_where_it_starts() -> None:
    assert lines(f"{HEAD}SYSTEM <<EOF\nYou answer questions.\nBe brief.\nEOF\nPARAMETER top_k 5\n") == [
        ("unexpanded-reference", 3)
    ]


def test_variable_inside_a_prompt_is_not_expanded() -> None:
    assert lines(f"{HEAD}SYSTEM You work for ${{COMPANY_NAME}}.\n") == [("unexpanded-reference", 3)]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("FR\u041eM x:y\n", "FROM x:y\n"),
        ("FROM x:y\nPARAMETER t\u0435mperature 1\n", "FROM x:y\nPARAMETER temperature 1\n"),
        ("FROM x:y\nMESSAGE us\u0435r a\nMESSAGE assistant b\n", "FROM x:y\nMESSAGE user a\nMESSAGE assistant b\n"),
        ("FROM x:y\nS\u03a5STEM a\n", "FROM x:y\nSYSTEM a\n"),
        ("FROM ll\u0430ma3.2:3b\n", "FROM llama3.2:3b\n"),
        ("FROM x:y\nPARAMETER stop <|im_\u0435nd|>\n", "FROM x:y\nPARAMETER stop <|im_end|>\n"),
        ("\uff26\uff32\uff2f\uff2d x:y\n", "FROM x:y\n"),
    ],
)
def test_letter_of_another_script_is_named_and_replaced(text: str, after: str) -> None:
    text, after = f"# For tests.\n{text}", f"# For tests.\n{after}"
    (found,) = lint_text(text)
    assert found.name == "homoglyph"
    assert " (U+" in found.message
    assert fixed(text) == after


@pytest.mark.parametrize(
    "line",
    [
        "FROM ./\u0441\u043e\u043a.gguf",
        "PARAMETER stop \u0412\u043e\u043f\u0440\u043e\u0441:",
        "SYSTEM \u0421\u0430\u043c",
    ],
)
def test_words_of_another_script_are_no_homoglyphs(line: str) -> None:
    assert "homoglyph" not in {name for name, _ in lines(f"FROM x:y\n{line}\n")}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("MESSAGE assistant \xabel gato\xbb", "typographic-quotes"),
        ("MESSAGE assistant \u201eDie Verwandlung\u201c", "typographic-quotes"),
        (
            'SYSTEM TODO lists are your job: read the text, and write "TODO:" before each task. XXX counts.',
            "placeholder",
        ),
        ("SYSTEM Lorem ipsum is what you write for mock-ups.", "placeholder"),
        ("SYSTEM You correct mojibake: \xc3\xbc becomes \xfc, \xe2\u20ac\u2122 becomes \u2019.", "mojibake"),
    ],
)
def test_texts_about_mistakes_are_none(line: str, name: str) -> None:
    assert name not in {each for each, _ in lines(f"{HEAD}{line}\n")}


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("PARAMETER stop \u201cEND\u201d", 'PARAMETER stop "END"'),
        ("SYSTEM \u201eSei kurz.\u201c", 'SYSTEM "Sei kurz."'),
        ("SYSTEM \xabSois bref.\xbb", 'SYSTEM "Sois bref."'),
        ("SYSTEM \u2018Be brief, it\u2019s late.\u2019", 'SYSTEM "Be brief, it\u2019s late."'),
        ("SYSTEM \u201c\u201c\u201cBe brief.\u201d\u201d\u201d", 'SYSTEM "Be brief."'),
        ("SYSTEM \u201cBe brief.\nBe kind.\u201d", 'SYSTEM """Be brief.\nBe kind."""'),
    ],
)
def test_typographic_quotes_around_a_value_become_straight(line: str, after: str) -> None:
    text = f"{HEAD}{line}\n"
    assert lines(text) == [("typographic-quotes", 3)]
    assert fixed(text) == f"{HEAD}{after}\n"


@pytest.mark.parametrize(
    "line",
    [
        "SYSTEM \u201cYes\u201d is an answer, and so is \u201cno\u201d",
        'SYSTEM "\u201cTo be\u201d"',
        "SYSTEM Say \u201cyes\u201d",
    ],
)
def test_typographic_quotes_in_a_text_stay(line: str) -> None:
    assert lines(f"{HEAD}{line}\n") == []


def test_utf_16_without_a_byte_order_mark_is_one_finding() -> None:
    text = f"{HEAD}SYSTEM Be brief.\n".encode("utf-16-le").decode("utf-8")
    assert ("mojibake", 1) in lines(text)
    assert {name for name, _ in lines(text)} <= {"mojibake", "missing-purpose"}


def test_utf_16_without_a_byte_order_mark_is_named_where_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_bytes(HEAD.encode("utf-16-le"))
    ran = mf("lint", "Modelfile", cwd=tmp_path)
    assert "`Modelfile` is UTF-16 without a byte order mark" in ran.err
