"""Cases of the rules on how a TEMPLATE spells and mixes turn markers, prints tools and ends prompts."""

import pytest

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

CHATML = "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
EACH = "{{ range .Messages }}{{ .Role }}: {{ .Content }} {{ end }}"


def parsed(template: str, *lines: str, base: str = "./weights.gguf") -> Modelfile:
    head = ["# For tests.", f"FROM {base}", *lines]
    return Modelfile.parse(Source(text="\n".join([*head, f'TEMPLATE """{template}"""', ""])))


def marked(name: str, template: str, *lines: str, base: str = "./weights.gguf", ollama: str = "0.33.0") -> list[str]:
    """Return the texts that findings of a rule mark."""
    modelfile = parsed(template, *lines, base=base)
    found = lint(Context(modelfile=modelfile, ollama=catalog(Version.parse(ollama))))
    return [modelfile.text[one.span.start : one.span.end] for one in found if one.name == name]


def fixed(template: str) -> str:
    modelfile, _ = apply_fixes(parsed(template), lambda each: lint(Context(modelfile=each)), unsafe=True)
    return modelfile.text.split('"""')[1]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("<|im_strat|>", "<|im_start|>"),
        ("<|im_start>", "<|im_start|>"),
        ("<im_start|>", "<|im_start|>"),
        ("<im_start>", "<|im_start|>"),
        ("<|im-start|>", "<|im_start|>"),
        ("<|imstart|>", "<|im_start|>"),
        ("<| im_start |>", "<|im_start|>"),
        ("<|IM_START|>", "<|im_start|>"),
        ("<|im_stat|>", "<|im_start|>"),
        ("<|eot_id>", "<|eot_id|>"),
        ("<|start_header|>", "<|start_header_id|>"),
        ("<|start_header_id>", "<|start_header_id|>"),
        ("<|end_headr_id|>", "<|end_header_id|>"),
        ("<start_of_turn|>", "<start_of_turn>"),
        ("</start_of_turn>", "<start_of_turn>"),
        ("<|START_OF_TURN_TOKN|>", "<|START_OF_TURN_TOKEN|>"),
        ("<|assistent|>", "<|assistant|>"),
        ("<|asistant|>", "<|assistant|>"),
        ("<|begin\u2581of\u2581sentence|>", "<\uff5cbegin\u2581of\u2581sentence\uff5c>"),
        ("[\\INST]", "[/INST]"),
        ("[INST/]", "[/INST]"),
        ("[ INST ]", "[INST]"),
        ("<|im_ends|>", "<|im_end|>"),
        ("<|im_edn|>", "<|im_end|>"),
        ("<|im_user|>", None),
        ("<|begin_of_sentence|>", None),
        ("<|endofturn|>", None),
        ("<|endoftext|>", None),
        ("<|custom|>", None),
        ("<system>", None),
        ("</assistant>", None),
        ("<user>", None),
        ("<end>", None),
        ("<think>", None),
        ("<tool_call>", None),
        ("<your answer here>", None),
        ("[INSTRUCTIONS]", None),
    ],
)
def test_misspelled_markers_are_reported_with_the_right_one(wrong: str, right: str | None) -> None:
    template = f"{wrong} {{{{ .Prompt }}}} {wrong}"
    assert marked("misspelled-marker", template) == ([wrong] if right else [])
    if right:
        assert fixed(template).startswith(f"{right} {{{{ .Prompt }}}} {right}")


def test_deepseek_bars_are_wide() -> None:
    assert marked("misspelled-marker", "<\uff5cUser\uff5c>{{ .Prompt }}<|Assistant|>") == ["<|Assistant|>"]
    assert marked("misspelled-marker", "<|User|>{{ .Prompt }}<|Assistant|>") == []
    by_base = marked("misspelled-marker", "<|User|>{{ .Prompt }}<|Assistant|>", base="deepseek-r1:7b")
    assert by_base == ["<|User|>", "<|Assistant|>"]


@pytest.mark.parametrize("stop", ["<|User|>", "<|end_of_sentence|>", "<|end\u2581of\u2581sentence|>"])
def test_stop_with_plain_bars_is_misspelled_for_deepseek(stop: str) -> None:
    texts = (f"# For tests.\nFROM {base}\nPARAMETER stop {stop}\n" for base in ("deepseek-r1:7b", "x:y"))
    deepseek, other = (
        [one for one in lint(Context(modelfile=Modelfile.parse(Source(text=text)))) if one.name == "misspelled-marker"]
        for text in texts
    )
    right = "<\uff5cUser\uff5c>" if stop == "<|User|>" else "<\uff5cend\u2581of\u2581sentence\uff5c>"
    assert [one.hint for one in deepseek] == [f"write `{right}`"]
    assert not other or "\u2581" in stop


