"""Templates that send messages twice, late, alike, or around other markers than the model knows."""

import pytest

from modelfile import lint

CODES = {"MF430", "MF434", "MF435", "MF436", "MF437"}
ANSWER = "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
USER = "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n"
SYSTEM = "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
FILLED = "{{{{ .Prompt }}}}{0}{{{{ .Suffix }}}}{1}"
STAR = "<fim_prefix>{{ .Prompt }}<fim_suffix>{{ .Suffix }}<fim_middle>"
LLAMA = "<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>"
PIPED = "<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>"


def found(template: str, base: str = "./weights.gguf") -> list[tuple[str, str]]:
    text = f'FROM {base}\nTEMPLATE """{template}"""\n'
    return [(text[one.span.start : one.span.end], one.message) for one in lint(text) if one.code in CODES]


@pytest.mark.parametrize(
    ("base", "template", "marked", "message"),
    [
        (
            "mistral:7b",
            "[INST] <<SYS>>{{ .System }}<</SYS>> {{ .Prompt }} [/INST]",
            "<<SYS>>",
            "`<<SYS>>` is a marker of Llama 2: `mistral` was not trained on it",
        ),
        (
            "./weights.gguf",
            "<<SYS>>{{ .System }}<</SYS>> [INST] {{ .Prompt }} [/INST]",
            "<<SYS>>",
            "`<<SYS>>` stands outside of `[INST]`: Llama 2 knows it only inside of the first one",
        ),
        (
            "codellama:7b-code",
            STAR,
            "<fim_suffix>",
            "`<fim_suffix>` is not a marker of `codellama`, which was trained on `<SUF>`",
        ),
        (
            "qwen2.5-coder:7b-base",
            LLAMA,
            "<SUF>",
            "`<SUF>` is not a marker of `qwen2.5-coder`, which was trained on `<|fim_suffix|>`",
        ),
        (
            "starcoder2:3b",
            "<fim_prefix>{{ .Suffix }}<fim_suffix>{{ .Prompt }}<fim_middle>",
            "<fim_suffix>",
            "the code before the gap stands behind `<fim_suffix>`, and that after it elsewhere",
        ),
        (
            "./weights.gguf",
            USER.replace("{{ .Prompt }}", "{{ .Prompt }}\n{{ .Prompt }}") + ANSWER,
            ".Prompt",
            "the user's message is sent twice",
        ),
        (
            "./weights.gguf",
            USER + SYSTEM + ANSWER,
            ".System",
            "the system prompt is sent after the user's message",
        ),
        (
            "./weights.gguf",
            "{{ range .Messages }}{{ .Content }}\n{{ end }}",
            ".Content",
            "all messages are printed alike: the model cannot see who wrote which",
        ),
        (
            "./weights.gguf",
            "{{ .Messages }}",
            ".Messages",
            "the messages are never sent: `{{ .Messages }}` prints addresses in memory",
        ),
    ],
)
def test_what_the_model_cannot_read_is_reported(base: str, template: str, marked: str, message: str) -> None:
    assert found(template, base) == [(marked, message)]


@pytest.mark.parametrize(
    ("base", "template"),
    [
        ("llama2:7b", "[INST] <<SYS>>{{ .System }}<</SYS>> {{ .Prompt }} [/INST]"),
        ("./mistral-mix.gguf", "[INST] <<SYS>>{{ .System }}<</SYS>> {{ .Prompt }} [/INST]"),
        ("codellama:7b-code", LLAMA),
        ("qwen2.5-coder:7b", PIPED),
        ("starcoder2:3b", STAR),
        ("./weights.gguf", STAR),
        ("starcoder2:3b", "<fim_suffix>{{ .Suffix }}<fim_prefix>{{ .Prompt }}<fim_middle>"),
        ("./weights.gguf", SYSTEM + USER + ANSWER),
        ("./weights.gguf", "[INST] {{ if .System }}{{ .System }} {{ end }}{{ .Prompt }} [/INST]"),
        ("./weights.gguf", "{{ range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}"),
        (
            "./weights.gguf",
            "{{ if .Messages }}{{ range .Messages }}{{ .Role }}{{ .Content }}{{ end }}{{ else }}{{ .Prompt }}{{ end }}",
        ),
        ("./weights.gguf", "{{ json .Messages }}"),
        ("./weights.gguf", "### Instruction:\n`{{ .Prompt }}`\n{{ .System }}\n### Response:\nTo `{{ .Prompt }}`:"),
        ("./weights.gguf", "USER: {{ .Prompt }} <<function>> {{ .System }}\nASSISTANT:"),
        ("./weights.gguf", "{{ .Prompt }}"),
    ],
)
def test_what_the_model_can_read_is_not_reported(base: str, template: str) -> None:
    assert found(template, base) == []
