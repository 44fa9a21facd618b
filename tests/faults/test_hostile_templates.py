"""Conversations and templates made to keep `mf` busy: each takes a bounded amount of work, which is counted."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from tests.support.operations import GROWTH, Count, count_copied, count_operations, growth

import modelfile
from modelfile.catalog.versions import NEWEST
from modelfile.errors import TemplateError
from modelfile.gotemplate.evaluation import Budget
from modelfile.gotemplate.parser import parse_template
from modelfile.gotemplate.printing import MOST_BYTES
from modelfile.gotemplate.render import render_within
from modelfile.library.requests import ChatRequest, prompt_of
from modelfile.recipe.model import Model

MOST_LINES = 100
"""Lines of our code that run in a step of a rendering; it is the unit of the limit of a rendering."""
MOST_LINT_LINES = 2_500_000
"""Lines that a lint runs; it took hours for some of these templates."""
SIZE = 20

each_count = pytest.mark.parametrize("count", [count_operations, count_copied])


@each_count
@pytest.mark.parametrize("template", ["{{ range .Messages }}{{ .Content }}{{ end }}", "{{ .Prompt }}"])
@pytest.mark.parametrize("roles", [("user",), ("user", "assistant"), ("system", "system"), ("tool",)])
def test_many_messages_are_rendered_in_linear_time(template: str, roles: tuple[str, ...], count: Count) -> None:
    def prepare(number: int) -> Callable[[], object]:
        messages = [{"role": roles[index % len(roles)], "content": "x" * 100} for index in range(number)]
        return lambda: modelfile.render(template, messages=messages, ollama="0.9.3")

    assert growth(prepare, SIZE, count) <= GROWTH


@each_count
@pytest.mark.parametrize("content", ["[img]", "x" * 20])
def test_many_images_are_tagged_in_linear_time(content: str, count: Count) -> None:
    def prepare(number: int) -> Callable[[], object]:
        request = ChatRequest(messages=[{"role": "user", "content": content * number, "images": [""] * number}])
        return lambda: prompt_of(Model(template="{{ .Prompt }}"), request)

    assert growth(prepare, SIZE, count) <= GROWTH


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
ARGUMENTS = {str(-index): "x" for index in range(2_000)}
CALL = {"function": {"name": "f", "arguments": ARGUMENTS}}
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "x", "tool_calls": [CALL]}]
STRING = 6_000_000 // 512
"""Steps to read the string of `BIG`: 512 bytes a step."""
STEPS = {
    "a truncated string": STRING,
    "a truncated string in hexadecimal": STRING,
    "equal strings": 2 * STRING,
    "ordered strings": 2 * STRING,
    "verbs that print nothing": 2 * 8_000,
    "percent signs": 2 * 30_000,
    "open brackets": 2 * 30_000,
    "a map that is sorted": 2_000 // 4,
    "methods": len(json.dumps(ARGUMENTS, separators=(",", ":"))) // 32,
    "JSON": len(json.dumps(ARGUMENTS, separators=(",", ":"))) // 32,
    "truncated lists": 2_000,
    "variables": 4_000 // 8,
}
"""The least steps that a pass of the loop costs, by the work that it does; 1 for the others."""


def steps_of(template: str, most_steps: int = 10**9) -> tuple[int, Budget]:
    """Return the lines that a rendering runs, and its budget after it."""
    budget, parsed = Budget(most_steps, MOST_BYTES), parse_template(template)

    def run() -> None:
        with suppress(TemplateError):
            render_within(budget, parsed, MESSAGES, None, NEWEST)

    return count_operations(run), budget


@pytest.mark.parametrize("name", [name for name, template in WORK.items() if LOOP in template])
def test_a_pass_costs_the_steps_of_what_it_reads(name: str) -> None:
    template = WORK[name] + "{{ .Messages }}"
    steps_of(template.replace(LOOP, "{{ range $i := 1 }}"))  # imports and caches
    (lines, budget), (more_lines, less_budget) = (
        steps_of(template.replace(LOOP, f"{{{{ range $i := {passes} }}}}")) for passes in (1, 2)
    )
    steps = budget.steps - less_budget.steps
    assert steps >= STEPS.get(name, 1)
    assert more_lines - lines <= MOST_LINES * steps


@pytest.mark.parametrize("name", WORK)
def test_rendering_is_bounded_by_what_a_template_reads(name: str) -> None:
    text = WORK[name] + "{{ .Messages }}"
    least, _ = steps_of(text, 0)
    lines, budget = steps_of(text, 20_000)
    assert budget.exceeded
    assert lines - least <= MOST_LINES * 20_000


@pytest.mark.parametrize("name", WORK)
def test_lint_reports_a_template_that_takes_too_long(name: str) -> None:
    text = f'FROM x\nTEMPLATE """{WORK[name]}' + '{{ range .Messages }}{{ .Role }}: {{ .Content }}{{ end }}"""\n'
    modelfile.lint(text.replace("{{ .Role }}", ""))  # imports
    found: list[modelfile.Diagnostic] = []
    assert count_operations(lambda: found.extend(modelfile.lint(text))) < MOST_LINT_LINES
    assert name in QUICK or "slow-template" in [one.name for one in found]
