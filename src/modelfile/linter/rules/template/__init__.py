"""Template (MF4xx)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from modelfile.linter.rule import template_in_force
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Renderer, Template

if TYPE_CHECKING:
    from modelfile.gotemplate.parser import Template as ParsedTemplate

BRACED: Final = re.compile(
    r"(?<![{$\w])\{-?\s*(?:(?P<name>prompt|user_prompt|system|system_prompt|response)"
    r"|(?:(?:if|range|with)\s+)?\.(?:Prompt|System|Response|Messages|Role|Content))\s*-?\}(?!\})"
)
"""A value in single braces, as in Python, which is plain text to Go; what stands between others is not meant so."""


def used_template(modelfile: Modelfile) -> tuple[Template, ParsedTemplate] | None:
    """The TEMPLATE in force, unless a RENDERER takes its place."""
    if any(isinstance(node, Renderer) for node in modelfile.nodes):
        return None
    return template_in_force(modelfile)


def located(span: Span, template: Template, modelfile: Modelfile) -> Span:
    """Where in the Modelfile a place in its template is."""
    return Span(modelfile.locate(template.value, span.start), modelfile.locate(template.value, span.end))
