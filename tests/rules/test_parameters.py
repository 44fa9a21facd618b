"""Cases of the parameter rules that their pages do not show."""

import pytest

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.diagnostics import Severity
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile


def context_of(*lines: str, ollama: str = "0.33.0", base: str = "x:y") -> Context:
    text = "".join(f"{line}\n" for line in ("# For tests.", f"FROM {base}", *lines))
    return Context(modelfile=Modelfile.parse(Source(text=text)), ollama=catalog(Version.parse(ollama)))


def names(context: Context) -> list[str]:
    return [item.name for item in lint(context)]


@pytest.mark.parametrize(
    ("written", "stops"),
    [
        ('["</s>"]', ["</s>"]),
        ("['a', 'b']", ["a", "b"]),
        ('"["<|a|>", "<|b|>"]"', ["<|a|>", "<|b|>"]),
        ('"User:" "Bot:"', ["User:", "Bot:"]),
        ('"a:", "b:"', ["a:", "b:"]),
        ("<|a|> <|b|>", ["<|a|>", "<|b|>"]),
        ("[INST], [/INST]", ["[INST]", "[/INST]"]),
        ('"<s>,</s>"', ["<s>", "</s>"]),
    ],
)
def test_stops_on_one_line_are_split(written: str, stops: list[str]) -> None:
    context = context_of(f"PARAMETER stop {written}")
    assert names(context) == ["suspicious-stop"]
    fixed, _ = apply_fixes(context.modelfile, lambda modelfile: lint(Context(modelfile=modelfile)), unsafe=True)
    assert [value for name, value in fixed.commands if name == "stop"] == stops


@pytest.mark.parametrize(
    "written",
    [
        "<|im_end|>", "[INST]", "[Summary End]", '"<|start|>user"', "### Response:", "User:", "END", "§", "->", "```",
        '"<|a|> <|b|>"', '"a, b"', '"<s> [INST]"', "Mit freundlichen Grüßen", "[1, 2]",
    ],
)  # fmt: skip
def test_single_stops_are_not_reported(written: str) -> None:
    assert names(context_of(f"PARAMETER stop {written}")) == []


@pytest.mark.parametrize("written", ["Result", "green", '"Ergebnis"', "用户"])
def test_ordinary_word_is_a_suspicious_stop(written: str) -> None:
    assert names(context_of(f"PARAMETER stop {written}")) == ["suspicious-stop"]


@pytest.mark.parametrize(
    ("written", "reported"),
    [
        ("<|x|> # my stop", True),
        ("User:  #end", True),
        ('"<|x|> # my stop"', False),
        ("### Response", False),
        ("<|x|> ##", False),
        ("a b # c", False),
    ],
)
def test_comment_after_a_stop_is_reported(written: str, *, reported: bool) -> None:
    assert names(context_of(f"PARAMETER stop {written}")) == ["suspicious-stop"] * reported


@pytest.mark.parametrize(
    ("base", "stops", "reported"),
    [
        ("llama3.2:3b", ["<|im_end|>"], True),
        ("llama3.2:3b", ["<|im_end|>", "<|eot_id|>"], False),
        ("llama3.2:3b", ["User:"], False),
        ("somebody/llama3.2:3b", ["<|im_end|>"], False),
        ("hf.co/library/llama3.2:Q4_K_M", ["<|im_end|>"], False),
        ("dolphin-llama3:8b", ["<|im_end|>"], False),
    ],
)
def test_stops_of_another_family_are_reported(base: str, stops: list[str], *, reported: bool) -> None:
    found = lint(context_of(*(f"PARAMETER stop {stop}" for stop in stops), base=base))
    assert [one.name for one in found if one.severity is not Severity.INFO] == ["foreign-stop"] * reported


