"""Cases of the template rules that their pages do not show."""

import pytest

from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

EACH = "{{ range .Messages }}{{ .Role }}: {{ .Content }} {{ end }}"


def parsed(template: str, *more: str) -> Modelfile:
    lines = ["# Answers questions on billing.", "FROM ./weights.gguf", f'TEMPLATE """{template}"""', *more, ""]
    return Modelfile.parse(Source(text="\n".join(lines)))


def found(template: str, *more: str) -> list[tuple[str, str]]:
    """Return the names of the findings, and the text they mark."""
    modelfile = parsed(template, *more)
    return [(each.name, modelfile.text[each.span.start : each.span.end]) for each in lint(Context(modelfile=modelfile))]


def fixed(template: str) -> str:
    modelfile, _ = apply_fixes(parsed(template), lambda each: lint(Context(modelfile=each)), unsafe=True)
    return modelfile.text.split('"""')[1]


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{{ .Prompt }}{{ .Input }}", ".Input"),
        ("{{ .Prompt }}{{ with .System }}{{ $.Nope }}{{ end }}", ".Nope"),
        ("{{ .Prompt }}{{ with .System }}{{ .Nope }}{{ end }}", None),
        ("{{ range .Messages }}{{ .content }}{{ end }}", ".content"),
        ("{{ range $i, $m := .Messages }}{{ $m.content }}{{ $i.content }}{{ end }}", ".content"),
        ("{{ range $i, $m := .Messages }}{{ $m := 1 }}{{ $m.content }}{{ end }}", None),
        ("{{ range .Messages }}{{ .System }}{{ end }}", ".System"),
        ("{{ range .Messages }}{{ else }}{{ .System }}{{ end }}", None),
        ("{{ range slice .Messages 1 }}{{ .Foo }}{{ end }}", None),
        ("{{ .Tools }}{{ range .Messages }}{{ range .ToolCalls }}{{ .Function.Foo }}{{ end }}{{ end }}", ".Foo"),
        ("{{ .Tools }}{{ range .Messages }}{{ range .ToolCalls }}{{ .Function.Name }}{{ end }}{{ end }}", None),
        ("{{ range .Tools }}{{ .Function.Name }}{{ end }}" + EACH, None),
        (EACH + "{{ .content }}", ".content"),
        (EACH + "{{ .Prompt }}", ".Prompt"),
        ("{{ if .Messages }}" + EACH + "{{ else }}{{ .Prompt }}{{ end }}", None),
        ('{{ .Prompt }} {"prompt": {"system": {response: 1}}}', None),
        ("{{ .Prompt }} ${prompt} {name} {{`{prompt}`}}", None),
        ("{{ .Prompt }} {system}", "{system}"),
        ("{{ .System }} { .Prompt }}", "{ .Prompt }}"),
        ("{{ .Prompt }} {system_message}", "{system_message}"),
        ("{{ .System }} ### Instruction:\n{instruction} {{ .Prompt }}", "{instruction}"),
        ('{{ .Prompt }} {"user_input": {user_input: 1}}', None),
        ("{% for m in messages %}{{ .Prompt }}", "{% for m in messages %}"),
        ("{{ .Prompt }} 100 {% of", None),
        ('{{ block "a" . }}{{ .Foo }}{{ end }}{{ define "b" }}{{ .Bar }}{{ end }}', ".Foo"),
    ],
)
def test_unknown_variables_are_marked(template: str, marked: str | None) -> None:
    marks = [text for name, text in found(template) if name == "template-unknown-variable"]
    assert marks == ([marked] if marked else [])


@pytest.mark.parametrize(
    ("template", "more", "effect"),
    [
        ("### Input:\n{ .Prompt }", ["SYSTEM Be kind."], ", and never SYSTEM"),
        ("{ .System } { .Prompt }", ["SYSTEM Be kind."], ""),
        ("### Input:\n{ .Prompt }", [], ""),
    ],
)
def test_single_braces_send_no_system_prompt_either(template: str, more: list[str], effect: str) -> None:
    messages = [one.message for one in lint(Context(modelfile=parsed(template, *more))) if "{ .Prompt }" in one.message]
    assert messages == [f"`{{ .Prompt }}` is plain text to Ollama: the model receives it unchanged{effect}"]


