"""Format a Modelfile, and prove that the new text means the same before anybody gets it."""

from __future__ import annotations

from dataclasses import replace

from modelfile.errors import InputError
from modelfile.fmt.printer import print_modelfile
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment


def format_modelfile(modelfile: Modelfile) -> str:
    """The canonical text of a Modelfile.

    Raises:
        InputError: Ollama would refuse the Modelfile; or the new text would not be the same to it, which is our bug.
    """
    if modelfile.diagnostics:
        first = modelfile.diagnostics[0]
        line = modelfile.source.line_of(first.span.start)
        raise InputError(
            f"`{modelfile.source.path}` is left as it is: Ollama would refuse it (line {line}: {first.message})",
            hint=f"`mf lint {modelfile.source.path}` shows every fault",
        )
    if modelfile.source.malformed:
        hint = f"save `{modelfile.source.path}` as UTF-8; what is not UTF-8 is U+FFFD to Ollama"
        raise InputError(f"`{modelfile.source.path}` is left as it is: it is not UTF-8", hint=hint)
    text = print_modelfile(modelfile)
    if text != modelfile.text:
        _prove(modelfile, text)
    return text


def _prove(before: Modelfile, text: str) -> None:
    after = Modelfile.parse(replace(before.source, text=text))
    if after.refusal or after.commands != before.commands:
        raise _our_bug(before, "it would mean something else to Ollama")
    if _comments(after) != _comments(before):
        raise _our_bug(before, "a comment would be lost")
    if print_modelfile(after) != text:
        raise _our_bug(before, "formatting it again would change it again")


def _comments(modelfile: Modelfile) -> list[str]:
    return [node.text for node in modelfile.nodes if isinstance(node, Comment)]


def _our_bug(modelfile: Modelfile, what: str) -> InputError:
    return InputError(
        f"`{modelfile.source.path}` is left as it is: {what}",
        hint="this is a bug of mf's, not yours; please report it with the file",
    )
