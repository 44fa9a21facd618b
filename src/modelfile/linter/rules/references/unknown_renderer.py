"""Rule MF230."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.catalog.versions import NEWEST
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Instruction, Parser, Renderer

_CUTOFF: Final = 0.75


@rule("MF230", "unknown-renderer", on=(Renderer, Parser), severity=Severity.WARNING)
def unknown_renderer(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""RENDERER or PARSER has a name that Ollama does not know.

    Ollama builds the model without a word. With an unknown RENDERER each chat fails with "unknown renderer"; an unknown
    PARSER is skipped, and thinking and tool calls stay in the text of the answer. The names are case-sensitive.
    Each release adds some: a name that is newer than the version in `ollama` is reported, too.

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
    if not instruction.value.closed:
        return
    name = instruction.value.text
    if instruction.keyword.text.upper() not in context.ollama.instructions:
        return  # unknown-instruction
    from modelfile.catalog.renderers import PARSERS, RENDERERS  # for few files

    version, every = context.ollama.version, RENDERERS if isinstance(instruction, Renderer) else PARSERS
    known = sorted(each for each, built_in in every.items() if built_in.is_in(version))
    if not name or name in known:
        return
    word, effect = ("renderer", "each chat fails") if every is RENDERERS else ("parser", "Ollama skips it")
    message, found = f"unknown {word} `{name}`", every.get(name)
    if found and version < found.since:
        message += f" in Ollama {version}: added in {found.since}"
        yield Finding(instruction.value.span, message, f"use Ollama {found.since} or later, or delete the line")
        return
    message += f" in Ollama {version}: removed in {found.until}" if found else f": {effect}"
    longer = [each for each in known if each.startswith(name.lower())]
    closest = None if len(longer) > 1 else context.speller.closest(name.lower(), known, _CUTOFF)
    likely = longer or ([closest] if closest else [])
    if not found and not likely and version > NEWEST:
        return  # a newer Ollama may have it
    fix = Fix(edits=(Edit(instruction.value.span, closest),), safety=Safety.UNSAFE) if closest else None
    hint = f"delete the line: the base brings its own {word} if it has one"
    if likely:
        hint = f"did you mean {'one of ' * (len(likely) > 1)}{', '.join(f'`{each}`' for each in likely)}?"
    yield Finding(instruction.value.span, message, hint, fix)