@pytest.mark.parametrize(
    ("base", "own", "loss"),
    [("llama3.2:3b", "Llama 3", " and replace the stops of the base"), ("mistral-small:24b", "Mistral (V7)", "")],
)
def test_foreign_stops_of_each_format_are_reported_with_what_they_do(base: str, own: str, loss: str) -> None:
    stops = ("<|im_start|>", "<|im_end|>", "Customer:", "<end_of_turn>", "<|im_end|>")
    found = [one.message for one in lint(context_of(*(f"PARAMETER stop {stop}" for stop in stops), base=base))]
    but = f"but this base uses those of {own}:"
    assert [message for message in found if "turn marker" in message] == [
        f"`<|im_start|>`, `<|im_end|>` are turn markers of ChatML, {but} they stop nothing{loss}",
        f"`<end_of_turn>` is a turn marker of Gemma, {but} it stops nothing",
    ]


@pytest.mark.parametrize("number", ["inf", "-Infinity", "NaN", "1e39", "0x1p128", "-3.5e38"])
def test_non_finite_numbers_are_reported(number: str) -> None:
    assert names(context_of(f"PARAMETER temperature {number}")) == ["non-finite-number"]


@pytest.mark.parametrize("number", ["infinite", "inf.", "1e", "nan0"])
def test_invalid_numbers_are_not_called_non_finite(number: str) -> None:
    assert names(context_of(f"PARAMETER temperature {number}")) == ["invalid-parameter-value"]


@pytest.mark.parametrize(
    ("lines", "ollama", "reported"),
    [
        (["PARAMETER repeat_last_n 64"], "0.33.0", True),
        (["PARAMETER repeat_last_n 64"], "0.32.9", False),
        (["PARAMETER repeat_last_n 64"], "0.17.6", True),
        (["PARAMETER repeat_last_n 0"], "0.33.0", False),
        (["PARAMETER repeat_last_n 64", "PARAMETER frequency_penalty 0.5"], "0.33.0", False),
    ],
)
def test_changed_default_of_the_penalty_is_reported(lines: list[str], ollama: str, *, reported: bool) -> None:
    assert names(context_of(*lines, ollama=ollama)) == ["changed-default"] * reported


@pytest.mark.parametrize("line", ["PARAMETER repeat_last_n 64 tokens", "PARAMETER seed 1.5"])
def test_invalid_value_is_one_finding(line: str) -> None:
    assert names(context_of(line)) == ["invalid-parameter-value"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("temperature eg 0.9", "write `0.9`"),
        ("temperature 0,7", "write `0.7`"),
        ("temperature 0.95b, as the RunPod template (CUDA 12.1) has it", "write it with a decimal point, as in 0.7"),
        ("temperature 1 2", "write it with a decimal point, as in 0.7"),
        ("num_ctx 4096.0", "write `4096`"),
        ("num_ctx 8k", "write `8192`"),
        ("temperature ${TEMP:-0.7}", "write the value itself: Ollama expands no variables"),
        ("num_ctx $(nproc)", "write the value itself: Ollama expands no variables"),
        ("top_k 1,000", "write `1000`"),
        ("num_ctx 131.072", "write `131072`"),
        ("num_ctx 0x10", "write digits only, as in 8192"),
        ("top_k 40.5", "write digits only, as in 40"),
        ("top_k many", "write digits only, as in 40; -1 or 0 means: all"),
        ("seed 99999999999999999999", "write digits only, as in 42"),
        ("num_gpu all", "write `-1` (as many as fit) or `0` (CPU only)"),
        ("num_gpu CPU", "write `-1` (as many as fit) or `0` (CPU only)"),
        ("num_gpu some", "write digits only, as in 24; -1 means: as many as fit; 0 means: CPU only"),
        ("num_thread auto", "write `0` (the server decides)"),
    ],
)
def test_hint_repeats_the_only_number_of_a_value(line: str, hint: str) -> None:
    found = [item.hint for item in lint(context_of(f"PARAMETER {line}")) if item.name == "invalid-parameter-value"]
    assert found == [hint]


