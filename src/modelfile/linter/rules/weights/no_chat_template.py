"""Rule MF618."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.catalog.behaviors import PREFERS_CHAT_TEMPLATES
from modelfile.catalog.renderers import RENDERERS_OF_ARCHITECTURES
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, model_header, no_folder, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Message, Parser, Renderer, System, Template
from modelfile.weights.header import GGUFHeader

_KEY: Final = "tokenizer.chat_template"
_CHATS: Final = r"(?i)(?<![a-z])(?:instruct|chat|it|assistant)(?![a-z])"
"""Words in the name of a model that is for conversations."""
_HARMONY: Final = frozenset({"gptoss", "gpt-oss"})
"""Architectures whose turns Ollama writes itself."""


@rule("MF618", "no-chat-template", on=Modelfile, severity=Severity.WARNING, cannot_decide=no_folder)
def no_chat_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The weights have no chat template, and the Modelfile has no TEMPLATE.

    A chat template says how a model marks the turns of a conversation. Without one, Ollama sends the prompt as it is,
    and leaves SYSTEM out (`{{ .Prompt }}`); from 0.30 on, it guesses the markers, and writes a warning to its log.
    Before 0.30, it also needs to recognize the chat template of the file, of which it knows 37.

    The rule reads the header of a local GGUF file, and is silent on a base model that is only asked to go on with a
    text: without SYSTEM or MESSAGE, and without a name that says otherwise.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./bare.gguf
    SYSTEM You answer questions on billing.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./bare.gguf
    SYSTEM You answer questions on billing.
    TEMPLATE """{{ .System }}
    ### Question: {{ .Prompt }}
    ### Answer: {{ .Response }}"""
    ```
    '''
    base, header = last_from(modelfile), model_header(modelfile, context)
    if base is None or header is None or _writes_turns(modelfile, header, context):
        return
    is_chat = modelfile.of_type((System, Message)) or re.search(
        _CHATS, f"{header.text('general.name')} {header.text('general.finetune')}"
    )
    if not is_chat:
        return
    newer = context.ollama.version >= PREFERS_CHAT_TEMPLATES
    effect = "guesses how it marks turns" if newer else "sends the prompt alone, without SYSTEM"
    hint = "write the TEMPLATE of the model that it was made of, as `ollama show --template` prints it"
    if _KEY not in header.kinds:
        message = f"`{base.value.text}` has no chat template, and there is no TEMPLATE: Ollama {effect}"
        yield Finding(base.value.span, message, hint)
    elif not newer and header.chat_template and _is_foreign(header.chat_template):
        version = context.ollama.version
        message = f"Ollama {version} does not recognize the chat template of `{base.value.text}`, and {effect}"
        yield Finding(base.value.span, message, hint)


def _writes_turns(modelfile: Modelfile, header: GGUFHeader, context: Context) -> bool:
    """Return whether something else than a chat template writes the turns, or there are none."""
    architecture = header.architecture
    _, since = RENDERERS_OF_ARCHITECTURES.get(architecture, ("", None))
    return (
        any(node.value.text for node in modelfile.of_type((Template, Renderer, Parser)))
        or (since is not None and since <= context.ollama.version)
        or not architecture
        or architecture in _HARMONY
        or f"{architecture}.pooling_type" in header.kinds
    )


def _is_foreign(chat_template: str) -> bool:
    from modelfile.catalog.chat_templates import recognize  # reads a file

    known, is_proved = recognize(chat_template)
    return known is None and is_proved
