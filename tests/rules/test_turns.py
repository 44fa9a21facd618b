"""Cases of the rules that render conversations: turns, roles, newlines, and messages that get lost."""

import re

import pytest

from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Template

USER = "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n"
ANSWER = "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
EACH = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
HEAD = "<|im_start|>assistant\n"
GEMMA_HEAD = "<start_of_turn>model\n"
LLAMA_3 = (
    "<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{{ .Response }}<|eot_id|>"
)
GEMMA = (
    '{{ range .Messages }}<start_of_turn>{{ if eq .Role "assistant" }}model{{ else }}user{{ end }}\n'
    "{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n"
)
RULES = {
    "dropped-messages",
    "field-outside-guard",
    "missing-newline",
    "system-twice",
    "system-unguarded",
    "unclosed-turn",
    "unknown-role",
    "unopened-turn",
}


def parsed(template: str, *lines: str, base: str = "./weights.gguf") -> Modelfile:
    head = ["# For tests.", f"FROM {base}", *lines]
    return Modelfile.parse(Source(text="\n".join([*head, f'TEMPLATE """{template}"""', ""])))


def found(template: str, *lines: str, base: str = "./weights.gguf") -> list[tuple[str, str]]:
    """Return the names of the findings about turns, and the texts that they mark."""
    modelfile = parsed(template, *lines, base=base)
    diagnostics = lint(Context(modelfile=modelfile))
    return [(one.name, modelfile.text[one.span.start : one.span.end]) for one in diagnostics if one.name in RULES]


def fixed(template: str) -> str:
    modelfile, _ = apply_fixes(parsed(template), lambda each: lint(Context(modelfile=each)), unsafe=True)
    return modelfile.text.split('"""')[1]


@pytest.mark.parametrize(
    "template",
    [
        USER + ANSWER,
        USER + HEAD,
        "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}" + USER + ANSWER,
        EACH + HEAD,
        "{{ range .Messages }}{{ if ne .Role `system` }}x{{ end }}{{ .Content }}{{ end }}",
        GEMMA,
        "[INST] {{ .System }} {{ .Prompt }} [/INST] {{ .Response }}</s>",
        "[INST] <<SYS>>{{ if .System }}{{ .System }}{{ end }}<</SYS>>\n{{ .Prompt }} [/INST]",
        "<|user|>\n{{ .Prompt }}<|assistant|>\n",
        "User: {{ .Prompt }}\nAssistant: ",
        USER + "{{ if .Response }}" + ANSWER + "{{ else }}" + HEAD + "{{ end }}",
        EACH + HEAD + "<think>\n",
        "{{ broken",
        "{{ .Prompt | nothing }}",
        "{{ template `missing` }}{{ range .Messages }}{{ .Content }}{{ end }}",
    ],
)
def test_right_and_undecidable_templates_are_clean(template: str) -> None:
    assert found(template) == []


def test_windows_newlines_are_newlines() -> None:
    assert found((USER + ANSWER).replace("\n", "\r\n")) == []


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        (USER + "<|im_start|>assistant\n{{ .Response }}\n", ".Response"),
        (USER.replace("<|im_end|>", "") + ANSWER, ".Prompt"),
        (EACH.replace("<|im_end|>", "") + HEAD + "{{ if .System }}<|im_end|>{{ end }}", ".Content"),
        (
            '{{ range .Messages }}{{ if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
            '{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}\n{{ end }}{{ end }}' + HEAD,
            ".Content",
        ),
        ("<start_of_turn>user\n{{ .Prompt }}<end_of_turn>\n<start_of_turn>model\n{{ .Response }}\n", ".Response"),
        ("{{ if .System }}<|im_start|>system\n{{ .System }}\n{{ end }}" + USER + ANSWER, ".System"),
        (LLAMA_3.replace("user<|end_header_id|>", "user"), "<|start_header_id|>"),
    ],
)
def test_turns_without_an_end_are_reported(template: str, marked: str) -> None:
    assert found(template) == [("unclosed-turn", marked)]


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        (EACH, ".Content"),
        (USER, ".Prompt"),
        ("<start_of_turn>user\n{{ .Prompt }}<end_of_turn>\n", ".Prompt"),
        ("[INST] {{ .Prompt }}", ".Prompt"),
        (EACH + "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n", ".Response"),
        ("{{ .Prompt }} [/INST]", ".Prompt"),
        (USER.replace("<|im_start|>user\n", "user\n") + ANSWER, ".Prompt"),
    ],
)
def test_prompts_that_do_not_end_with_an_open_answer_are_reported(template: str, marked: str) -> None:
    assert found(template) == [("unopened-turn", marked)]


def test_user_turn_that_only_the_first_question_has_is_named() -> None:
    template = "{{ if .System }}<s>[INST] {{ .System }}\n\n{{ end }}{{ .Prompt }} [/INST]"
    (one,) = (one for one in lint(Context(modelfile=parsed(template))) if one.name == "unopened-turn")
    assert one.message == "TEMPLATE opens only the first user's turn: before each later question `[INST]` is missing"


