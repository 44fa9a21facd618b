"""Rule MF403."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import BRACED, located, used_template
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Template

if TYPE_CHECKING:
    from modelfile.gotemplate.fields import Use
    from modelfile.gotemplate.nodes import Text

_JINJA: Final = re.compile(r"\{%[-+]?\s*(?:if|elif|else|endif|for|endfor|set|macro|endmacro|generation)\b[^%]*%\}")
_MEANT: Final = {
    "prompt": "Prompt",
    "user_prompt": "Prompt",
    "system": "System",
    "system_prompt": "System",
    "response": "Response",
}
_BEFORE_FIELD: Final = " \t\r\n({-|"
_NO_PROMPT: Final = "a template that names `.Messages` gets no `.Prompt`: `<no value>` is sent in its place"
_LAST: Final = "delete it: the question is the last of the messages"


@rule("MF403", "template-unknown-variable", on=Modelfile, severity=Severity.WARNING)
def template_unknown_variable(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE names a value that Ollama does not give it.

    A template gets `.System`, `.Prompt`, `.Response`, `.Suffix`, `.Messages`, `.Tools`, `.Think`, `.ThinkLevel` and
    `.IsThinkSet`, spelt exactly so. A template with any other name builds too. Where such a name is printed, the model
    is sent `<no value>`; in a condition it counts as false, so what depends on it is never sent. `.First` is such a
    name since Ollama 0.1.25.

    A message, where a `range` is over `.Messages`, has `.Role`, `.Content`, `.Thinking`, `.Images`, `.ToolCalls`,
    `.ToolName` and `.ToolCallID`. Another name there ends each request with an error; the template's own values are
    `$.System`, `$.Tools` and so on. A template that names `.Messages` gets no `.Prompt`, except to fill gaps in code.

    Go knows neither Python's `{prompt}` nor Jinja's `{% if %}`: they are text, and are sent to the model unchanged.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ if .First }}{{ .System }}{{ end }} {{ .prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ if .System }}{{ .System }}{{ end }} {{ .Prompt }}
    ```
    """
    if not (found := used_template(modelfile)):
        return
    template, parsed = found
    from modelfile.gotemplate.fields import FIELDS, uses, walk  # imported with the parser, for templates only
    from modelfile.gotemplate.nodes import Text

    text = template.value.text
    unknown: dict[tuple[str, str], list[Use]] = {}
    for use in uses(parsed.nodes):
        if use.name not in FIELDS[use.of]:
            unknown.setdefault((use.of, use.name), []).append(use)
        elif use.name == "Prompt" and use.printed and use.always and "messages" in parsed.variables:
            yield Finding(located(use.span, template, modelfile), _NO_PROMPT, _LAST)
    for same in unknown.values():
        message, hint, right = _unknown(same[0])
        places = [located(use.span, template, modelfile) for use in same]
        fields = all(text[use.span.start - 1] in _BEFORE_FIELD for use in same)  # not of a variable
        edits = tuple(Edit(place, right) for place in places) if right and (right[0] == "." or fields) else ()
        yield Finding(places[0], message, hint, Fix(edits=edits, safety=Safety.UNSAFE) if edits else None)
    for node in walk(parsed.nodes):
        if isinstance(node, Text):
            yield from _foreign(node, template, modelfile)


def _unknown(use: Use) -> tuple[str, str, str | None]:
    """What to say of it, and what is meant."""
    from difflib import get_close_matches  # 4 ms, for the few that need it

    from modelfile.gotemplate.fields import FIELDS

    root = use.of == "template"
    effect = "`<no value>` is sent in its place" if use.printed else "it is always empty"
    message = f"a {use.of} has no `.{use.name}`: {effect if root else 'each request that comes to it fails'}"
    if root and use.name == "First":
        return message, "Ollama dropped it in 0.1.25; `.System` is set in the first turn only", ".System"
    lower = use.name.lower()
    known, elsewhere = (
        {name.lower(): name for name in FIELDS[of]} for of in (use.of, "message" if root else "template")
    )
    if lower in elsewhere and lower not in known:
        if root:
            return message, "it belongs between `{{ range .Messages }}` and `{{ end }}`", None
        right = f"$.{elsewhere[lower]}"
        return message, f"write `{right}`: within this range, the dot is a {use.of}", right
    if close := get_close_matches(lower, known, n=1):
        right = f".{known[close[0]]}"
        return message, f"write `{right}`", right
    return message, f"there are {', '.join(f'`.{name}`' for name in known.values())}", None


def _foreign(node: Text, template: Template, modelfile: Modelfile) -> Iterator[Finding]:
    def place(match: re.Match[str]) -> Span:
        return located(Span(node.span.start + match.start(), node.span.start + match.end()), template, modelfile)

    for match in BRACED.finditer(node.text):
        message = f"`{match[0]}` is plain text to Ollama, and is sent unchanged"
        right = _MEANT.get(match["name"] or "")
        fix = Fix(edits=(Edit(place(match), f"{{{{ .{right} }}}}"),), safety=Safety.UNSAFE) if right else None
        yield Finding(place(match), message, "Go's templates want two braces, and a dot", fix)
    for match in _JINJA.finditer(node.text):
        message = f"`{match[0]}` is Jinja: plain text to Ollama, and is sent unchanged"
        yield Finding(place(match), message, "write it in Go's way, such as `{{ if .System }}` … `{{ end }}`")