@pytest.mark.parametrize(
    ("template", "right"),
    [
        ("{{ if .prompt }}{{ .prompt }}{{ end }}", "{{ if .Prompt }}{{ .Prompt }}{{ end }}"),
        ("{system} {prompt}", "{{ .System }} {{ .Prompt }}"),
        ("{{ prompt }}", "{{ .Prompt }}"),
        ("{{ . Prompt }}", "{{ . Prompt }}"),
        ("{{ range .Messages }}{{ .Tools }}{{ end }}", "{{ range .Messages }}{{ $.Tools }}{{ end }}"),
        (
            "{{ range $m := .Messages }}{{ $m.Tools }}{{ end }}",
            "{{ range $m := .Messages }}{{ $m.Tools }}{{ end }}",
        ),
        ("{{ .Prompt }}<|im_end|>\nAI:", "{{ .Prompt }}<|im_end|>\nAI:{{ .Response }}<|im_end|>\n"),
    ],
)
def test_fixes_write_the_intended_name(template: str, right: str) -> None:
    assert fixed(template) == right


@pytest.mark.parametrize(
    ("template", "names"),
    [
        # the end of the assistant's turn
        ("{{ .Prompt }}<|im_end|>", ["template-without-response"]),
        ("{{ .Prompt }}<|im_end|>{{ .response }}", ["template-unknown-variable"]),
        ("[INST] {{ .Prompt }} [/INST]", []),
        # a header that is missing too is another rule's
        ("<|im_start|>user\n{{ .Prompt }}<|im_end|>", ["unopened-turn"]),
        # an unknown variable explains that there is no prompt
        ("Question: {{ .Query }}", ["template-unknown-variable"]),
        # single braces are one finding, not two
        ("### {prompt}", ["template-unknown-variable"]),
        # tools
        ("{{ .Prompt }}{{ .Tools }}", ["template-drops-tools"]),
        (EACH, []),
        # thinking
        ("{{ .Prompt }}{{ if .Think }}/think{{ end }}", ["template-drops-thinking"]),
        (EACH + "{{ range .Messages }}<think>{{ .Thinking }}</think>{{ end }}", []),
        ("{{ range .Messages }}{{ .Role }}{{ .Content }}<t>{{ .Thinking }}</t>{{ end }}", ["template-drops-thinking"]),
        (EACH + "{{ range $.Messages }}<t>{{ .Thinking }}</t>{{ end }}", ["template-drops-thinking"]),
        (EACH + "{{ range .Messages }}{{ if .Role }}x{{ else }}<t>{{ .Thinking }}</t>{{/**/}}{{ end }}{{ end }}", []),
        # newlines
        ("\n" + EACH, ["template-whitespace"]),
        (EACH + "\n\n", ["template-whitespace"]),
        (EACH + "AI:\n", []),
        ("\n{{- .Prompt }}{{ .Response }}\n", []),
        # failing requests: Ollama's functions before the cut, and a cut in a branch with an else
        ("{{ .Prompt | json }}", ["failing-template"]),
        ("{{ if .System }}{{ currentDate }}{{ end }}{{ .Prompt }}", ["failing-template"]),
        ("{{ .Prompt }}{{ .Response }}{{ currentDate }}", []),
        ("{{ if .Response }}{{ json .System }}{{ end }}{{ .Prompt }}", []),
        ("{{ if .Prompt }}{{ .Prompt }}{{ .Response }}{{ else }}-{{ end }}", ["failing-template"]),
        ("{{ if .Prompt }}{{ .Prompt }}{{ .Response }}{{ end }}{{ if .System }}-{{ else }}-{{ end }}", []),
        ("{{ if .Response }}-{{ else }}-{{ end }}{{ .Prompt }}{{ .Response }}", []),
        ("{{ if .System }}-{{ else }}{{ .Prompt }}{{ .Response }}{{ end }}", []),
    ],
)
def test_each_defect_has_one_rule(template: str, names: list[str]) -> None:
    assert [name for name, _ in found(template)] == names


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ if .First }}{{ .System }}{{ end }}{{ .Prompt }}", ": this block, with SYSTEM, is never sent"),
        (
            "{{ if and .First .System }}<s>{{ .System }}{{ end }}{{ .Prompt }}",
            ": this block, with SYSTEM, is never sent",
        ),
        ("{{ if .First }}Hello {{ end }}{{ .System }} {{ .Prompt }}", ": this block is never sent"),
    ],
)
def test_block_of_the_first_turn_is_never_sent(template: str, message: str) -> None:
    (one,) = lint(Context(modelfile=parsed(template)))
    assert one.message == f"`.First` is always empty since Ollama 0.1.25{message}"


def test_next_to_a_renderer_only_dead_template_reports() -> None:
    more = ("RENDERER qwen3-coder", "REQUIRES 0.14.0")
    assert found("\n{{ .prompt }} {system}", *more) == [("dead-template", "TEMPLATE")]
    assert found("{{.Prompt}}", *more) == []
    assert found("{{ .Prompt }}{{ .Tools }}", *more) == []


