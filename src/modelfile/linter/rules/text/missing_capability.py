"""Rule MF520."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From, System, Template

_EYELESS: Final = (
    r"(?:^|[-_./\\])(?:(?:bak)?llava|moondream|minicpm[-_.]v|(?:qwen[\d.]*)?[-_.]?vl|vision|pixtral)"
    r"(?=[-_.\d]).*\.gguf$"
)
"""Names of vision models whose GGUF files come in pairs: the language model, and the projector that sees."""

_ORDERED: Final = r"(?i:\b(?:use|call|invoke) (?:the|these|your|available) (?:[\w.-]+ ){0,2}?tools?\b)"


@rule("MF520", "missing-capability", on=Modelfile, severity=Severity.WARNING)
def missing_capability(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""SYSTEM asks for something that the base cannot do.

    Only some models see images, and only some were trained to call tools. Ollama drops images for the others, or
    rejects the request; it rejects requests with tools ("does not support tools"). Few hear audio, and none of those
    that chat draws pictures.

    The rule knows the capabilities of the models in Ollama's library. It only looks at demands of SYSTEM that have no
    condition. A TEMPLATE with `.Tools` brings the tools. A second FROM brings the projector of a vision model, without
    which the GGUF file of a model such as LLaVA sees nothing.

    ## Bad

    ```
    # Inspects roofs.
    FROM llama3.1:8b
    SYSTEM You are shown photos of roofs. Say which tiles are broken.
    ```

    ## Good

    ```
    # Inspects roofs.
    FROM llama3.2-vision:11b
    SYSTEM You are shown photos of roofs. Say which tiles are broken.
    ```
    """
    system = modelfile.last(System)
    if system is None or not system.value.closed or not system.value.text or len(modelfile.of_type(From)) != 1:
        return
    text = system.value.text
    from modelfile.linter import demands  # its expressions are for few texts

    template = modelfile.last(Template)
    if demands.demands_images(text):
        capability, noun, example = "vision", "images", "gemma3:4b` or `qwen2.5vl:7b"
    elif not (template and ".Tools" in template.value.text) and (
        demands.demands_tools_of_functions(text) or (re.search(_ORDERED, text) and demands.demands_tools(text))
    ):
        capability, noun, example = "tools", "tools", "llama3.1:8b` or `qwen2.5:7b"
    else:
        yield from _media(text, system, modelfile, context)
        return
    (base,) = modelfile.of_type(From)
    line = modelfile.source.line_of(system.span.start)
    if capability == "vision" and re.search(_EYELESS, base.value.text, re.IGNORECASE):
        message = f"no projector (mmproj) beside `{base.value.text}`, but SYSTEM in line {line} speaks of images"
        hint = "add a second FROM with the mmproj file, which llama.cpp keeps apart from the language model"
        yield Finding(base.value.span, f"{message}: the model does not see them", hint)
        return
    family = base_family(modelfile, context)
    if family is None or not family.library or family.turns is None or capability in family.capabilities:
        return
    message = f"`{family.name}` has no {capability}, but SYSTEM in line {line} speaks of {noun}"
    effect = "requests with tools are rejected" if capability == "tools" else "the model does not see them"
    yield Finding(base.value.span, f"{message}: {effect}", f"build from a model that has, such as `{example}`")


def _media(text: str, system: System, modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    """Yield a finding if SYSTEM asks for pictures, or is about recordings, and the base only reads and writes text."""
    from modelfile.linter.tasks import demanded_media  # for few texts

    family = base_family(modelfile, context) if (media := demanded_media(text)) else None
    if family is None or not family.library or family.turns is None or "audio" in family.capabilities:
        return
    (base,) = modelfile.of_type(From)
    can = "draws no pictures" if media == "pictures" else "hears no audio"
    line = modelfile.source.line_of(system.span.start)
    message = f"`{family.name}` {can}, but SYSTEM in line {line} asks for it: the model only writes text"
    yield Finding(base.value.span, message, "delete it from SYSTEM, and use a model made for it beside this one")
