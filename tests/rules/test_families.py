"""Cases of the rules that compare turn markers with those of the base."""

import pytest

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.diagnostics import Severity
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

COMPARING = {
    "dead-template",
    "foreign-stop",
    "foreign-template",
    "markerless-template",
    "missing-stop",
    "template-drops-capability",
    "template-without-response",
}
CHATML = "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
LLAMA_3 = (
    "<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{{ .Response }}<|eot_id|>"
)
ZEPHYR = "<|user|>\n{{ .Prompt }}</s>\n<|assistant|>\n{{ .Response }}</s>\n"
PHI_3 = "<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>\n{{ .Response }}<|end|>\n"
GEMMA = "<start_of_turn>user\n{{ .Prompt }}<end_of_turn>\n<start_of_turn>model\n{{ .Response }}<end_of_turn>\n"
INST = "[INST] {{ .System }} {{ .Prompt }} [/INST]"
ALPACA = "### Instruction:\n{{ .Prompt }}\n\n### Response:\n"


def named(base: str, *lines: str, template: str = "", least: Severity = Severity.INFO) -> list[str]:
    """Return the names of the findings that compare markers with the base and are at least as severe."""
    modelfile = Modelfile.parse(
        Source(text="\n".join(["# For tests.", f"FROM {base}", *lines, f'TEMPLATE """{template}"""' * bool(template)]))
    )
    found = [one.name for one in lint(Context(modelfile=modelfile)) if one.severity.is_at_least(least)]
    return [name for name in found if name in COMPARING]


