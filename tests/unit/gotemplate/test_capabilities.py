"""Tests of the capabilities that templates give."""

import pytest

from modelfile.gotemplate.capabilities import template_capabilities
from modelfile.gotemplate.parser import parse_template


@pytest.mark.parametrize(
    ("template", "capabilities"),
    [
        ("{{ .Prompt }}", set()),
        ("{{ .Tools }}{{ .Prompt }}", {"tools"}),
        ("{{ .tools }}{{ .Prompt }}", {"tools"}),
        ("{{ .Prompt }}{{ .Suffix }}", {"insert"}),
        ("{{ range .Messages }}<think>{{ .Thinking }}</think>{{ end }}", {"thinking"}),
        ("{{ range .Messages }}{{ .Thinking }}{{ end }}", set()),
        ("{{ if .Think }}/think{{ end }}{{ .Prompt }}", set()),
        ("{{ broken", set()),
    ],
)
def test_a_template_gives_capabilities_by_its_variables(template: str, capabilities: set[str]) -> None:
    assert template_capabilities(parse_template(template)) == capabilities
