"""Rule MF230."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Instruction, Parser, Renderer

_CUTOFF: Final = 0.75


@rule("MF230", "unknown-renderer", on=Instruction, severity=Severity.WARNING)
def unknown_renderer(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""RENDERER or PARSER has a name that Ollama does not know.

    Ollama builds the model without a word. With an unknown RENDERER each chat fails with "unknown renderer"; an unknown
    PARSER is skipped, and thinking and tool calls stay in the text of the answer. The names are case-sensitive.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    RENDERER qwen3-codr
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    RENDERER qwen3-coder
    ```
    """
    if not isinstance(instruction, Renderer | Parser) or not instruction.value.closed:
        return
    name = instruction.value.text
    if instruction.keyword.text.upper() not in context.ollama.instructions:
        return  # unknown-instruction
    from modelfile.catalog.behaviors import PARSERS, RENDERERS  # for few files

    known = RENDERERS if isinstance(instruction, Renderer) else PARSERS
    if not name or name in known:
        return
    word, effect = ("renderer", "each chat fails") if known is RENDERERS else ("parser", "Ollama skips it")
    longer = [each for each in sorted(known) if each.startswith(name.lower())]
    closest = None if len(longer) > 1 else context.speller.closest(name.lower(), sorted(known), _CUTOFF)
    likely = longer or ([closest] if closest else [])
    fix = Fix(edits=(Edit(instruction.value.span, closest),), safety=Safety.UNSAFE) if closest else None
    hint = f"delete the line: the base brings its own {word} if it has one"
    if likely:
        hint = f"did you mean {'one of ' * (len(likely) > 1)}{', '.join(f'`{each}`' for each in likely)}?"
    yield Finding(instruction.value.span, f"unknown {word} `{name}`: {effect}", hint, fix)
