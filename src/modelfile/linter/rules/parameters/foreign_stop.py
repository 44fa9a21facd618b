"""Rule MF314."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, looks_like_path, name_or_none, rule
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter, Renderer, Template

_CHATML: Final = ("ChatML", ("<|im_start|>", "<|im_end|>"))
_GEMMA: Final = ("Gemma", ("<start_of_turn>", "<end_of_turn>"))
_LLAMA_2: Final = ("Llama 2 and Mistral", ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"))
_LLAMA_3: Final = ("Llama 3", ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"))
_COMMAND_R: Final = ("Command R", ("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"))
_FAMILIES: Final = (_CHATML, _GEMMA, _LLAMA_2, _LLAMA_3, _COMMAND_R)
_BASES: Final = (
    (("qwen", "qwen2", "qwen2.5", "qwen2.5-coder", "qwen3", "qwq"), _CHATML),
    (("gemma", "gemma2", "gemma3", "codegemma"), _GEMMA),
    (("llama2", "mistral", "mixtral", "codellama"), _LLAMA_2),
    (("llama3", "llama3.1", "llama3.2", "llama3.3"), _LLAMA_3),
    (("command-r", "command-r-plus"), _COMMAND_R),
)
"""Models of Ollama's library and their turn markers."""


@rule("MF314", "foreign-stop", on=Modelfile, severity=Severity.WARNING)
def foreign_stop(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The stops are turn markers of another model family.

    Each model family marks the turns of a conversation in its own way and never writes the markers of another, so a
    stop copied from another family's tutorial stops nothing. Worse, stops in a Modelfile replace those of the base, so
    the right ones are lost. A model of Ollama's library brings its own and needs no others.

    The rule reports stops if none of them belongs to the base. With a TEMPLATE, `missing-stop` checks them instead.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop <|im_end|>
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop <|eot_id|>
    ```
    """
    if modelfile.last(Template) or modelfile.last(Renderer) or not (own := family_of(modelfile, context)):
        return
    stops = [node for node in modelfile.of_type(Parameter) if node.name.text == "stop"]
    families = [next((family for family in _FAMILIES if node.value.text in family[1]), None) for node in stops]
    if own in families:
        return
    for node, family in zip(stops, families, strict=True):
        if family:
            message = (
                f"`{node.value.text}` is a turn marker of {family[0]}, but this base uses those of {own[0]}:"
                " it stops nothing and replaces the stops of the base"
            )
            yield Finding(node.value.span, message, f"delete the line; the base stops at `{own[1][-1]}` by itself")
            return


def family_of(modelfile: Modelfile, context: Context) -> tuple[str, tuple[str, ...]] | None:
    """Return the family of a base from Ollama's library, with its turn markers."""
    base = last_from(modelfile)
    if base is None or looks_like_path(base.value.text) or (context.exists and context.exists(base.value.text)):
        return None
    name = name_or_none(base.value.text)
    if name is None or (name.host, name.namespace) != (DEFAULT_HOST, DEFAULT_NAMESPACE):
        return None
    return next((family for models, family in _BASES if name.model.lower() in models), None)
