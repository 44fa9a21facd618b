"""Tests of the prompts that rules render."""

from modelfile.catalog.versions import NEWEST
from modelfile.linter.prompts import render_conversation

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
