"""Rule MF523."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prose import hide_code
from modelfile.linter.rule import Context, base_family, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Message, System, Template

_SWITCH: Final = r"(?<![\w\"'(/.:])/no_?think(?![\w\"'/])"
_KNOWING: Final = ("qwen3", "smollm3", "nemotron", "glm", "hermes", "cogito", "dolphin", "lfm", "exaone", "olmo")
"""How the names of models begin that know the switch, or of which some releases may."""


@rule("MF523", "unknown-switch", on=Modelfile, severity=Severity.WARNING)
def unknown_switch(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A text has `/no_think`, which the base does not know.

    Qwen3 and few others were trained to skip their thoughts after `/no_think`. To all others these are characters like
    any others: a model that thinks goes on to do so, and one that does not may repeat them. Thinking is switched off by
    each request: `"think": false`, or `ollama run --think=false`. The rule knows the models of Ollama's library.

    ## Bad

    ```
    # Answers questions on billing.
    FROM deepseek-r1:14b
    SYSTEM Answer in one sentence. /no_think
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM deepseek-r1:14b
    SYSTEM Answer in one sentence.
    ```
    """
    if "/no" not in modelfile.text:
        return
    for node in (node for kind in (System, Template, Message) for node in modelfile.of_type(kind)):
        if not node.value.closed or not (match := re.search(_SWITCH, hide_code(node.value.text))):
            continue
        family = base_family(modelfile, context)
        if family is None or family.name.startswith(_KNOWING):
            return
        message = f"`{match[0]}` is a switch of Qwen3: to `{family.name}` these are characters like any others"
        hint = 'delete it; requests switch thinking off by `"think": false`'
        if "thinking" not in family.capabilities:
            hint = "delete it: this model does not think"
        span = modelfile.locate_span(node.value, *match.span())
        yield Finding(span, message, hint)
        return
