"""Rule MF420."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, base_family, last_from, looks_like_path, name_or_none, rule
from modelfile.linter.rules.template import effective_template, template_turns
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE
from modelfile.syntax.modelfile import Modelfile

_ALWAYS: Final = ("<|begin_of_text|>", "<bos>", "<\uff5cbegin\u2581of\u2581sentence\uff5c>")
_MISTRAL: Final = frozenset({"llama2", "mistral", "mistral-v7"})
"""Formats whose tokenizers begin each text with `<s>`."""


@rule("MF420", "bos-in-template", on=Modelfile, severity=Severity.WARNING)
def bos_in_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE begins with the token that the tokenizer adds anyway.

    The tokenizers of Llama, Gemma, Mistral and DeepSeek put a beginning-of-sequence token in front of each prompt. One
    at the start of the TEMPLATE makes two of them. No model saw that in training, and some answer visibly worse.
    Chat templates for other programs, such as those of Hugging Face, write the token themselves.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE <s>[INST] {{ .System }} {{ .Prompt }} [/INST]
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE [INST] {{ .System }} {{ .Prompt }} [/INST]
    ```
    """
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    from modelfile.gotemplate.nodes import Text  # imported with the parser, for templates only

    first = next((node for node in parsed.of_type(Text) if node.text.strip()), None)
    if first is None:
        return
    turns, family = template_turns(parsed.text), base_family(modelfile, context)
    if family is None and _is_library_model(modelfile):  # its tokenizer is not known
        return
    adds_s = any(each and each.name in _MISTRAL for each in (turns, family and family.turns))
    for token in (*_ALWAYS, "<s>") if adds_s else _ALWAYS:
        if first.text.lstrip().startswith(token):
            start = parsed.text.index(token, first.span.start)
            place = modelfile.locate_span(template.value, start, start + len(token))
            which = "each prompt begins" if first in parsed.nodes else "prompts that begin with this block begin"
            message = f"{which} with two `{token}`: the tokenizer adds one too"
            yield Finding(place, message, "delete it", Fix(edits=(Edit(place, ""),), safety=Safety.UNSAFE))


def _is_library_model(modelfile: Modelfile) -> bool:
    base = last_from(modelfile)
    name = None if base is None or looks_like_path(base.value.text) else name_or_none(base.value.text)
    return name is not None and (name.host, name.namespace) == (DEFAULT_HOST, DEFAULT_NAMESPACE)
