"""Rule MF314."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Message, Parameter, Renderer, System, Template

if TYPE_CHECKING:
    from modelfile.catalog.families import Family

_SHARED: Final = frozenset({"</s>", "<|endoftext|>", "<|end_of_text|>"})
"""Ends of the text in several families."""
_ENDS: Final = {
    **dict.fromkeys(("llama3", "llama4", "granite3"), frozenset({"<|end_of_text|>"})),
    **dict.fromkeys(("qwen", "phi4", "gpt-oss", "smollm2"), frozenset({"<|endoftext|>"})),
    **dict.fromkeys(("mistral", "mixtral", "llama2", "codellama"), frozenset({"</s>"})),
    "phi3": frozenset({"</s>", "<|endoftext|>"}),
    **dict.fromkeys(("gemma", "command-r"), frozenset[str]()),
}
"""How the names of makers' own models begin, and which of these ends their tokenizers have.

Fine-tunes are not among them: their weights may write the markers of two families.
"""


@rule("MF314", "foreign-stop", on=Modelfile, severity=Severity.WARNING)
def foreign_stop(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The stops are turn markers of another model family.

    Each model family marks the turns of a conversation in its own way and never writes the markers of another, so a
    stop copied from another family's tutorial stops nothing. Worse, stops in a Modelfile replace those of the base, so
    the right ones are lost. A model of Ollama's library brings its own and needs no others.

    The rule reports them, once for each other family, if no stop belongs to the base. Beside a right one it is a note,
    and only for makers' own models. With a TEMPLATE, `stop-not-in-template` checks them instead.

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
    stops = [node for node in modelfile.of_type(Parameter) if node.name.text == "stop" and node.value.closed]
    if not stops or modelfile.last(Template) or modelfile.last(Renderer):
        return
    family = base_family(modelfile, context)
    if family is None or not (turns := family.turns):
        return
    own = {*turns.markers, *turns.ends, *(family.stops or ())}
    texts = [node.value.text for node in modelfile.of_type((System, Message))]
    stops = [node for node in stops if not any(node.value.text.strip() in text for text in texts)]  # asked for
    if any(node.value.text.strip() in own for node in stops):
        yield from stray_stops(stops, family)
        return
    if (
        turns.plain
        and family.library
        and family.stops
        and not any(map(_format_of, (node.value.text for node in stops)))
    ):
        lost = ", ".join(f"`{stop}`" for stop in family.stops)
        message = f"these stops replace {lost} of the base: `{family.name}` goes on with the user's turn"
        yield Finding(stops[0].value.span, message, f"add `PARAMETER stop {family.stops[0]}`, and the others")
        return
    if not (by_format := _by_format(stops)):
        yield from stray_stops(stops, family)
    has_stops = family.library and bool(family.stops)
    ending = next(iter([*turns.ends, *(family.stops or ()), *turns.markers]))
    for number, (title, nodes) in enumerate(by_format.items()):
        shown = [*dict.fromkeys(f"`{node.value.text}`" for node in nodes)]
        several = len(shown) > 1
        what, effect, lines = "is a turn marker", "it stops nothing", "line"
        if several:
            what, effect, lines = "are turn markers", "they stop nothing", "lines"
        if has_stops and number == 0:
            effect += f" and replace{'s' * (not several)} the stops of the base"
        message = f"{', '.join(shown)} {what} of {title}, but this base uses those of {turns.title}: {effect}"
        hint = f"delete the {lines}; the base stops at `{ending}` by itself"
        yield Finding(nodes[0].value.span, message, hint)


def _by_format(stops: Iterable[Parameter]) -> dict[str, list[Parameter]]:
    by_format: dict[str, list[Parameter]] = {}
    for node in stops:
        if title := _format_of(node.value.text.strip()):
            by_format.setdefault(title, []).append(node)
    return by_format


def stray_stops(stops: Iterable[Parameter], family: Family | None) -> Iterator[Finding]:
    """Yield notes on stops that a maker's own model never writes, such as the markers of others."""
    ends = next((ends for name, ends in _ENDS.items() if family and family.name.startswith(name)), None)
    if family is None or family.turns is None or ends is None:
        return
    own = {*family.turns.markers, *family.turns.ends, *(family.stops or ()), *ends}
    for node in stops:
        stop = node.value.text.strip()
        if stop not in own and (stop in _SHARED or _format_of(stop)):
            message = f"`{stop}` is a marker of other families: `{family.name}` never writes it, so it stops nothing"
            yield Finding(node.value.span, message, "delete the line", severity=Severity.INFO)


def _format_of(stop: str) -> str | None:
    """Return the title of the format that a stop is a marker of; None if it is an ordinary text or belongs to many."""
    from modelfile.catalog.families import turn_formats

    if stop in _SHARED:
        return None
    formats = [each for each in turn_formats().values() if not each.plain]
    return next((each.title for each in formats if stop in each.markers or stop in each.ends), None)
