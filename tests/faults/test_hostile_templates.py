"""Conversations and templates made to keep `mf` busy: each takes a bounded time, in seconds of CPU."""

from contextlib import suppress
from time import process_time
from typing import Any

import pytest

import modelfile
from modelfile.library.requests import ChatRequest, prompt_of
from modelfile.recipe.model import Model

MOST_SECONDS = 4.0
"""Time for one rendering; each of these took minutes, or would have taken hours."""

MOST_LINT_SECONDS = 0.5
"""Time for a lint, which took up to hours; it is less than 0.1 s on a machine that does nothing else."""


@pytest.mark.no_cover  # coverage takes several times as long
@pytest.mark.parametrize("template", ["{{ range .Messages }}{{ .Content }}{{ end }}", "{{ .Prompt }}"])
@pytest.mark.parametrize("roles", [("user",), ("user", "assistant"), ("system", "system"), ("tool",)])
def test_many_messages_are_rendered_in_linear_time(template: str, roles: tuple[str, ...]) -> None:
    count, length = 24_000, 600
    messages = [{"role": roles[index % len(roles)], "content": "x" * length} for index in range(count)]
    start = process_time()
    prompt = modelfile.render(template, messages=messages, ollama="0.9.3")
    assert process_time() - start < MOST_SECONDS
    assert len(prompt) < count * (length + 2)


@pytest.mark.no_cover  # coverage takes several times as long
@pytest.mark.parametrize("content", ["[img]" * 100_000, "x" * 2_000_000])
def test_many_images_are_tagged_in_linear_time(content: str) -> None:
    request = ChatRequest(messages=[{"role": "user", "content": content, "images": [""] * 100_000}])
    start = process_time()
    prompt = prompt_of(Model(template="{{ .Prompt }}"), request)
    assert process_time() - start < MOST_SECONDS
    assert prompt.count("[img-") == 100_000


BIG = '{{ $a := printf "%1000000d%1000000d%1000000d%1000000d%1000000d%1000000dé" 1 1 1 1 1 1 }}'
LOOP = "{{ range $i := 900000 }}"
WORK: dict[str, str] = {
    "steps": LOOP + "{{ end }}",
    "a truncated string": BIG + LOOP + '{{ $b := printf "%.1s" $a }}{{ end }}',
    "a truncated string in hexadecimal": BIG + LOOP + '{{ $b := printf "%.1x" $a }}{{ end }}',
    "equal strings": BIG + '{{ $b := print $a "" }}' + LOOP + "{{ if eq $a $b }}{{ end }}{{ end }}",
    "ordered strings": BIG + '{{ $b := print $a "" }}' + LOOP + "{{ if lt $a $b }}{{ end }}{{ end }}",
    "a string many times": BIG + "{{ len (print" + " $a" * 20_000 + ") }}",
    "quoted strings": BIG + '{{ len (printf "' + "%q" * 2_000 + '"' + " $a" * 2_000 + ") }}",
    "escaped strings": BIG + "{{ len (js " + " $a" * 2_000 + ") }}",
    "a long constant": LOOP + '{{ $b := "' + "\\n" * 30_000 + '" }}{{ end }}',
    "verbs that print nothing": LOOP + '{{ $b := printf "' + "%.0[1]s" * 8_000 + '" "x" }}{{ end }}',
    "percent signs": LOOP + '{{ $b := printf "' + "%%" * 30_000 + '" }}{{ end }}',
    "open brackets": LOOP + '{{ $b := printf "' + "%[" * 30_000 + '" }}{{ end }}',
    "digits that are not printed": LOOP + '{{ $b := printf "%.1000000g" 1.5 }}{{ end }}',
    "digits of many numbers": '{{ len (printf "' + "%#.1000000[1]e" * 4_000 + '" 1.5) }}',
    "a loop that ends at once": LOOP + "{{ range $.Messages }}{{ break }}{{ end }}{{ end }}",
    "a map that is sorted": LOOP
    + "{{ range (index $.Messages 0).ToolCalls }}{{ range .Function.Arguments }}{{ break }}"
    "{{ end }}{{ end }}{{ end }}",
    "methods": LOOP
    + "{{ range (index $.Messages 0).ToolCalls }}{{ $b := .Function.Arguments.String }}{{ end }}{{ end }}",
    "JSON": LOOP + "{{ $b := json $.Messages }}{{ end }}",
    "truncated lists": LOOP + '{{ $b := printf "%.0s" (index $.Messages 0).ToolCalls }}{{ end }}',
    "variables": "{{ $a := 1 }}" * 4_000 + LOOP + "{{ $b := $ }}{{ end }}",
}
QUICK = {"a map that is sorted", "methods", "truncated lists"}
"""Those that take long only with large arguments of tool calls, which the conversations of lint do not have."""
CALL = {"function": {"name": "f", "arguments": {str(-index): "x" for index in range(20_000)}}}


@pytest.mark.no_cover  # coverage takes several times as long
@pytest.mark.parametrize("name", WORK)
def test_rendering_is_bounded_by_what_a_template_reads(name: str) -> None:
    messages: list[Any] = [{"role": "user", "content": "x", "tool_calls": [CALL]}]
    messages += [{"role": role, "content": "y"} for role in ("assistant", "user")] * 20_000
    start = process_time()
    with suppress(modelfile.TemplateError):
        modelfile.render(WORK[name] + "{{ .Messages }}", messages=messages)
    assert process_time() - start < MOST_SECONDS


@pytest.mark.no_cover  # coverage takes several times as long
@pytest.mark.parametrize("name", WORK)
def test_lint_reports_a_template_that_takes_too_long(name: str) -> None:
    text = f'FROM x\nTEMPLATE """{WORK[name]}' + '{{ range .Messages }}{{ .Role }}: {{ .Content }}{{ end }}"""\n'
    modelfile.lint(text.replace("{{ .Role }}", ""))  # imports
    start = process_time()
    found = modelfile.lint(text)
    assert process_time() - start < MOST_LINT_SECONDS
    assert name in QUICK or "slow-template" in [one.name for one in found]