def test_unknown_variable_for_the_answer_explains_that_its_turn_is_closed() -> None:
    template = USER + ANSWER.replace(".Response", ".Output")
    names = {one.name for one in lint(Context(modelfile=parsed(template)))}
    assert "template-unknown-variable" in names
    assert "unopened-turn" not in names


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{{ .System }}" + EACH + HEAD, [("system-twice", ".System")]),
        (
            "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}" + EACH + HEAD,
            [("system-twice", ".System")],
        ),
        ("{{ .System }}{{ .Prompt }}{{ .System }}", [("system-twice", ".System")]),
        (
            "{{ .System }}"
            + EACH.replace(
                "{{ range .Messages }}", '{{ range .Messages }}{{ if eq .Role "system" }}{{ continue }}{{ end }}'
            )
            + HEAD,
            [],
        ),
    ],
)
def test_a_system_prompt_that_is_sent_twice_is_reported(template: str, marked: list[tuple[str, str]]) -> None:
    assert found(template) == marked


@pytest.mark.parametrize(
    ("template", "right"),
    [
        (
            "<|im_start|>system\n{{ .System }}<|im_end|>\n" + USER,
            "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}" + USER,
        ),
        (
            "[INST] <<SYS>>{{ .System }}<</SYS>>\n{{ .Prompt }} [/INST]",
            "[INST] {{ if .System }}<<SYS>>{{ .System }}<</SYS>>\n{{ end }}{{ .Prompt }} [/INST]",
        ),
        (
            "<|system|>\n{{ .System }}</s>\n<|user|>\n{{ .Prompt }}</s>\n<|assistant|>\n",
            "{{ if .System }}<|system|>\n{{ .System }}</s>\n{{ end }}<|user|>\n{{ .Prompt }}</s>\n<|assistant|>\n",
        ),
    ],
)
def test_an_empty_system_turn_is_guarded(template: str, right: str) -> None:
    assert ("system-unguarded", ".System") in found(template)
    assert fixed(template).startswith(right.rstrip("\n"))


@pytest.mark.parametrize(
    "template",
    [
        "{{ .System }}\n{{ .Prompt }}",
        "<start_of_turn>user\n{{ .System }}\n{{ .Prompt }}<end_of_turn>\n<start_of_turn>model\n",
        "[INST] {{ .System }} {{ .Prompt }} [/INST]",
        "<|im_start|>system\nYou are kind. {{ .System }}" + USER,
    ],
)
def test_a_system_prompt_without_a_turn_of_its_own_needs_no_guard(template: str) -> None:
    assert ("system-unguarded", ".System") not in found(template)


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ('{{ range .Messages }}{{ if eq .Role "human" }}{{ .Content }}{{ end }}{{ end }}', '"human"'),
        (
            '{{ range .Messages }}{{ if eq .Role "model" }}A{{ end }}{{ .Content }}{{ end }}',
            '"model"',
        ),
        ('{{ range $m := .Messages }}{{ if eq $m.Role "assitant" }}A{{ end }}{{ .Content }}{{ end }}', '"assitant"'),
        (
            '{{ range .Messages }}{{ if or (eq .Role "tool") (eq .Role "function") }}T{{ end }}{{ .Content }}{{ end }}',
            None,
        ),
        ('{{ range .Messages }}{{ if eq .Role "developer" "ipython" }}T{{ end }}{{ .Content }}{{ end }}', None),
        (
            EACH.replace("<|im_start|>", "<start_of_turn>").replace("<|im_end|>", "<end_of_turn>") + GEMMA_HEAD,
            ".Role",
        ),
        (
            "<start_of_turn>user\n{{ .Prompt }}<end_of_turn>\n<start_of_turn>assistant\n{{ .Response }}<end_of_turn>\n",
            "assistant",
        ),
        (USER.replace(">user", ">usr") + ANSWER, "usr"),
        (USER + ANSWER.replace("assistant", "user"), "user"),
        (USER.replace(">user", ">assistant") + ANSWER, "assistant"),
        (USER.replace(">user", ">anna") + ANSWER, None),
        (USER.replace(">user", ">human") + ANSWER, None),
        (
            LLAMA_3.replace("user", "human"),
            "human",
        ),
        (
            "<start_of_turn>system\n{{ .System }}<end_of_turn>\n<start_of_turn>user\n{{ .Prompt }}<end_of_turn>\n",
            "system",
        ),
    ],
)
def test_unknown_roles_are_reported(template: str, marked: str | None) -> None:
    assert [text for name, text in found(template) if name == "unknown-role"] == ([marked] if marked else [])


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        (USER.replace("user\n", "user ") + ANSWER, "<|im_start|>user"),
        (USER + HEAD.rstrip(), "<|im_start|>assistant"),
        (
            LLAMA_3.replace("\n\n{{ .Prompt", "\n{{ .Prompt"),
            "<|start_header_id|>user<|end_header_id|>",
        ),
        ("<start_of_turn>user {{ .Prompt }}<end_of_turn>\n<start_of_turn>model\n", "<start_of_turn>user"),
        ("{{ range .Messages }}<|im_start|>{{ .Role }} {{ .Content }}<|im_end|>\n{{ end }}" + HEAD, ".Role"),
    ],
)
def test_missing_newlines_are_reported(template: str, marked: str) -> None:
    assert found(template) == [("missing-newline", marked)]


