"""Rule MF412."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import located, used_template
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile


@rule("MF412", "template-whitespace", on=Modelfile, severity=Severity.INFO)
def template_whitespace(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A line end in a TEMPLATE that is part of each prompt by accident.

    Ollama keeps what is between the quotes, and Go prints it. A line end right after the opening quotes comes before
    everything that the model was trained to see first. Line ends after the last `{{ end }}` of a template with
    `.Messages` come between the model's name and its answer, where they matter most. `{{-` removes the blanks and line
    ends before it, `-}}` those after it.

    A line end after `.Response` does no harm in a template without `.Messages`: the last prompt ends before it. One
    after text, as in `assistant` and a line end, is mostly wanted. Neither is reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE "
    [USER]{{ .System }} {{ .Prompt }}[MODEL]"
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE "[USER]{{ .System }} {{ .Prompt }}[MODEL]"
    ```
    """
    if not (found := used_template(modelfile)):
        return
    template, parsed = found
    from modelfile.gotemplate.nodes import Text  # imported with the parser, for templates only

    spans = []
    if isinstance(first := parsed.nodes[0], Text) and (blank := _blank(first.text)).strip(" \t"):
        spans.append((Span(0, len(blank)), "each prompt begins with a line end: Ollama keeps the one after the quotes"))
    last = parsed.nodes[-1]
    if "messages" in parsed.variables and last is not first and isinstance(last, Text) and not last.text.strip():
        what = "a line end" if "\n" in last.text else "these blanks"
        spans.append((last.span, f"each prompt ends with {what}, after the mark for the model to answer"))
    for span, message in spans:
        place = located(span, template, modelfile)
        fix = Fix(edits=(Edit(place, ""),), safety=Safety.UNSAFE)
        yield Finding(place, message, "delete it, if the model does not want it", fix)


def _blank(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]
