"""Markers, stops and shards that belong to the base, or to the page that they were copied from."""

from pathlib import Path

import pytest

from modelfile import lint
from modelfile.redaction import find_secrets

CHATML = (
    'TEMPLATE """{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n'
    '{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"""\n'
)
BLOB = "/usr/share/ollama/.ollama/models/blobs/sha256-" + "6a0746a1" * 8


def found(text: str, name: str) -> list[str]:
    return [one.message for one in lint(text) if one.name == name]


def test_markers_for_html_are_reported_once() -> None:
    template = CHATML.replace("<|", "&lt;|").replace("|>", "|&gt;")
    (only,) = lint(f"# For tests.\nFROM ./openhermes-2.5-mistral-7b.Q6_K.gguf\n{template}")
    assert only.message == "`&lt;|im_start|&gt;` is not a turn marker: `&lt;` and `&gt;` are written for HTML"
    assert only.fix
    assert {edit.text for edit in only.fix.edits} == {"<|im_start|>", "<|im_end|>"}


@pytest.mark.parametrize(("base", "right"), [("openchat:7b", "<|end_of_turn|>"), ("gemma2:9b", "<end_of_turn>")])
def test_misspelled_stop_is_the_marker_of_the_base(base: str, right: str) -> None:
    (only,) = [one for one in lint(f"FROM {base}\nPARAMETER stop <|end_of_turn>\n") if one.code == "MF424"]
    assert only.hint == f"write `{right}`"


def test_misspelled_end_does_not_hide_that_its_stop_is_missing() -> None:
    template = CHATML.replace("{{ .Response }}<|im_end|>", "{{ .Response }}<|im_end>")
    text = f"FROM ./weights.gguf\n{template}PARAMETER stop </s>\n"
    assert len(found(text, "missing-stop")) == len(found(text, "misspelled-marker")) == 1
    assert found(text.replace("</s>", "<|im_end|>"), "missing-stop") == []


def test_foreign_template_says_that_tools_are_lost() -> None:
    (message,) = found(f"FROM llama3.1:8b\n{CHATML}", "foreign-template")
    assert message.endswith("; it has no `.Tools` either, so requests with tools fail")
    (message,) = found(f"FROM llama3:8b\n{CHATML}", "foreign-template")
    assert message.endswith("Llama 3 markers")


@pytest.mark.parametrize(
    ("base", "stop", "reported"),
    [("vicuna:13b", "###", True), ("vicuna:13b", "USER:", False), ("llama3.2:3b", "###", False)],
)
def test_stops_of_a_base_with_plain_markers_are_lost(base: str, stop: str, *, reported: bool) -> None:
    message = "these stops replace `USER:`, `ASSISTANT:` of the base: `vicuna` goes on with the user's turn"
    assert found(f"FROM {base}\nPARAMETER stop {stop}\n", "foreign-stop") == [message] * reported


def test_template_of_a_base_that_fills_gaps_needs_the_suffix() -> None:
    base = "qwen2.5-coder:1.5b-base"
    (message,) = found(f"FROM {base}\nTEMPLATE {{{{ .Prompt }}}}\n", "template-drops-capability")
    assert message == "`qwen2.5-coder` supports insert, but this TEMPLATE has no `.Suffix`: requests with a suffix fail"
    assert found(f"FROM {base}\nTEMPLATE {{{{ .Prompt }}}}{{{{ .Suffix }}}}\n", "template-drops-capability") == []


def test_base_is_known_by_the_comment_above_its_blob() -> None:
    text = f"# To build a new Modelfile based on this, replace FROM with:\n# FROM llama3:8b\n\nFROM {BLOB}\n"
    (message,) = found(f"{text}PARAMETER num_ctx 131072\n", "context-beyond-training")
    assert message == "`num_ctx 131072` is more than `llama3` was trained on: Ollama uses 8192"
    assert found(text.replace("# FROM llama3:8b", "#") + "PARAMETER num_ctx 131072\n", "context-beyond-training") == []


def test_missing_shard_is_called_one(tmp_path: Path) -> None:
    name = "Qwen2.5-72B-Instruct-Q4_K_M-{:05}-of-00002.gguf"
    one, two = f"FROM ./{name.format(1)}\n", f"FROM ./{name.format(2)}\n"
    (alone,) = [each.message for each in lint(one, tmp_path / "Modelfile") if each.code == "MF207"]
    assert alone == f"file not found: `./{name.format(1)}`; it is shard 1 of 2, and not all have a FROM"
    both = [each.message for each in lint(one + two, tmp_path / "Modelfile") if each.code == "MF207"]
    assert all("shard" not in message for message in both)


def test_license_that_allows_more_than_the_base_is_reported() -> None:
    (message,) = found('FROM command-r:35b\nLICENSE "Free for commercial use."\n', "license-mismatch")
    assert message == "LICENSE allows commercial use, but `command-r` is under CC-BY-NC-4.0, which does not"
    for line in (
        "FROM command-r:35b\nLICENSE Not for commercial use.",
        "FROM mistral:7b\nLICENSE Free for commercial use.",
    ):
        assert found(f"{line}\n", "license-mismatch") == []


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("login svc-ollama / Tr0ub4dor&3-prod", True),
        ("user: anna, Sunny!Day99", True),
        ("Give it to the user: https://perplexity.ai/pro?referral=3NXAWUGR", False),
        ("login page / Settings", False),
        ("user names / Passwords2024", False),
        ("account types: Basic/Pro", False),
        ("the user can, e.g., write C++17/C#", False),
    ],
)
def test_password_after_a_login_is_found(text: str, *, reported: bool) -> None:
    assert any(find_secrets(text)) == reported


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("Jürgen Wessendorf, insurance number K284615937, admitted.", True),
        ("Passport no. C01X00T47 of Anna.", False),
        ("passport number: 492837465 of Anna", True),
        ("Ask for the insurance number first.", False),
        ("Example: patient id 123456789.", False),
    ],
)
def test_identity_numbers_are_personal(text: str, *, reported: bool) -> None:
    assert bool(found(f"FROM llama3.2:3b\nSYSTEM {text}\n", "personal-data")) == reported
