"""The rules on values that are valid but spoil the answers, and on stops that never or always match."""

import pytest
from tests.rules.test_parameters import context_of

from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile


def found(*lines: str, base: str = "x:y") -> list[str]:
    return [item.name for item in lint(context_of(*lines, base=base))]


def parameters(*settings: str) -> list[str]:
    return [f"PARAMETER {setting}" for setting in settings]


@pytest.mark.parametrize(
    "settings",
    [
        ["repeat_penalty 0"], ["repeat_penalty 0.0"], ["num_predict 0"], ["temperature 0.7", "top_k 1"],
        ["top_p 0", "temperature 1"], ["stop e"], ["stop 1"], ['stop " "'], ["stop ."], ["stop ,"],
        ["num_predict 512", "num_predict 0"],
    ],
)  # fmt: skip
def test_harmful_values_are_reported_once(settings: list[str]) -> None:
    names = found(*parameters(*settings))
    assert names.count("harmful-value") == 1
    assert set(names) <= {"harmful-value", "duplicate-instruction"}


@pytest.mark.parametrize(
    "settings",
    [
        ["repeat_penalty 1"], ["num_predict -1"], ["num_predict 1"], ["top_k 1"], ["top_k 40", "temperature 1"],
        ["stop User:"], ["stop ~"], ["stop |"], ["stop #"], ["stop <"], ["stop 🤖"], ["repeat_penalty 1.3"],
        ["num_gpu -1"], ["num_gpu 99"], ["num_gpu 2"], ["min_p 0.5"], ["temperature 2"], ["presence_penalty -2"],
        ["num_ctx 256"], ["num_batch 8"], ["num_thread 1"], ["repeat_penalty 1.5"], ["frequency_penalty 1.5"],
    ],
)  # fmt: skip
def test_useful_values_are_not_reported(settings: list[str]) -> None:
    assert found(*parameters(*settings)) == []


def test_greedy_sampling_with_temperature_0_is_only_ineffective() -> None:
    assert found(*parameters("temperature 0", "top_k 1")) == ["ineffective-parameter"]


@pytest.mark.parametrize(
    "setting",
    [
        "num_gpu 1", "repeat_penalty 0.9", "repeat_penalty 10", "min_p 0.9", "min_p 1", "temperature 5",
        "temperature 70", "presence_penalty 5", "frequency_penalty -3", "num_ctx 8", "num_ctx 128", "num_batch 1",
    ],
)  # fmt: skip
def test_suspect_values_are_reported(setting: str) -> None:
    assert found(*parameters(setting)) == ["suspect-value"]


@pytest.mark.parametrize("setting", ["num_ctx 2", "min_p 1.5", "num_batch 0", "repeat_penalty -1", "num_gpu -2"])
def test_value_out_of_range_is_not_suspect_too(setting: str) -> None:
    assert found(*parameters(setting)) == ["out-of-range"]


@pytest.mark.parametrize("setting", ["num_gpu one", "min_p inf", "num_ctx 8k", "temperature 70%"])
def test_invalid_value_is_not_suspect_too(setting: str) -> None:
    assert not {"suspect-value", "harmful-value"} & set(found(*parameters(setting)))


@pytest.mark.parametrize(
    ("base", "stop", "reported"),
    [
        ("deepseek-r1:8b", "<think>", True),
        ("qwen3:8b", "</think>", True),
        ("llama3.2:3b", "<think>", False),
        ("x:y", "<think>", False),
    ],
)
def test_stop_that_ends_the_thinking_is_reported(base: str, stop: str, *, reported: bool) -> None:
    assert ("harmful-value" in found(f"PARAMETER stop {stop}", base=base)) == reported


@pytest.mark.parametrize(
    ("base", "size", "reported"),
    [
        ("gemma2:9b", 8192, False),
        ("gemma2:9b", 8193, True),
        ("./gemma-2-9b-it-Q4_K_M.gguf", 16384, True),
        ("hf.co/bartowski/gemma-2-9b-it-GGUF:Q4_K_M", 16384, True),
        ("qwen3:14b", 65536, True),
        ("qwen3:30b-a3b-instruct-2507-q4_K_M", 65536, False),
        ("somebody/gemma2:9b", 131072, False),
        ("./gemma-2-9b-it-128k.gguf", 131072, False),
        ("x:y", 10_000_000, False),
        ("vicuna:13b-v1.5-16k-q4_0", 16384, False),
        ("vicuna:13b-v1.5-16k-q4_0", 32768, True),
        ("vicuna:13b", 16384, True),
        ("snowflake-arctic-embed:m-long", 2048, False),
        ("snowflake-arctic-embed:m", 2048, True),
    ],
)
def test_context_beyond_training_is_reported(base: str, size: int, *, reported: bool) -> None:
    names = found(f"PARAMETER num_ctx {size}", base=base)
    assert ("context-beyond-training" in names) == reported