@pytest.mark.parametrize(("stop", "reported"), [("<|im_end>", True), ('"<|eot_id>"', True), ("<|im_end|>", False)])
def test_misspelled_stop_is_the_only_finding_about_stops(stop: str, *, reported: bool) -> None:
    modelfile = parsed(CHATML, f"PARAMETER stop {stop}")
    found = [one.name for one in lint(Context(modelfile=modelfile))]
    assert found == ["misspelled-marker"] * reported


@pytest.mark.parametrize(
    ("template", "marker"),
    [
        (CHATML.replace("<|im_end|>", "<|eot_id|>"), "<|eot_id|>"),
        (CHATML + "[INST]", "[INST]"),
        ("<start_of_turn>user\n{{ .Prompt }}<|im_end|>\n<start_of_turn>model\n", "<|im_end|>"),
        (CHATML + "<|endoftext|><|end_of_text|></s>", None),
        ("<|start_of_role|>user<|end_of_role|><start_of_turn>{{ .Prompt }}<end_of_turn><|end_of_text|>", None),
        (CHATML, None),
        ("<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>\n", None),
        ("[INST] {{ .Prompt }} [/INST]</s>", None),
        ("User: {{ .Prompt }}", None),
    ],
)
def test_mixed_markers_are_reported(template: str, marker: str | None) -> None:
    assert marked("mixed-markers", template) == ([marker] if marker else [])


def test_a_foreign_template_is_not_called_mixed_too() -> None:
    assert marked("mixed-markers", CHATML.replace("<|im_end|>", "<|eot_id|>"), base="gemma3") == []


@pytest.mark.parametrize(
    ("template", "base", "token"),
    [
        ("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>", "./x.gguf", True),
        ("\n{{ if .System }}<bos>{{ end }}<start_of_turn>user\n{{ .Prompt }}<end_of_turn>", "./x.gguf", True),
        ("<s>[INST] {{ .Prompt }} [/INST]", "mistral", True),
        ("<s> {{ .Prompt }}", "llama2", True),
        ("<s>{{ .Prompt }}</s>", "./x.gguf", False),
        ("[INST] {{ .Prompt }} [/INST]</s><s>[INST]", "mistral", False),
        ("<s>{{ .Prompt }}", "llama3", False),
        ("{{ .Prompt }}", "./x.gguf", False),
    ],
)
def test_a_second_beginning_of_the_text_is_reported(template: str, base: str, *, token: bool) -> None:
    assert len(marked("bos-in-template", template, base=base)) == token


@pytest.mark.parametrize(
    ("stops", "reported"),
    [
        (["<|eot_id|>"], ["<|eot_id|>"]),
        (["<end_of_turn>", "<|eot_id|>", "User:"], ["<end_of_turn>"]),
        (["<|eot_id|>", "<|im_end|>"], []),
        (["<|im_start|>"], []),
        (["User:"], []),
        (["</s>"], []),
        (["<|endoftext|>"], []),
        (["\\n\\n"], []),
        ([], []),
    ],
)
def test_stops_of_another_family_than_the_template_are_reported(stops: list[str], reported: list[str]) -> None:
    assert marked("stop-not-in-template", CHATML, *(f"PARAMETER stop {stop}" for stop in stops)) == reported


def test_stops_of_the_base_or_next_to_plain_words_are_not_called_strange() -> None:
    assert marked("stop-not-in-template", "User: {{ .Prompt }}\nAssistant:", "PARAMETER stop <|eot_id|>") == []
    assert marked("stop-not-in-template", CHATML, "PARAMETER stop <|eot_id|>", base="llama3.2") == []


def test_a_strange_stop_is_not_called_missing_too() -> None:
    modelfile = parsed(CHATML, "PARAMETER stop <|eot_id|>")
    assert [one.name for one in lint(Context(modelfile=modelfile))] == ["stop-not-in-template"]


@pytest.mark.parametrize(
    ("tool", "ollama", "printed"),
    [
        ("{{ .Function }}", "0.33.0", [".Function"]),
        ("{{ .Function }}", "0.14.0", [".Function"]),
        ("{{ .Function }}", "0.13.5", []),
        ("{{ .Function.Parameters }}", "0.33.0", [".Function.Parameters"]),
        ("{{ json .Function }}", "0.33.0", []),
        ("{{ .Function.Name }} {{ .Function.Description }}", "0.33.0", []),
        ("{{ if .Function }}x{{ end }}", "0.33.0", []),
        ("{{ . }}", "0.33.0", []),
        ("{{ . }}", "0.20.0", ["."]),
        ("{{ if .Type }}{{ . }}{{ end }}", "0.20.0", ["."]),
        ("{{ json . }}", "0.20.0", []),
        ("{{ . }}", "0.13.5", []),
    ],
)
def test_tools_that_are_printed_as_structs(tool: str, ollama: str, printed: list[str]) -> None:
    template = f"{{{{ range .Tools }}}}{tool}{{{{ end }}}}{EACH}"
    assert marked("tool-printed-as-struct", template, ollama=ollama) == printed


