"""Template (MF4xx)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from modelfile.linter.rule import Context, base_family, last_template
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Renderer, Template

if TYPE_CHECKING:
    from modelfile.catalog.families import TurnFormat
    from modelfile.gotemplate.parser import ParsedTemplate

BRACED: Final = re.compile(
    r"(?<![{$\w])\{-?\s*(?:(?P<name>prompt|user_prompt|system|system_prompt|response)"
    r"|(?:(?:if|range|with)\s+)?\.(?:Prompt|System|Response|Messages|Role|Content))\s*-?\}(?!\})"
)
"""A variable in single braces, as in Python; plain text to Go. Braces next to it or around it make it JSON or code."""


def effective_template(modelfile: Modelfile, context: Context) -> tuple[Template, ParsedTemplate] | None:
    """Return the TEMPLATE that Ollama uses; None if a RENDERER, of the file or the base, replaces it."""
    found = None if modelfile.last(Renderer) else last_template(modelfile)
    return None if found and inherited_renderer(modelfile, context) else found


def inherited_renderer(modelfile: Modelfile, context: Context) -> tuple[str, str] | None:
    """Return the base and the RENDERER that it brings; None if it brings none, or is not known to."""
    family = base_family(modelfile, context)
    if family is None or not (family.library and family.renderer):
        return None
    from modelfile.catalog.versions import Version

    since = Version.parse(family.since) if family.since else None
    return None if since and context.ollama.version < since else (family.name, family.renderer)


def locate_span(span: Span, template: Template, modelfile: Modelfile) -> Span:
    """Convert a span in the template to one in the Modelfile."""
    return Span(modelfile.locate(template.value, span.start), modelfile.locate(template.value, span.end))


@lru_cache(maxsize=8)
def template_turns(text: str) -> TurnFormat | None:
    """Return the format of turns whose markers a template writes; None if it writes no known ones.

    Several formats share markers: the one counts of which the template has the most, and lacks the fewest. Ordinary
    words count only where there are no other markers.
    """
    from modelfile.catalog.families import turn_formats  # reads a file, and many Modelfiles have no template

    best: tuple[tuple[bool, bool, int, int], TurnFormat] | None = None
    for turns in turn_formats().values():
        has = [marker in text for marker in turns.markers]
        present = sum(has) + sum(end in text for end in turns.ends if end not in turns.markers)
        opens = any(marker in text for marker in turns.markers if marker not in turns.ends)
        rank = (not turns.plain, opens, present - has.count(False), present)
        if (sum(has) > 1 if turns.plain else any(has)) and (not best or rank > best[0]):
            best = rank, turns
    return best[1] if best else None
