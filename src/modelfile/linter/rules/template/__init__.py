"""Template (MF4xx)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from modelfile.linter.rule import Context, base_family, last_template, once_per_file
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Renderer, Template

if TYPE_CHECKING:
    from modelfile.catalog.families import TurnFormat
    from modelfile.gotemplate.parser import ParsedTemplate

_LONGEST_REFERENCE: Final = 200
"""Number of characters from which on a TEMPLATE is one."""
BRACED: Final = re.compile(
    r"(?<![{$\w])\{-?\s*(?:(?P<name>prompt|user_(?:prompt|message|input)|instruction|system(?:_(?:prompt|message))?|response)\s*-?\}(?!\})"
    r"|(?:(?:if|range|with)\s+)?\.(?:Prompt|System|Response|Messages|Role|Content)\s*-?\}{1,2})"
)
"""A variable in single braces, as in Python; plain text to Go. Braces next to it or around it make it JSON or code."""


@once_per_file
def effective_template(modelfile: Modelfile, context: Context) -> tuple[Template, ParsedTemplate] | None:
    """Return the TEMPLATE that Ollama uses.

    None if a RENDERER, of the file or the base, or a chat template inside the weights replaces it, or if it is no
    template but a placeholder or the path of one, which other rules report.
    """
    found = None if modelfile.last(Renderer) else last_template(modelfile)
    if not found or inherited_renderer(modelfile, context) or _stands_for_one(found[0]):
        return None
    from modelfile.linter.rules.template.template_ignored import find_preferred  # it imports this package

    return None if find_preferred(modelfile, context) else found


def _stands_for_one(template: Template) -> bool:
    if len(template.value.text) > _LONGEST_REFERENCE:
        return False
    from modelfile.linter.rules.text.placeholder import find_placeholders  # they import modules of this package
    from modelfile.linter.rules.text.unexpanded_reference import reference

    return reference(template) is not None or bool(find_placeholders(template))


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
    return modelfile.locate_span(template.value, span.start, span.end)


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


def printed_field(parsed: ParsedTemplate, *names: str, last: bool = False) -> Span | None:
    """Return the span of the first field with one of these names that is printed, or of the last one."""
    spans = [use.span for use in parsed.fields if use.printed and use.name in names]
    return (spans[-1] if last else spans[0]) if spans else None


@once_per_file
def judged_turns(modelfile: Modelfile, context: Context) -> tuple[Template, ParsedTemplate, TurnFormat] | None:
    """Return the TEMPLATE and the format of its turns, for the rules that judge how it writes them.

    None if the markers are ordinary words, or if other rules report the markers themselves.
    """
    from modelfile.linter.rules.template.foreign_template import uses_foreign_markers
    from modelfile.linter.rules.template.misspelled_marker import misspelled
    from modelfile.linter.rules.template.mixed_markers import strange_marker

    if not (found := effective_template(modelfile, context)) or misspelled(found[1].text):
        return None
    turns = template_turns(found[1].text)
    if turns is None or turns.plain or strange_marker(found[1].text, turns):
        return None
    return None if uses_foreign_markers(modelfile, context) else (*found, turns)
