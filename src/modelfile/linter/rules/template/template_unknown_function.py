"""Rule MF402."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.catalog.templates import FUNCTIONS
from modelfile.catalog.versions import Version
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.immutable import replace
from modelfile.linter.rule import Context, parsed_template, rule, template_findings
from modelfile.linter.rules.template import locate_span
from modelfile.syntax.nodes import Template

_ANY: Final = Version(0, 0, 0)
_KEYWORDS: Final = {
    **dict.fromkeys(("endif", "endfor", "endrange", "endwith", "fi", "done"), "{{ end }}"),
    **dict.fromkeys(("elif", "elseif", "elsif"), "{{ else if .System }}"),
    **dict.fromkeys(("for", "foreach", "each"), "{{ range .Messages }}"),
    **dict.fromkeys(("length", "size", "count"), "len .Messages"),
    **dict.fromkeys(("equals", "equal", "is"), 'eq .Role "user"'),
}
"""Words of other languages, and an example of what Go has in their place."""
_JINJA: Final = frozenset({"add_generation_prompt", "bos_token", "content", "eos_token", "loop", "message", "role"})


@rule("MF402", "template-unknown-function", on=Template, severity=Severity.ERROR)
def template_unknown_function(template: Template, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE calls an unknown function.

    Templates have Go's own functions (and, or, not, len, index, slice, print, printf, println, html, js, urlquery,
    call, eq, ne, lt, le, gt, ge) and Ollama's json (since 0.2.6), currentDate (0.11.0), toTypeScriptType (0.11.3) and
    yesterdayDate (0.13.3). Ollama rejects all others, and this rule also those that are newer than the version in
    `ollama`.

    A name without a dot in front is a function. Often only the dot is missing, or the text is Jinja, as in the chat
    templates of Hugging Face, whose `{{ messages }}` is Go's `{{ .Messages }}`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ .Prompt }}
    ```
    """
    for finding in template_findings(template, context, "template-unknown-function"):
        from modelfile.gotemplate.fields import FIELDS  # imported with the parser, for templates only

        name = context.modelfile.text[finding.span.start : finding.span.end]
        right = next((field for field in FIELDS["template"] if field.lower() == name.lower()), None)
        if right and context.modelfile.text[: finding.span.start].rstrip(" \t").endswith("."):
            yield replace(finding, hint=f"write `.{right}`, without a space after the dot")
        elif right:
            hint = f"write `.{right}`; without the dot, `{name}` is {'Jinja' if name.islower() else 'a function'}"
            edits = (Edit(finding.span, f".{right}"),)
            yield replace(finding, hint=hint, fix=Fix(edits=edits, safety=Safety.UNSAFE))
        elif name.lower() in _KEYWORDS:
            yield replace(finding, hint=f"write `{_KEYWORDS[name.lower()]}`, as in Go's text/template")
        elif name in _JINJA:
            yield replace(finding, hint="this looks like Jinja, but Ollama uses Go's text/template")
        else:
            yield finding
    yield from _too_new(template, context)


def _too_new(template: Template, context: Context) -> Iterator[Finding]:
    if not template.value.closed or not any(
        since > context.ollama.version and name in template.value.text for name, since in FUNCTIONS.items()
    ):
        return
    from modelfile.gotemplate.nodes import Identifier

    parsed = parsed_template(template.value.text)
    for node in parsed.of_type(Identifier):
        if FUNCTIONS.get(node.name, _ANY) > context.ollama.version:
            span = locate_span(node.span, template, context.modelfile)
            since = FUNCTIONS[node.name]
            message = f"unknown function `{node.name}` in Ollama {context.ollama.version}: added in {since}"
            yield Finding(span, message, f"use Ollama {since} or later, or remove the call")
