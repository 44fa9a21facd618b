"""Rule MF412."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile


@rule("MF412", "template-whitespace", on=Modelfile, severity=Severity.INFO)
def template_whitespace(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE adds a newline to each prompt by accident.

    Ollama keeps everything between the quotes, and Go prints it. A newline right after the opening quotes comes before
    everything that the model was trained to see first. Newlines after the last `{{ end }}` of a template with
    `.Messages` come between the start of the assistant's turn and its answer, where they matter most. `{{-` removes the
    whitespace before it, `-}}` the whitespace after it.

    A newline after `.Response` does no harm in a template without `.Messages`: the last prompt ends before it. One
    after text, such as `assistant` and a newline, is usually intended. Neither is reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE "
    [USER]{{ .System }} {{ .Prompt }}[MODEL]"
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE "[USER]{{ .System }} {{ .Prompt }}[MODEL]"
    ```
    """
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    from modelfile.gotemplate.nodes import Text  # imported with the parser, for templates only

    spans = []
    if isinstance(first := parsed.nodes[0], Text) and (leading := _leading_space(first.text)).strip(" \t"):
        spans.append((Span(0, len(leading)), "each prompt begins with a newline: the one after the opening quotes"))
    last = parsed.nodes[-1]
    if "messages" in parsed.variables and last is not first and isinstance(last, Text) and not last.text.strip():
        what = "a newline" if "\n" in last.text else "spaces"
        spans.append((last.span, f"each prompt ends with {what}, after the start of the assistant's turn"))
    for span, message in spans:
        place = locate_span(span, template, modelfile)
        fix = Fix(edits=(Edit(place, ""),), safety=Safety.UNSAFE)
        yield Finding(place, message, "delete it, unless the model expects it", fix)


def _leading_space(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]
