"""Template (MF4xx)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from modelfile.linter.rule import last_template
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Renderer, Template

if TYPE_CHECKING:
    from modelfile.gotemplate.parser import ParsedTemplate

BRACED: Final = re.compile(
    r"(?<![{$\w])\{-?\s*(?:(?P<name>prompt|user_prompt|system|system_prompt|response)"
    r"|(?:(?:if|range|with)\s+)?\.(?:Prompt|System|Response|Messages|Role|Content))\s*-?\}(?!\})"
)
"""A variable in single braces, as in Python; plain text to Go. Braces next to it or around it make it JSON or code."""


def effective_template(modelfile: Modelfile) -> tuple[Template, ParsedTemplate] | None:
    """Return the TEMPLATE that Ollama uses; None if there is none, or a RENDERER replaces it."""
    if modelfile.last(Renderer):
        return None
    return last_template(modelfile)


def locate_span(span: Span, template: Template, modelfile: Modelfile) -> Span:
    """Convert a span in the template to one in the Modelfile."""
    return Span(modelfile.locate(template.value, span.start), modelfile.locate(template.value, span.end))
