"""Conversations and templates made to keep `mf` busy: each takes a bounded time, in seconds of CPU."""

from time import process_time

import pytest

import modelfile

MOST_SECONDS = 4.0
"""Time for one rendering; each of these took minutes, or would have taken hours."""


@pytest.mark.parametrize("template", ["{{ range .Messages }}{{ .Content }}{{ end }}", "{{ .Prompt }}"])
@pytest.mark.parametrize("roles", [("user",), ("user", "assistant"), ("system", "system"), ("tool",)])
def test_many_messages_are_rendered_in_linear_time(template: str, roles: tuple[str, ...]) -> None:
    count, length = 24_000, 600
    messages = [{"role": roles[index % len(roles)], "content": "x" * length} for index in range(count)]
    start = process_time()
    prompt = modelfile.render(template, messages=messages, ollama="0.9.3")
    assert process_time() - start < MOST_SECONDS
    assert len(prompt) < count * (length + 2)
