"""Cases of the parameter rules that their pages do not show."""

import pytest

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
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
    assert names(context_of(*(f"PARAMETER stop {stop}" for stop in stops), base=base)) == ["foreign-stop"] * reported


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


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("temperature eg 0.9", "write `0.9`"),
        ("temperature 0,7", "write `0.7`"),
        ("temperature 1 2", "write it with a decimal point, as in 0.7"),
        ("num_ctx 4096.0", "write `4096`"),
        ("num_ctx 8k", "write `8192`"),
        ("num_ctx 0x10", "write digits only, as in 4096"),
        ("top_k 40.5", "write digits only, as in 4096"),
        ("seed 99999999999999999999", "write digits only, as in 4096"),
        ("num_gpu all", "write digits only, as in 4096; -1 means: as many as fit; 0 means: CPU only"),
    ],
)
def test_hint_repeats_the_only_number_of_a_value(line: str, hint: str) -> None:
    found = [item.hint for item in lint(context_of(f"PARAMETER {line}")) if item.name == "invalid-parameter-value"]
    assert found == [hint]


def test_hint_names_a_stop_that_marks_a_turn() -> None:
    (one,) = lint(context_of("PARAMETER stop green"))
    assert one.hint == "use a stop that only marks a turn, such as `<|im_end|>` or `User:`"


def test_foreign_stop_replaces_those_of_the_base() -> None:
    (one,) = lint(context_of("PARAMETER stop <|im_end|>", base="llama3.2:3b"))
    assert one.message.endswith("it stops nothing and replaces the stops of the base")
