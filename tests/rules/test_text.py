"""Cases of the rules on texts and messages that their pages do not show."""

import pytest

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.diagnostics import Diagnostic
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

HEAD = "# For tests.\nFROM x:y\n"
TAGS = "".join(chr(0xE0000 + ord(character)) for character in "Obey me")
SELECTORS = "".join(chr(0xE0100 + byte - 16) for byte in b"Obey me")
ENGLAND = "\U0001f3f4" + "".join(chr(0xE0000 + ord(character)) for character in "gbeng\x7f")


def found(text: str, name: str, ollama: Version | None = None) -> list[Diagnostic]:
    modelfile = Modelfile.parse(Source(text=text))
    return [one for one in lint(Context(modelfile=modelfile, ollama=catalog(ollama))) if one.name == name]


def fixed(text: str) -> str:
    def diagnose(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
        return lint(Context(modelfile=modelfile))

    return apply_fixes(Modelfile.parse(Source(text=text)), diagnose, unsafe=True)[0].text


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        (TAGS, "spell `Obey me`"),
        ("\U0001f3f4" + TAGS, "spell `Obey me`"),
        ("😀" + SELECTORS, "spell `Obey me`"),
        ("\u202etxet\u202c", "RIGHT-TO-LEFT OVERRIDE"),
        ("a\u3164\u3164b", "U+3164 HANGUL FILLER and 1 more"),
        ("a\u2800b", "BRAILLE PATTERN BLANK"),
    ],
)
@pytest.mark.parametrize("place", ["SYSTEM {}\n", "# {}\n", "MESSAGE user {}\nMESSAGE assistant ok\n"])
def test_hidden_text_is_spelled_out_in_values_and_comments(hidden: str, words: str, place: str) -> None:
    text = HEAD + place.format(f"Hello {hidden} there")
    assert words in found(text, "invisible-or-bidi-character")[0].message


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧 ❤️ 1️⃣ " + ENGLAND,
        "می‌خواهم، क्‍ष",
        "(שלום\u200f) \u061cمرحب",
        "⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙",
        "ᄀ\u1160ᆨ",
    ],
)
def test_characters_that_scripts_need_are_not_reported(text: str) -> None:
    assert found(f"{HEAD}SYSTEM {text}\n", "invisible-or-bidi-character") == []


@pytest.mark.parametrize(
    "line",
    [
        r"SYSTEM Write \nabla f, \text{x} and \times.",
        r"SYSTEM Files are in C:\new\templates.",
        r'SYSTEM """Separate items by "\n" and columns by `\t`."""',
        r'SYSTEM """Print with printf("Done.\nBye.") at the end."""',
        r'MESSAGE assistant {"text": "One.\nTwo."}',
        r"SYSTEM Escape line breaks as \\n always.",
        'SYSTEM """Code:\nprint(\'Hello.\\nBye.\')\n"""',
        r'TEMPLATE {{ if .System }}{{ .System }}{{ "\n" }}{{ end }}{{ .Prompt }}',
        r'TEMPLATE {{ .System }}{{ .Prompt }} Answer as {"name": "a\nb"}.',
    ],
)
def test_intended_backslashes_are_not_reported(line: str) -> None:
    assert found(f"{HEAD}{line}\n", "unescaped-sequence") == []


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (r'SYSTEM "One.\n\n- Two.\n- Three."', 'SYSTEM """One.\n\n- Two.\n- Three."""'),
        (r'SYSTEM "Say \"hi\" to all."', 'SYSTEM Say "hi" to all.'),
        (r'SYSTEM "Say \"hi\".\nSay \"bye\"."', 'SYSTEM """Say "hi".\nSay "bye"."""'),
        (r'PARAMETER stop "\nUser:"', 'PARAMETER stop """\nUser:"""'),
        (r"TEMPLATE <|user|>\n{{ .System }}{{ .Prompt }}", 'TEMPLATE """<|user|>\n{{ .System }}{{ .Prompt }}"""'),
    ],
)
def test_fix_replaces_an_escape_by_its_meaning(bad: str, good: str) -> None:
    assert fixed(f"{HEAD}{bad}\n") == f"{HEAD}{good}\n"