@pytest.mark.parametrize(
    ("base", "foreign", "own"),
    [
        ("deepseek-r1:7b", "<|im_end|>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
        ("gpt-oss:20b", "<|im_end|>", "<|return|>"),
        ("phi3", "<|im_end|>", "<|end|>"),
        ("phi4", "<|end|>", "<|im_end|>"),
        ("mistral-small", "<|im_end|>", "[INST]"),
        ("mistral-nemo", "<end_of_turn>", "</s>"),
        ("gemma3:4b", "<|eot_id|>", "<end_of_turn>"),
        ("gemma4:e4b", "<end_of_turn>", "<turn|>"),
        ("qwen3:8b", "<|eot_id|>", "<|im_end|>"),
        ("qwen3-coder:30b", "<|eot_id|>", "<|endoftext|>"),
        ("granite3.3:8b", "<|im_end|>", "<|end_of_text|>"),
        ("command-r", "<|im_end|>", "<|END_OF_TURN_TOKEN|>"),
        ("llama4:scout", "<|eot_id|>", "<|eot|>"),
        ("exaone3.5", "<|im_end|>", "[|endofturn|]"),
        ("./Qwen2.5-7B-Instruct-Q4_K_M.gguf", "<|eot_id|>", "<|im_end|>"),
        ("hf.co/bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M", "<|im_end|>", "<|eot_id|>"),
    ],
)
def test_foreign_stops_are_reported_for_each_family(base: str, foreign: str, own: str) -> None:
    assert named(base, f"PARAMETER stop {foreign}") == ["foreign-stop"]
    assert named(base, f"PARAMETER stop {own}") == []
    assert named(base, f"PARAMETER stop {foreign}", f"PARAMETER stop {own}", least=Severity.WARNING) == []


@pytest.mark.parametrize(
    ("base", "stops", "template", "reported"),
    [
        ("llama3.2", ("<|im_end|>", "<|eot_id|>"), "", 1),
        ("gemma2:9b", ("<|end_of_turn|>", "<start_of_turn>"), "", 1),
        ("gemma2:9b", ("<|end_of_turn|>", "<start_of_turn>"), GEMMA, 1),
        ("qwen2.5-coder:7b", ("<|im_end|>", "<|eot_id|>"), CHATML, 1),
        ("./model.gguf", ("<|im_end|>", "<|eot_id|>"), CHATML, 0),
        ("./Qwen2.5-7B-Instruct-Q4_K_M.gguf", ("<|im_end|>", "<|eot_id|>", "</s>"), CHATML, 2),
        ("dolphin-llama3", ("<|im_end|>", "<|eot_id|>"), "", 0),
        ("deepseek-r1:8b", ("<\uff5cUser\uff5c>", "<|eot_id|>"), "", 0),
        ("llama3.2", ("</s>",), "", 1),
        ("llama3.2", ("<|endoftext|>",), "", 1),
        ("llama3.2", ("<|eot_id|>", "User:"), "", 0),
        ("phi3", ("<|end|>", "<|endoftext|>"), "", 0),
    ],
)
def test_stops_of_other_families_beside_right_ones_are_notes(
    base: str, stops: tuple[str, ...], template: str, reported: int
) -> None:
    lines = [f"PARAMETER stop {stop}" for stop in stops]
    modelfile = Modelfile.parse(
        Source(text="\n".join([f"FROM {base}", *lines, f'TEMPLATE """{template}"""' * bool(template)]))
    )
    found = [one.severity for one in lint(Context(modelfile=modelfile)) if "never writes" in one.message]
    assert found == [Severity.INFO] * reported


@pytest.mark.parametrize(
    ("base", "stop"),
    [
        ("llama3.2", "</s>"),
        ("llama3.2", "<|end_of_text|>"),
        ("llama3.2", "<|endoftext|>"),
        ("llama3.2", "User:"),
        ("dolphin-llama3", "<|im_end|>"),
        ("somebody/llama3-chatml", "<|im_end|>"),
        ("./dolphin-2.9-llama3-8b-Q4_K_M.gguf", "<|im_end|>"),
        ("nomic-embed-text", "<|im_end|>"),
        ("llama3:8b-text", "<|im_end|>"),
    ],
)
def test_stops_that_may_be_right_are_not_called_foreign(base: str, stop: str) -> None:
    assert named(base, f"PARAMETER stop {stop}", least=Severity.WARNING) == []


@pytest.mark.parametrize(
    ("base", "template", "missing"),
    [
        ("./model.gguf", CHATML, True),
        ("qwen3:8b", CHATML, False),
        ("./Qwen2.5-7B-Instruct-Q4_K_M.gguf", CHATML, False),
        ("phi3", "<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>\n{{ .Response }}<|end|>\n", False),
        ("./model.gguf", "<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>\n{{ .Response }}<|end|>\n", True),
        ("./model.gguf", "<|user|>\n{{ .Prompt }}</s>\n<|assistant|>\n{{ .Response }}</s>\n", False),
        ("./model.gguf", "<|turn>user\n{{ .Prompt }}<turn|>\n<|turn>model\n{{ .Response }}<turn|>\n", True),
        ("./model.gguf", "{{ .Prompt }}", False),
    ],
)
def test_missing_stop_knows_the_ends_of_all_formats(base: str, template: str, *, missing: bool) -> None:
    found = named(base, "PARAMETER stop Customer:", template=template)
    assert ("missing-stop" in found) is missing
    assert "missing-stop" not in named(base, template=template)


@pytest.mark.parametrize(
    ("base", "template"),
    [
        ("gpt-oss:20b", CHATML),
        ("phi4", PHI_3),
        ("phi4", CHATML),
        ("phi3", ZEPHYR),
        ("gemma3:4b", ZEPHYR),
        ("gemma2", INST),
        ("mistral", GEMMA),
        ("mistral:instruct", LLAMA_3),
        ("llama3.1", INST),
        ("llama3.1", ALPACA),
        ("llama3.2", "{{ .System }}\nUSER: {{ .Prompt }}\nASSISTANT:"),
        ("llama3.2", CHATML),
        ("qwen3:8b", LLAMA_3),
        ("qwen2.5", CHATML.replace("<|im_end|>", "<|im_sep|><|im_end|>")),
        ("deepseek-r1:8b", CHATML),
        ("command-r", CHATML),
        ("granite3.3", LLAMA_3),
        ("wizardlm2:7b", CHATML),
        ("tinyllama", PHI_3),
        ("exaone3.5:7.8b", CHATML),
        ("./Qwen2.5-7B-Instruct-Q4_K_M.gguf", LLAMA_3),
        ("hf.co/bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", CHATML),
        ("qwen3:8b", "[INST] {{ .Prompt }}"),
        ("llama3", "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"),
    ],
)
def test_a_template_of_another_family_is_one_finding(base: str, template: str) -> None:
    assert named(base, template=template) == ["foreign-template"]


@pytest.mark.parametrize(
    ("base", "template"),
    [
        ("dolphin-mistral", CHATML),
        ("hermes3:8b", CHATML + "{{ .Tools }}{{ .Messages }}"),
        ("nous-hermes2-mixtral", CHATML),
        ("openthinker", CHATML),
        ("./dolphin-2.9-llama3-8b-Q4_K_M.gguf", CHATML),
        ("./hermes-triage-Q4_K_M.gguf", CHATML),
        ("hf.co/unsloth/my-mistral-7b-instruct-chatml", CHATML),
        ("somebody/mistral-chatml", CHATML),
        ("mistral:7b-text", ALPACA),
        ("codellama", INST),
        ("mixtral", "[INST] <<SYS>>{{ .System }}<</SYS>>\n{{ .Prompt }} [/INST]"),
        ("glm4", ZEPHYR.replace("</s>", "")),
        ("llama2:7b", INST),
        ("zephyr", ZEPHYR),
        ("nomic-embed-text", "{{ .Prompt }}"),
        ("qwen2.5-coder:7b-base", "<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>"),
    ],
)
def test_a_template_that_fits_or_may_fit_is_clean(base: str, template: str) -> None:
    assert named(base, template=template) == []


def test_foreign_markers_explain_that_turns_are_not_closed() -> None:
    assert named("gemma2", template=CHATML.partition("{{ .Response")[0]) == ["foreign-template"]
    assert named("./model.gguf", template=CHATML.partition("{{ .Response")[0]) == ["template-without-response"]


def test_an_adapter_may_have_been_trained_on_other_markers() -> None:
    assert named("llama3", "ADAPTER ./lora.gguf", template=CHATML) == []
    assert named("llama3", "ADAPTER ./lora.gguf", template="{{ .System }} {{ .Prompt }}") == []


@pytest.mark.parametrize(
    ("template", "reported"),
    [
        ("{{ .System }}\n{{ .Prompt }}", True),
        ("User: {{ .Prompt }}\nAssistant: {{ .Response }}\n", True),
        ("{{ range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}", True),
        ("{{ .Prompt }}", True),
        ("{{- .Prompt }}{{ .Response }}", True),
        ("<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>", False),
        ("<|custom|>{{ .Prompt }}", False),
        ("no prompt", False),
    ],
)
def test_a_template_without_markers_is_reported_for_bases_that_need_them(template: str, *, reported: bool) -> None:
    assert named("llama3:8b", template=template) == ["markerless-template"] * reported
    assert named("./model.gguf", template=template) == named("orca-mini", template=template) == []


@pytest.mark.parametrize(
    ("lines", "severities"),
    [
        ((), [Severity.INFO]),
        (("SYSTEM Be kind.",), [Severity.WARNING]),
        (("MESSAGE user a", "MESSAGE assistant b"), [Severity.WARNING]),
        (("PARAMETER stop </s>",), [Severity.INFO]),
        (("SYSTEM Be kind.", "PARAMETER stop [INST]"), []),
    ],
)
def test_client_may_mark_turns_itself(lines: tuple[str, ...], severities: list[Severity]) -> None:
    modelfile = Modelfile.parse(Source(text="\n".join(["FROM mistral:7b", "TEMPLATE {{ .Prompt }}", *lines])))
    found = lint(Context(modelfile=modelfile))
    assert [one.severity for one in found if one.name == "markerless-template"] == severities


@pytest.mark.parametrize(
    ("base", "template", "message"),
    [
        ("mistral", INST, "`mistral` supports tools, but this TEMPLATE has no `.Tools`: requests with tools fail"),
        (
            "qwen3:8b",
            CHATML,
            (
                "`qwen3` supports tools and thinking, but this TEMPLATE has neither `.Tools` nor `.Thinking`:"
                " requests with tools or thinking fail"
            ),
        ),
        (
            "qwen2.5-coder:7b",
            "{{ .Tools }}{{ .Messages }}<|im_start|>",
            "`qwen2.5-coder` supports insert, but this TEMPLATE has no `.Suffix`: requests with a suffix fail",
        ),
        ("gpt-oss", "{{ .Tools }}<|start|>user<|message|>{{ .Messages }}<|end|>", None),
        ("qwen3:30b-a3b-instruct-2507-q4_K_M", "{{ .Tools }}{{ .Messages }}<|im_start|>", None),
        ("gemma3:4b", GEMMA, None),
        ("mistral:7b-instruct-v0.2-q4_0", INST, None),
        ("./Qwen2.5-7B-Instruct-Q4_K_M.gguf", CHATML, None),
    ],
)
def test_capabilities_of_the_base_are_missed(base: str, template: str, message: str | None) -> None:
    modelfile = Modelfile.parse(Source(text=f'FROM {base}\nTEMPLATE """{template}"""\n'))
    found = [one.message for one in lint(Context(modelfile=modelfile)) if one.code == "MF418"]
    assert found == ([message] if message else [])
    assert "template-drops-capability" not in named(base, "PARSER qwen3", template=template)


def test_a_renderer_of_the_base_replaces_the_template() -> None:
    assert named("gemma4:e4b", template="{{ .System }} {{ .Prompt }}") == ["dead-template"]
    assert named("gemma4:e4b", template="{{ .Prompt }}") == []
    old = Context(
        modelfile=Modelfile.parse(Source(text="FROM gemma4:e4b\nTEMPLATE {{ .System }} {{ .Prompt }}\n")),
        ollama=catalog(Version(0, 13, 0)),
    )
    assert "dead-template" not in {one.name for one in lint(old)}