def test_parser_may_add_tools_and_thinking() -> None:
    assert found("{{ .Prompt }}{{ .Tools }}{{ .Think }}", "PARSER qwen3-coder", "REQUIRES 0.14.0") == []


def test_hint_names_jinja() -> None:
    for template, hint in (
        ("{{ prompt }}", "write `.Prompt`; without the dot, `prompt` is Jinja"),
        ("{{ bos_token }}", "this looks like Jinja, but Ollama uses Go's text/template"),
    ):
        (diagnostic,) = lint(Context(modelfile=parsed(template)))
        assert (diagnostic.hint or "").endswith(hint)


def test_message_names_a_jinja_template() -> None:
    (found,) = lint(Context(modelfile=parsed("{% if x %}{{ messages[0] }}{% endif %}")))
    assert found.message == "this is a Jinja template, which Ollama cannot read: `[` cannot directly follow `messages`"
    assert found.hint == "write it as Go's text/template, or delete TEMPLATE: the base brings its own"


@pytest.mark.parametrize(
    ("base", "names"), [("llama3.2:3b", []), ("mistral:7b", ["foreign-template"]), ("./x.gguf", ["missing-stop"])]
)
def test_marker_of_the_base_itself_needs_no_stop(base: str, names: list[str]) -> None:
    lines = ["# For tests.", f"FROM {base}", "TEMPLATE {{ .System }}{{ .Prompt }}<|eot_id|>{{ .Response }}"]
    modelfile = Modelfile.parse(Source(text="\n".join([*lines, "PARAMETER stop User:"])))
    assert [one.name for one in lint(Context(modelfile=modelfile)) if one.code in {"MF411", "MF414"}] == names


def test_newline_is_called_a_newline() -> None:
    (found,) = lint(Context(modelfile=parsed("{{ range .Messages }}{{ .Role }}{{ .Content }}{{ end }}\n\n")))
    assert found.message.startswith("each prompt ends with a newline")


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("{{ if .System and .Prompt }}{{ .Prompt }}{{ end }}", "write the function first: `and .System .Prompt`"),
        (EACH + '{{ if .Role eq "user" }}a{{ end }}', 'write the function first: `eq .Role "user"`'),
        (
            '{{ range $m := .Messages }}{{ if $m.Role eq "user" }}a{{ end }}{{ end }}',
            'write the function first: `eq $m.Role "user"`',
        ),
        (
            EACH + "{{ .Messages.Content }}",
            "write `{{ range .Messages }}{{ .Content }}{{ end }}`",
        ),
        ("{{ range .Messages }}{{ .Content.Text }}{{ end }}", "write `.Content`"),
        ("{{ .Prompt }}{{ $.System.Content }}", "write `.System`"),
        ('{{ if (.System "a") }}{{ .Prompt }}{{ end }}', 'write a function first, as in `eq .System "a"`'),
    ],
)
def test_operators_between_values_fail_requests(template: str, hint: str) -> None:
    text = f'# For tests.\nFROM ./x.gguf\nTEMPLATE """{template}"""\n'
    found = [
        one for one in lint(Context(modelfile=Modelfile.parse(Source(text=text)))) if one.name == "failing-template"
    ]
    assert [(one.message.split(":")[0], one.hint) for one in found] == [("requests fail", hint)]


@pytest.mark.parametrize(
    "template",
    [
        "{{ if and .System .Prompt }}{{ .Prompt }}{{ end }}",
        EACH + '{{ .Content }}{{ range .ToolCalls }}{{ .Function.Arguments.Get "a" }}{{ end }}{{ end }}',
        "{{ .Prompt | print .System }}",
    ],
)
def test_calls_of_functions_and_methods_do_not_fail(template: str) -> None:
    assert "failing-template" not in [name for name, _ in found(template)]


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ('{{ if .System == "a" }}{{ end }}', 'Go has no operator `==`: write `eq .Role "user"`'),
        ("{{ if .System && .Prompt }}{{ end }}", "Go has no operator `&&`: write `and .System .Prompt`"),
        ("{{ .System || .Prompt }}", "Go has no operator `||`: write `or .System .Prompt`"),
        ("{{ if .System }}a{{ elif .Prompt }}b{{ end }}", "write `{{ else if .System }}`, as in Go's text/template"),
        ("{{ if .System }}a{{ endif }}", "write `{{ end }}`, as in Go's text/template"),
        ("{{ for m in .Messages }}a{{ end }}", "write `{{ range .Messages }}`, as in Go's text/template"),
    ],
)
def test_hint_says_how_go_writes_it(template: str, hint: str) -> None:
    text = f'# For tests.\nFROM ./x.gguf\nTEMPLATE """{template}"""\n'
    assert [one.hint for one in lint(Context(modelfile=Modelfile.parse(Source(text=text))))] == [hint]