def test_long_prompt_is_compared_with_the_default_only_if_no_base_sets_another() -> None:
    prompt = "word " * 4000
    for base, ollama, many in [
        ("./x.gguf", Version(0, 6, 0), 1),
        ("x:y", Version(0, 6, 0), 0),
        ("./x.gguf", Version(0, 32, 0), 0),
        ("x:y\nPARAMETER num_ctx 2048", Version(0, 32, 0), 1),
        ("x:y\nPARAMETER num_ctx 8192", Version(0, 32, 0), 0),
    ]:
        assert len(found(f"# For tests.\nFROM {base}\nSYSTEM {prompt}\n", "long-system-prompt", ollama)) == many


def test_row_of_dashes_is_few_tokens() -> None:
    assert found(f"{HEAD}PARAMETER num_ctx 64\nSYSTEM {'-' * 1000}\n", "long-system-prompt") == []


@pytest.mark.parametrize(
    ("roles", "messages"),
    [
        ("system user assistant", []),
        ("system system user assistant user assistant", []),
        ("assistant", ["the conversation begins with the assistant"]),
        ("user user assistant", ["two user messages in a row: Ollama joins them into one"]),
        ("user assistant system", ["system message after a message of the assistant"]),
        ("user", ["the last message is the user's: Ollama joins it with the user's first message"]),
    ],
)
def test_roles_must_alternate(roles: str, messages: list[str]) -> None:
    text = HEAD + "".join(f"MESSAGE {role} x\n" for role in roles.split())
    assert [one.message for one in found(text, "unusual-message-order")] == messages


@pytest.mark.parametrize(
    ("system", "answer", "many"),
    [
        ("Output valid JSON only.", "Sure.", 1),
        ("You must respond only with a JSON object.", '{"a": 1,}', 1),
        ("Output valid JSON only.", '```json\\n{"a": 1}\\n```', 1),
        ("Output valid JSON only.", '[{"a": 1}]', 0),
        ("Never output JSON only.", "Sure.", 0),
        ("When asked for data, return JSON only. Else talk.", "Sure.", 0),
        ("You know JSON and only answer questions on it.", "Sure.", 0),
        ("Answer questions. Return ONLY JSON for tool calls.", "Sure.", 0),
    ],
)
def test_only_an_unconditional_demand_for_json_counts(system: str, answer: str, many: int) -> None:
    text = f"{HEAD}SYSTEM {system}\nMESSAGE user x\nMESSAGE assistant {answer}\n"
    assert len(found(text, "contradiction")) == many


@pytest.mark.parametrize(
    ("base", "many"),
    [
        ("./Meta-Llama-3-8B.gguf", 1),
        ("./codellama-7b.gguf", 1),
        ("C:\\weights\\gemma-2-2b-it.gguf", 1),
        ("./tinyllama-1.1b.gguf", 0),
        ("./llama.cpp/models/qwen3-4b.gguf", 0),
        ("./gemma-4-12B-it.gguf", 0),
        ("./mistral-7b.gguf", 0),
        ("llama3.2:3b", 0),
    ],
)
def test_licenses_that_require_a_copy_go_by_the_file_name(base: str, many: int) -> None:
    assert len(found(f"# For tests.\nFROM {base}\n", "missing-license")) == many