def test_newline_after_spaces_is_not_missing() -> None:
    assert found(USER.replace("user\n", "user \n") + ANSWER) == []


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            '{{ range .Messages }}{{ if eq .Role "user" }}{{ .Content }}{{ end }}{{ end }}',
            "the model's earlier answers are",
        ),
        (
            '{{ range .Messages }}{{ if eq .Role "assistant" }}{{ .Content }}{{ end }}{{ end }}',
            "the user's messages are",
        ),
        (
            "{{ range $i, $m := .Messages }}{{ if eq (len (slice $.Messages $i)) 1 }}{{ .Content }}{{ end }}{{ end }}",
            "the model's earlier answers are",
        ),
        ("{{ range slice .Messages 1 }}{{ .Content }}{{ end }}", "earlier messages are"),
        (
            '{{ .Tools }}{{ range .Messages }}{{ .ToolCalls }}{{ if ne .Role "tool" }}{{ .Content }}{{ end }}{{ end }}',
            "the results of tools are",
        ),
    ],
)
def test_messages_that_are_left_out_are_reported(template: str, message: str) -> None:
    (one,) = (one for one in lint(Context(modelfile=parsed(template))) if one.name in RULES)
    assert one.message == f"{message} never sent: this TEMPLATE leaves them out"


TOOLS_HEAD = '{{ .Tools }}{{ range .Messages }}{{ if eq .Role "user" }}{{ .Content }}\n'
TOOLS_RESULT = '{{ else if eq .Role "tool" }}{{ .Content }}{{ end }}{{ end }}'
TOOLS_ANSWER = '{{ else if eq .Role "assistant" }}{{ .Content }}'


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (f"{TOOLS_HEAD}{TOOLS_ANSWER}\n{{{{ end }}}}{{{{ end }}}}", [(1, "calls"), (2, "results")]),
        (f"{TOOLS_HEAD}{TOOLS_ANSWER}{TOOLS_RESULT}", [(1, "calls")]),
        (f"{TOOLS_HEAD}{TOOLS_ANSWER}{{{{ .ToolCalls }}}}\n{{{{ end }}}}{{{{ end }}}}", [(2, "results")]),
        ("{{ .Tools }}{{ json .Messages }}", []),
        ("{{ .Tools }}{{ range .Messages }}{{ json . }}{{ end }}", []),
        ("{{ .Tools }}{{ range .Messages }}{{ .Content }}{{ end }}", [(0, "calls")]),
        ("{{ range .Messages }}{{ .Content }}{{ end }}", []),
    ],
)
def test_calls_and_results_of_tools_are_looked_for(template: str, expected: list[tuple[int, str]]) -> None:
    """The lines are counted from that of TEMPLATE."""
    modelfile = parsed(template)
    start = modelfile.source.line_of(modelfile.of_type(Template)[0].span.start)
    found = [one for one in lint(Context(modelfile=modelfile)) if one.name == "dropped-messages"]
    words = [re.search("calls|results", one.message) for one in found]
    assert [
        (modelfile.source.line_of(one.span.start) - start, word[0] if word else "")
        for one, word in zip(found, words, strict=True)
    ] == expected


def test_a_system_prompt_that_is_left_out_is_reported_if_there_is_one() -> None:
    template = '{{ range .Messages }}{{ if ne .Role "system" }}{{ .Content }}{{ end }}{{ end }}'
    assert found(template) == []
    (one,) = (one for one in lint(Context(modelfile=parsed(template, "SYSTEM Be brief."))) if one.name in RULES)
    assert one.message == "SYSTEM is never sent: the TEMPLATE in line 4 leaves out messages of the role `system`"


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{{ if .System }}<|im_start|>system\n{{ end }}{{ .System }}<|im_end|>\n" + USER + ANSWER, ".System"),
        ("{{ if .Prompt }}<|im_start|>user\n{{ end }}{{ .Prompt }}<|im_end|>\n" + ANSWER, ".Prompt"),
        ("{{ if .System }}You follow this: {{ end }}{{ if .System }}{{ .System }}{{ end }}" + USER + ANSWER, None),
        ("{{ if .System }}{{ else }}Be kind.{{ end }}{{ .System }}" + USER + ANSWER, None),
        ("{{ if .System }}\n{{ end }}{{ .System }}" + USER + ANSWER, None),
        ("{{ if .Prompt }}Q{{ else }}A{{ end }}{{ .Prompt }}", None),
    ],
)
def test_a_guard_that_covers_only_the_head_is_reported(template: str, marked: str | None) -> None:
    assert found(template) == ([("field-outside-guard", marked)] if marked else [])


@pytest.mark.parametrize("base", ["qwen3:8b", "gemma3:4b"])
def test_foreign_markers_explain_all_else(base: str) -> None:
    template = "<|start_header_id|>system<|end_header_id|>\n\n{{ .System }}<|eot_id|>{{ .Prompt }}"
    assert found(template, base=base) == []
