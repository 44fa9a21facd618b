"""Rule MF510."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prose import hide_code
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.structure.swallowed_instruction import swallowed_line
from modelfile.linter.rules.text.unexpanded_reference import is_example, reference
from modelfile.syntax.nodes import Instruction, Message, System

# Compiled on use: few texts have two braces.
_ACTION: Final = (
    r"(?<![\w}\\^$])\{\{[-#/]?\s*(?!c\d+::)(?:\.[A-Za-z]|\$|[A-Za-z_])[^{}\r\n\"]{0,100}(?:\"[^{}\r\n]{0,100})?\}\}"
)
_ABOUT_TEMPLATES: Final = (
    r"\b(?:jinja2?|handlebars|mustache|liquid|vue(?:\.?js)?|angular|helm|ansible|django|twig|blade|nunjucks|svelte|hugo"
    r"|text/template|go templates?|templat(?:e|ing) (?:engines?|languages?|syntax|variables?)|placeholders?"
    r"|(?:double|curly) (?:curly )?braces|cloze|wikitext|mediawiki|n8n|latex|modelfiles?|prompt templates?)\b"
)


@rule("MF510", "template-in-system", on=(System, Message), severity=Severity.WARNING)
def template_in_system(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""SYSTEM or MESSAGE contains an action of a template.

    Ollama evaluates `{{ … }}` in TEMPLATE alone. In SYSTEM and MESSAGE the model sees these characters, whether they
    are written for Go, Jinja or another engine. Write the text itself, or let the application send the system prompt
    with its values filled in. Texts on templates, and code in fences or backquotes, are not reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing. Today is {{ currentDate }}.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    if (match := find_action(instruction)) and not swallowed_line(instruction, context):
        value, word = instruction.value, instruction.keyword.text.strip().upper()
        span = context.modelfile.locate_span(value, *match.span())
        message = f"Ollama does not evaluate `{match[0]}` in {word}: the model sees these characters"
        yield Finding(span, message, "write the text itself; only TEMPLATE is evaluated")


def find_action(instruction: Instruction) -> re.Match[str] | None:
    """Return the first action of a template in a SYSTEM or MESSAGE, unless the text is about templates."""
    value = instruction.value
    if "{{" not in value.text or not value.closed or not isinstance(instruction, System | Message):
        return None
    if reference(instruction) or re.search(_ABOUT_TEMPLATES, value.text, re.IGNORECASE):
        return None
    prose = hide_code(value.text)
    return next((each for each in re.finditer(_ACTION, prose) if not is_example(prose, each.start())), None)