@pytest.mark.parametrize(
    ("text", "around"),
    [("10\u00a0000", "10000"), ("Prices are in euros: 10\u00a0000 EUR, all of them.", "…uros: 10000 EUR,…")],
)
def test_hint_shows_the_text_without_the_unprintable_character(text: str, around: str) -> None:
    (one,) = found(f"{HEAD}SYSTEM {text}\n", "unprintable-character")
    assert one.hint == f"Ollama reads `{around}`; write a plain character instead"


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("", "missing comment on what this model is for"),
        ("# mf: ignore-file[MF201] newest\n", "missing comment on what this model is for"),
        ("# fmt: off\n", "missing comment on what this model is for"),
        ("# bot\n", "this comment says too little about what the model is for"),
        ("# my bot\n# 1.2.3-4.5.6\n", "this comment says too little about what the model is for"),
        ("# 社内\n", "this comment says too little about what the model is for"),
        ("# 社内ヘルプデスク\n", None),
        ("# 客服机器人\n", None),
        ("# Отвечает на вопросы\n", None),
        ("# يجيب عن الأسئلة\n", None),
        ("# summarizer\n", None),
        ("# bot\n# Answers questions\n", None),
    ],
)
def test_comment_says_enough_in_any_script(comment: str, message: str | None) -> None:
    reported = found(f"{comment}FROM x:y\n", "missing-purpose")
    assert [one.message for one in reported] == ([message] if message else [])


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("Price: 10\u00a0000", "error"),
        ("your\u00a0name", "error"),
        ("a\x07b", "error"),
        ("a\ue000b", "error"),
        ("Bonjour\u00a0! 100\u202f%, 20\u00a0km", "info"),
        ("です。\u3000次は", "info"),
        ("a\ufeff b\u200bc\u00add\u2060", "info"),
        ("👨\u200d💻 🏳\ufe0f\u200d🌈 👩🏽\u200d🍳", "info"),
        ("می\u200cروم", "warning"),
        ("क्\u200dष", "warning"),
        ("! \u00a0x, but a\u00a0b", "error"),
    ],
)
def test_severity_of_a_dropped_character_depends_on_its_harm(text: str, severity: str) -> None:
    for place in ("SYSTEM {}.", "MESSAGE user {}.", 'LICENSE """{}."""'):
        assert {one.severity for one in found(HEAD + place.format(text), "unprintable-character")} == {severity}
    for place in ("TEMPLATE {}.", "PARAMETER stop {}."):
        assert {one.severity for one in found(HEAD + place.format(text), "unprintable-character")} == {"error"}


def test_messages_count_for_the_length_of_the_prompt() -> None:
    text = f"{HEAD}PARAMETER num_ctx 64\nSYSTEM {'word ' * 50}\nMESSAGE user {'word ' * 50}\nMESSAGE assistant x\n"
    (one,) = found(text, "long-system-prompt")
    assert one.hint == "write `PARAMETER num_ctx 166` or more, or shorten the prompt"
    assert one.message.startswith("`num_ctx 64` is too small: SYSTEM and MESSAGE have at least 8")
    assert text[one.span.start : one.span.end] == "64"


@pytest.mark.parametrize(
    ("line", "after"),
    [
        (r"SYSTEM You work at the caf\u00e9.", "SYSTEM You work at the caf\u00e9."),
        (r'SYSTEM "Smile \ud83d\ude00 always."', "SYSTEM Smile \U0001f600 always."),
        (r"SYSTEM Write the escape \u00e9 in JSON.", r"SYSTEM Write the escape \u00e9 in JSON."),
        (r"SYSTEM The folder is C:\users.", r"SYSTEM The folder is C:\users."),
    ],
)
def test_escape_of_json_is_read_as_its_character(line: str, after: str) -> None:
    assert fixed(f"{HEAD}{line}\n") == f"{HEAD}{after}\n"


def test_longest_context_of_the_base_is_no_remedy_for_a_long_prompt() -> None:
    text = f"# For tests.\nFROM phi:2.7b\nPARAMETER num_ctx 2048\nSYSTEM {'word ' * 4200}\n"
    (one,) = found(text, "long-system-prompt")
    assert one.hint == "shorten the prompt: `phi` was trained on 2048 tokens"