@pytest.mark.parametrize(
    ("name", "intended"),
    [
        ("ctx_size", "num_ctx"), ("max_tokens", "num_predict"), ("max_new_tokens", "num_predict"), ("ngl", "num_gpu"),
        ("n_gpu_layers", "num_gpu"), ("gpu_layers", "num_gpu"), ("stop_sequence", "stop"), ("stop_sequences", "stop"),
        ("n_ctx", "num_ctx"), ("context_length", "num_ctx"), ("topK", "top_k"), ("Top_P", "top_p"), ("minP", "min_p"),
        ("maxTokens", "num_predict"), ("repetition_penalty", "repeat_penalty"), ("temp", "temperature"),
        ("temprature", "temperature"), ("num_threads", "num_thread"), ("batch_size", "num_batch"),
    ],
)  # fmt: skip
def test_name_of_another_program_is_replaced(name: str, intended: str) -> None:
    (one,) = lint(context_of(f"PARAMETER {name} 1"))
    assert one.fix
    assert (one.name, one.fix.edits[0].text) == ("unknown-parameter", intended)
    assert f"`{intended}`" in (one.hint or "")


@pytest.mark.parametrize(
    ("written", "fixed"),
    [
        ("top-k 40", "top_k 40"), ("frequency-penalty 0.5", "frequency_penalty 0.5"), ("--temp 1", "temperature 1"),
        ('"num_ctx" 4096', "num_ctx 4096"), ("num_ctx=4096", "num_ctx 4096"), ("max-tokens: 9", "num_predict 9"),
        ("foo=3", "foo 3"),
    ],
)  # fmt: skip
def test_name_with_other_characters_is_replaced(written: str, fixed: str) -> None:
    (one,) = lint(context_of(f"PARAMETER {written}"))
    assert one.fix
    assert (one.name, one.fix.edits[0].text) == ("missing-argument", fixed)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("ctx_size 4096", "write `PARAMETER num_ctx 4096`"),
        ("max_tokens: 512", "write `PARAMETER num_predict 512`"),
        ("temp = 0.7", "write `PARAMETER temperature 0.7`"),
    ],
)
def test_name_of_another_program_alone_on_a_line_is_a_parameter(line: str, hint: str) -> None:
    (one,) = lint(context_of(line))
    assert (one.name, one.hint) == ("unknown-instruction", hint)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("think", "field of each request"), ("keep_alive", "OLLAMA_KEEP_ALIVE"), ("format", '"format": "json"'),
        ("reasoning_effort", "`ollama run --think`"), ("keep-alive", "OLLAMA_KEEP_ALIVE"),
        ("flash_attention", "OLLAMA_FLASH_ATTENTION=1"), ("cache_type_k", "OLLAMA_KV_CACHE_TYPE"),
        ("learning_rate", "Ollama does not train"), ("rope_scaling", "from the weights"),
        ("description", "make it a comment"), ("zzz", "Ollama has no such parameter"),
    ],
)  # fmt: skip
def test_setting_that_is_no_parameter_is_explained(name: str, where: str) -> None:
    (one,) = lint(context_of(f"PARAMETER {name} 1"))
    assert f"unknown parameter `{name}`" == one.message
    assert where in (one.hint or "")
    assert one.fix is None
    assert len(one.hint or "") < 150


@pytest.mark.parametrize(("name", "word"), [("system_prompt", "SYSTEM"), ("SYSTEM", "SYSTEM"), ("lora", "ADAPTER")])
def test_instruction_in_other_words_is_no_parameter(name: str, word: str) -> None:
    (one,) = lint(context_of(f"PARAMETER {name} x"))
    assert one.fix
    assert (one.name, one.fix.edits[0].text) == ("unknown-parameter", word)


def test_hint_names_a_stop_that_marks_a_turn() -> None:
    (one,) = lint(context_of("PARAMETER stop green"))
    assert one.hint == "use a stop that only marks a turn, such as `<|im_end|>` or `User:`"


def test_foreign_stop_replaces_those_of_the_base() -> None:
    (one,) = lint(context_of("PARAMETER stop <|im_end|>", base="llama3.2:3b"))
    assert one.message.endswith("it stops nothing and replaces the stops of the base")


@pytest.mark.parametrize(
    ("text", "reported"), [("SYSTEM End each answer with </s>.", False), ("SYSTEM Be kind.", True)]
)
def test_stop_that_the_prompt_asks_for_is_not_foreign(text: str, *, reported: bool) -> None:
    assert ("foreign-stop" in names(context_of("PARAMETER stop </s>", text, base="qwen3:8b"))) == reported
