"""Cases of the rules that compare turn markers with those of the base."""

import pytest

from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

CHATML = "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"


def named(base: str, *lines: str, template: str = "") -> list[str]:
    """Return the names of the findings that compare markers with the base."""
    modelfile = Modelfile.parse(
        Source(text="\n".join(["# For tests.", f"FROM {base}", *lines, f'TEMPLATE """{template}"""' * bool(template)]))
    )
    found = [one.name for one in lint(Context(modelfile=modelfile))]
    return [name for name in found if name in {"foreign-stop", "missing-stop"}]


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
    assert named(base, f"PARAMETER stop {foreign}", f"PARAMETER stop {own}") == []


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
    assert named(base, f"PARAMETER stop {stop}") == []


@pytest.mark.parametrize(
    ("base", "template", "missing"),
    [
        ("mistral:7b", CHATML, True),
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
    assert named(base, "PARAMETER stop Customer:", template=template) == ["missing-stop"] * missing
    assert named(base, template=template) == []
