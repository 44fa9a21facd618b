"""Tests of the prompts that rules render."""

import re

from tests.support.paths import ROOT

from modelfile.catalog.versions import NEWEST
from modelfile.linter.prompts import _CONVERSATIONS, find_excess, render_conversation

EACH = "{{ range .Messages }}[{{ .Role }}:{{ .Content }}]{{ end }}"


def test_contents_are_where_the_template_prints_them() -> None:
    prompt = render_conversation(EACH, "SUAU", NEWEST)
    assert prompt
    assert prompt.gaps == ("[system:", "][user:", "][assistant:", "][user:", "]")
    assert all(prompt.sends(index) for index in range(4))


def test_a_message_that_is_left_out_or_printed_twice_has_no_gaps() -> None:
    prompt = render_conversation(
        '{{ range .Messages }}{{ if eq .Role "user" }}{{ .Content }}{{ end }}{{ end }}', "UA", NEWEST
    )
    assert prompt
    assert (prompt.sends(0), prompt.sends(1), prompt.gaps) == (True, False, None)
    prompt = render_conversation(EACH * 2, "U", NEWEST)
    assert prompt
    assert prompt.gaps is None


def test_a_tool_is_called_before_it_answers() -> None:
    each = "{{ range .Messages }}{{ range .ToolCalls }}!{{ end }}{{ .Content }}{{ end }}"
    template = "{{ range .Tools }}{{ .Function.Name }}{{ end }}" + each
    prompt = render_conversation(template, "UAT", NEWEST)
    assert prompt
    assert prompt.gaps == ("get_bill", "!", "", "")


def test_what_cannot_be_rendered_has_no_prompt() -> None:
    assert render_conversation("{{ .Prompt.Text }}", "U", NEWEST) is None
    assert render_conversation("x" * (1 << 16) + "{{ .Prompt }}", "U", NEWEST) is None


def test_what_takes_too_long_has_a_reason_and_no_prompt() -> None:
    loop = "{{ range 30000 }}{{ end }}"
    assert find_excess(EACH, NEWEST) is None
    assert find_excess("{{ .Prompt.Text }}", NEWEST) is None
    for template, reason in {
        loop + EACH: "the template takes more than 10,000 steps",
        f"{{{{ if .Tools }}}}{loop}{{{{ end }}}}{EACH}": "the template takes more than 10,000 steps",
        "{{ range 900 }}" + "x" * 999 + "{{ end }}" + EACH: "the template prints more than 524,288 bytes",
        '{{ len (printf "' + "%1000000[1]d" * 18 + '" 1) }}' + EACH: "the template prints more than 16,777,216 bytes",
        "x" * (1 << 16) + EACH: "the template has more than 65,536 characters",
    }.items():
        assert find_excess(template, NEWEST) == reason
        assert render_conversation(template, "UAT", NEWEST) is None


def test_each_conversation_of_a_rule_is_among_those_whose_excess_is_reported() -> None:
    rendered = set()
    for path in (ROOT / "src/modelfile/linter/rules").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "render_conversation(" in text:
            rendered |= set(re.findall(r'"([SUAT]{2,})"', text))
    assert rendered == set(_CONVERSATIONS)