def test_all_printed_structs_are_fixed_at_once() -> None:
    wrong = "{{ range $t := .Tools }}{{ $t.Function }}{{- .Function.Parameters -}}{{ end }}" + EACH
    right = "{{ range $t := .Tools }}{{ json $t.Function }}{{- json .Function.Parameters -}}{{ end }}" + EACH
    assert fixed(wrong) == right


def test_fields_of_tools_are_known() -> None:
    name = "template-unknown-variable"
    assert marked(name, "{{ range .Tools }}{{ .Name }}{{ .Function.Name }}{{ end }}" + EACH) == [".Name"]
    assert marked(name, "{{ range .Tools }}{{ .Function.Args }}{{ end }}" + EACH) == [".Args"]
    assert marked(name, "{{ range .Tools }}{{ .Type }}{{ .Function.Parameters.Required }}{{ end }}" + EACH) == []


@pytest.mark.parametrize(
    ("template", "reported"),
    [
        ("{{ if .Response }}{{ .Response }}</s>{{ end }}{{ .Prompt }}", True),
        ("{{ .Response }}{{ .System }}{{ .Prompt }}", True),
        ("{{ if .Response }}x{{ end }}{{ .Prompt }}{{ .Response }}", False),
        ("{{ .Prompt }}{{ .Response }}{{ .Prompt }}", False),
        ("{{ .Prompt }}", False),
        ("{{ if .Messages }}" + EACH + "{{ else }}{{ .Response }}{{ .Prompt }}{{ end }}", False),
    ],
)
def test_a_prompt_after_the_response_is_never_sent(template: str, *, reported: bool) -> None:
    assert marked("response-cuts-prompt", template) == [".Prompt"] * reported


@pytest.mark.parametrize(
    ("stop", "base", "right"),
    [
        ("&lt;|im_end|&gt;", "./weights.gguf", "<|im_end|>"),
        ("[\\INST]", "mistral:7b", "[/INST]"),
        ("[INST/]", "./Mistral-7B-Instruct-v0.2.Q4_K_M.gguf", "[/INST]"),
    ],
)
def test_misspelled_stop_is_corrected(stop: str, base: str, right: str) -> None:
    modelfile = Modelfile.parse(Source(text=f"FROM {base}\nPARAMETER stop {stop}\n"))
    (found,) = (one for one in lint(Context(modelfile=modelfile)) if one.name == "misspelled-marker")
    assert found.hint == f"write `{right}`"
    assert found.fix
    assert [edit.text for edit in found.fix.edits] == [right]


def test_markers_are_checked_in_a_template_with_a_syntax_error() -> None:
    assert marked("misspelled-marker", "{{ if .System }}<|im_start|>user\n{{ .Prompt }}<|im_end>") == ["<|im_end>"]
    assert marked("misspelled-marker", "{% for each in messages %}{{ each['role'] }}<|im_end>{% endfor %}") == []


def test_foreign_template_names_the_capabilities_that_are_lost() -> None:
    modelfile = parsed(CHATML, base="gpt-oss:20b")
    (found,) = (one for one in lint(Context(modelfile=modelfile)) if one.name == "foreign-template")
    assert found.message.endswith("; it has no `.Tools` and no `.Thinking` either, so requests with tools fail")


@pytest.mark.parametrize(
    ("template", "reported"),
    [
        (f"# ChatML, as in the card\n{CHATML}", ["# ChatML, as in the card"]),
        (f"// ChatML\n{CHATML}", ["// ChatML"]),
        (CHATML.replace("<|im_end|>\n<", "<|im_end|>\n# the answer\n<"), ["# the answer"]),
        (f"{CHATML}# the end\n", ["# the end"]),
        (CHATML.replace("{{ .Prompt }}", "# Question\n{{ .Prompt }}"), []),
        (f"#!ChatML\n{CHATML}", []),
        (f"{{{{/* # ChatML */}}}}{CHATML}", []),
        ("# Task\nUSER: {{ .Prompt }}\nASSISTANT: ", []),
        ("# Task\n{{ .Prompt }}", []),
    ],
)
def test_comments_outside_of_turns_are_reported(template: str, reported: list[str]) -> None:
    assert marked("comment-in-template", template) == reported
