"""One defect gives one finding: the findings that follow from another one are left out."""

import pytest

from modelfile import lint

HEAD = "# For tests.\nFROM llama3.2:3b\n"
CHATML = (
    'TEMPLATE """\n<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"""\n'
)


def names(text: str) -> list[str]:
    return [one.name for one in lint(text)]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}<<<<<<< HEAD\nSYSTEM You answer.\n=======\nSYSTEM You help.\n>>>>>>> b\n",
        f"{HEAD}<<<<<<< HEAD\nPARAMETER num_ctx 512\n=======\nPARAMETER num_ctx 768\n>>>>>>> b\n",
        "# For tests.\n<<<<<<< HEAD\nFROM llama3.2:3b\n=======\nFROM llama3.2:1b\n>>>>>>> b\n",
        f"{HEAD}<<<<<<< HEAD\nADAPTER ./a.gguf\n=======\nADAPTER ./b.gguf\n>>>>>>> b\n",
    ],
)
def test_a_merge_conflict_explains_that_both_versions_are_there(text: str) -> None:
    assert names(text) == ["conflict-markers"]


def test_a_conflict_in_a_text_explains_nothing_around_it() -> None:
    conflict = 'SYSTEM """a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> d\ne"""\n'
    assert names(f"{HEAD}PARAMETER num_ctx 512\nPARAMETER num_ctx 768\n{conflict}") == [
        "duplicate-instruction",
        "conflict-markers",
    ]


def test_a_foreign_template_explains_its_stops_and_whitespace() -> None:
    assert names(f"{HEAD}{CHATML}PARAMETER stop Customer:\n") == ["foreign-template"]
    assert names(f"# For tests.\nFROM ./weights.gguf\n{CHATML}PARAMETER stop Customer:\n") == [
        "missing-stop",
        "template-whitespace",
    ]


def test_a_template_without_markers_explains_its_whitespace() -> None:
    template = 'TEMPLATE """\n{{ .System }}\n{{ .Prompt }}\n"""\n'
    assert names(f"{HEAD}{template}") == ["markerless-template"]
    assert "template-whitespace" in names(f"# For tests.\nFROM ./weights.gguf\n{template}")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("./template.txt", "unexpanded-reference"),
        ("@chat.gotmpl", "unexpanded-reference"),
        ("$(cat template)", "unexpanded-reference"),
        ("TODO", "placeholder"),
        ("<your template here>", "placeholder"),
        ("You answer.", "template-without-prompt"),
    ],
)
def test_what_stands_for_a_template_is_judged_as_that_only(template: str, name: str) -> None:
    assert names(f"# For tests.\nFROM ./weights.gguf\nTEMPLATE {template}\n") == [name]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "You are a helpful assistant.\nYou answer in French.\n",
            'start with `FROM name:tag` or `FROM ./weights.gguf`; if it is the prompt, write SYSTEM """…"""',
        ),
        (
            "CRITICAL:\n- You answer in JSON.\n\nYou are a waiter.\n",
            'start with `FROM name:tag` or `FROM ./weights.gguf`; if it is the prompt, write SYSTEM """…"""',
        ),
        (
            "# FROM llama3.2:3b\n\nYou are a helpful assistant.\n",
            'line 1 has it in a comment: delete the #; if it is the prompt, write SYSTEM """…"""',
        ),
    ],
)
def test_a_file_that_is_only_a_prompt_is_one_finding(text: str, hint: str) -> None:
    (found,) = lint(text)
    assert (found.name, found.message, found.hint) == (
        "missing-from",
        "missing FROM: the file has no instructions",
        hint,
    )
    assert found.fix is not None


def test_text_next_to_instructions_is_a_finding_of_its_own() -> None:
    assert names("You are a helpful assistant.\nPARAMETER num_ctx 512\n") == ["missing-from", "unknown-instruction"]


@pytest.mark.parametrize(
    ("lines", "effect"),
    [
        ("SYSTEM Hi.\nPARAMETER system Hello.", "it replaces the one in line 3"),
        ("PARAMETER system Hello.\nSYSTEM Hi.", "it has no effect, the one in line 4 replaces it"),
    ],
)
def test_an_instruction_as_parameter_explains_that_there_are_two(lines: str, effect: str) -> None:
    (only,) = lint(f"{HEAD}{lines}\n")
    message = f"`PARAMETER system` works by accident: SYSTEM is an instruction; {effect}"
    assert (only.name, only.message) == ("instruction-as-parameter", message)
