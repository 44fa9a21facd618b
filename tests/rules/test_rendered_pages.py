"""The Bad and the Good of pages about templates, proved by the prompts that Ollama makes of them."""

import re
from collections.abc import Callable

import pytest

from modelfile.gotemplate.render import render
from modelfile.linter.rules import RULES
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Template

PAGES = {rule.name: rule.page for rule in RULES}
TOOL = {"type": "function", "function": {"name": "get_bill", "description": "Get a bill.", "parameters": {}}}
QUESTION, ANSWER, AGAIN = (
    {"role": "user", "content": "QUESTION"},
    {"role": "assistant", "content": "ANSWER"},
    {"role": "user", "content": "AGAIN"},
)
SYSTEM = {"role": "system", "content": "SYSTEM"}


def prompt(name: str, example: str) -> str:
    """Return the prompt of a system prompt and two questions, made by an example of a rule's page."""
    found = re.search(rf"^## {example}\n\n```\n(.*?)^```$", PAGES[name], re.MULTILINE | re.DOTALL)
    assert found
    template = Modelfile.parse(Source(text=found[1])).last(Template)
    assert template
    return render(template.value.text, messages=[SYSTEM, QUESTION, ANSWER, AGAIN], tools=[TOOL])


@pytest.mark.parametrize(
    ("name", "is_bad"),
    [
        ("bos-in-template", lambda text: text.startswith("<s>")),
        ("dropped-messages", lambda text: "ANSWER" not in text),
        ("field-outside-guard", lambda text: text.count("<|im_end|>") >= text.count("<|im_start|>")),
        ("misspelled-marker", lambda text: "<|im_strat|>" in text),
        ("missing-newline", lambda text: "user QUESTION" in text),
        ("mixed-markers", lambda text: "<|eot_id|>" in text),
        ("response-cuts-prompt", lambda text: "AGAIN" not in text),
        ("system-twice", lambda text: text.count("SYSTEM") > 1),
        ("system-unguarded", lambda text: "<|im_start|>system\n<|im_end|>" in text),
        ("template-drops-tools", lambda text: "get_bill" not in text),
        ("template-unknown-variable", lambda text: "AGAIN" not in text),
        ("template-whitespace", lambda text: text.startswith("\n")),
        ("template-without-prompt", lambda text: "QUESTION" not in text),
        ("template-without-response", lambda text: "ANSWER<|eot_id|>" not in text),
        ("tool-printed-as-struct", lambda text: '"name":"get_bill"' not in text),
        ("unclosed-turn", lambda text: "ANSWER<|im_end|>" not in text),
        ("unknown-role", lambda text: "<start_of_turn>assistant" in text),
        ("unopened-turn", lambda text: "<|im_start|>" not in text.partition("AGAIN")[2]),
        ("unused-system", lambda text: "SYSTEM" not in text),
    ],
)
def test_only_the_bad_prompt_has_the_defect(name: str, is_bad: Callable[[str], bool]) -> None:
    assert is_bad(prompt(name, "Bad"))
    assert not is_bad(prompt(name, "Good"))