@pytest.mark.parametrize(
    ("written", "reported"),
    [
        ('"<|im_end|>\n"', True), ('"""</s>\n"""', True), ('"[/INST]\r\n"', True), ('"<<SYS>>\n"', True),
        ('"\n<|im_end|>"', False), ('"User:\n"', False), ('"\n\n"', False), ('"Observation\n"', False),
        ("<|im_end|>", False),
    ],
)  # fmt: skip
def test_marker_with_a_newline_after_it_never_matches(written: str, *, reported: bool) -> None:
    assert ("stop-with-newline" in found(f"PARAMETER stop {written}")) == reported


@pytest.mark.parametrize("written", ['""', '""""""'])
def test_empty_stop_is_reported_beside_other_stops(written: str) -> None:
    assert found("PARAMETER stop User:", f"PARAMETER stop {written}") == ["empty-stop"]


@pytest.mark.parametrize(
    ("line", "fixed"),
    [
        ('PARAMETER system "You answer."', 'SYSTEM "You answer."'),
        ("PARAMETER template {{ .Prompt }}", "TEMPLATE {{ .Prompt }}"),
        ("PARAMETER license MIT", "LICENSE MIT"),
        ("parameter system You answer.", "SYSTEM You answer."),
    ],
)
def test_instruction_written_as_a_parameter_is_fixed_without_a_change(line: str, fixed: str) -> None:
    context = context_of(line)
    assert [item.name for item in lint(context) if item.name != "unused-system"] == ["instruction-as-parameter"]
    after, _ = apply_fixes(context.modelfile, lambda modelfile: lint(Context(modelfile=modelfile)), unsafe=True)
    assert after.text.splitlines()[-1] == fixed
    assert after.commands == context.modelfile.commands


def test_message_written_as_a_parameter_is_reported_without_a_fix() -> None:
    (one,) = lint(
        Context(modelfile=Modelfile.parse(Source(text="# For tests.\nFROM x:y\nPARAMETER message user hi\n")))
    )
    assert (one.name, one.fix) == ("instruction-as-parameter", None)


@pytest.mark.parametrize(
    ("base", "settings", "message"),
    [
        (
            "x:y",
            ["repeat_penalty 1.6"],
            "`repeat_penalty 1.6` makes the model avoid what it has to repeat, such as names",
        ),
        (
            "x:y",
            ["num_ctx 2048", "num_predict 4096"],
            "`num_predict 4096` is more than `num_ctx 2048`, which prompt and",
        ),
        (
            "x:y",
            ["num_ctx 8192", "num_keep 16000"],
            "`num_keep 16000` keeps all of `num_ctx 8192`: nothing can be drop",
        ),
        ("qwen3:4b", ["num_predict 40"], "`num_predict 40` cuts `qwen3` off while it thinks: there is no answer"),
        ("qwen3:8b", ["temperature 0"], "with `temperature 0`, `qwen3` may repeat its thoughts without end"),
    ],
)
def test_numbers_that_do_not_fit_each_other_or_the_base(base: str, settings: list[str], message: str) -> None:
    (only,) = [one for one in lint(context_of(*parameters(*settings), base=base)) if one.name == "suspect-value"]
    assert only.message.startswith(message)


@pytest.mark.parametrize(
    ("base", "settings"),
    [
        ("x:y", ["repeat_penalty 1.5"]),
        ("x:y", ["num_ctx 4096", "num_predict 4096", "num_keep 24"]),
        ("x:y", ["num_ctx 4096", "num_predict -2", "num_keep -1"]),
        ("x:y", ["num_predict 4096", "num_keep 16000"]),
        ("qwen3:4b-instruct-2507-q4_K_M", ["num_predict 40", "temperature 0"]),
        ("llama3.2:3b", ["num_predict 40", "temperature 0"]),
        ("qwen3:8b\nSYSTEM /no_think", ["temperature 0"]),
        ("qwen3:8b\nSYSTEM /nothink Be brief.", ["temperature 0"]),
        ("gpt-oss:20b", ["temperature 0", "num_predict 2048"]),
    ],
)
def test_numbers_that_fit_are_not_suspect(base: str, settings: list[str]) -> None:
    assert "suspect-value" not in found(*parameters(*settings), base=base)


def test_parameters_of_the_answer_have_no_effect_on_embeddings() -> None:
    lines = parameters("num_ctx 512", "temperature 0", "stop User:")
    (only,) = [one for one in lint(context_of(*lines, base="nomic-embed-text")) if one.code == "MF219"]
    assert only.message == "`temperature`, `stop` have no effect: `nomic-embed-text` only makes embeddings"
    assert "prompt-for-embedding" not in found(*parameters("num_ctx 512"), base="nomic-embed-text")
