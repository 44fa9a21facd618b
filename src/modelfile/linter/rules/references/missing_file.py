"""Rule MF207."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, no_folder, rule, strip_comment
from modelfile.linter.rules.references import missing_severity, original_name
from modelfile.linter.rules.references.absolute_path import is_absolute, suggest_path
from modelfile.linter.rules.references.wrong_file import is_lone_projector, misplaced_by_name, wrong_part
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction
from modelfile.syntax.suggestions import without_typographic_quotes

_PLACEHOLDER: Final = (
    r"path[/\\_-]to\b|path_to_"
    r"|(?:\b|_)your[/\\_-]?(?:[a-z]+[/\\_-]){0,8}(?:path|file|model|gguf|weights|folder)|<[^<>]+>"
)
_VARIABLE: Final = r"\$\{\w+\}|\$(?:env:)?[A-Za-z_]\w*|%[A-Z_]{2,}%"
_QUOTES: Final = "'`\u2018\u2019\u201c\u201d"
_HUGGING_FACE: Final = ("hf.co/", "huggingface.co/")
_SHARD: Final = r"-(\d{5})-of-(\d{5})\.gguf\Z"
_CUTOFF: Final = 0.8
"""Similarity from which on a neighbor is probably the file that is intended, from 0 to 1."""


@rule("MF207", "missing-file", on=(From, Adapter, Draft), severity=Severity.ERROR, cannot_decide=no_folder)
def missing_file(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A file or folder is missing.

    Paths are relative to the Modelfile's folder. Ollama rejects an ADAPTER or DRAFT that does not exist, and every
    folder without weights. It reads a FROM that does not exist as a model name, and tries to pull it.

    Weights are rarely in git, so it is only a note if git ignores the path, as in CI, or if the path is a placeholder
    such as `/path/to/model.gguf`. Outside of a repository it is a warning, unless a file of a similar name is there.
    `mf build` needs the file in any case. A comment `# mf: ignore[missing-file] reason` above the line is not reported
    as unused on machines that have the file.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./wieghts.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    written = instruction.value.text
    match instruction:
        case From():
            is_path = looks_like_path(written)
        case Adapter() | Draft():
            is_path = True
        case _:
            return
    if wrong_part(instruction) or is_lone_projector(instruction, context) or misplaced_by_name(instruction, context):
        return  # wrong-file, or a rule on weights
    if context.missing_weights and instruction.value.closed and (ignored := context.missing_weights(written)):
        folder = f"`{written}`" if written else "the Modelfile's folder, which an empty FROM means"
        yield Finding(
            instruction.value.span, f"no weights in {folder}", ignored, severity=missing_severity(instruction, context)
        )
    elif is_path and context.exists and not context.exists(written) and strip_comment(written) is None:
        yield (
            _url(instruction)
            if "://" in written or written.startswith(_HUGGING_FACE)
            else _missing(instruction, written, context)
        )  # with a comment, it is inline-comment


def _url(instruction: Instruction) -> Finding:
    written, word = instruction.value.text, type(instruction).__name__.upper()
    file = re.split(r"[/\\]", re.split("[?#]", written)[0])[-1] or "weights.gguf"
    if "://" not in written:
        hint = (
            f"Ollama downloads no {word.lower()}: download the file, and write its path, as in `{word} ./adapter.gguf`"
        )
        return Finding(instruction.value.span, f"{word} takes a local file, not a repository: `{written}`", hint)
    hint = f"Ollama downloads no URL: download the file, and write `{word} ./{file}`"
    return Finding(instruction.value.span, f"{word} cannot name a URL: `{written}`", hint)


def _missing(instruction: Instruction, written: str, context: Context) -> Finding:
    span, message, severity = (
        instruction.value.span,
        f"file not found: `{written}`",
        missing_severity(instruction, context),
    )
    if intended := _intended(written, context):
        whole = len(written) == instruction.value.content.end - instruction.value.content.start
        fix = Fix(edits=(Edit(instruction.value.content, intended),)) if whole else None
        hint = f"did you mean `{intended}`?"
        if without_typographic_quotes(written) == intended:
            hint = f"the typographic quotes are part of the path: write `{intended}`"
        return Finding(span, message, hint, fix)
    if explained := _explain_path(instruction, written, severity):
        return explained
    if is_absolute(written):
        message += "; an absolute path works on one machine only"
        return Finding(span, message, *suggest_path(instruction, context.modelfile), severity=severity)
    if isinstance(instruction, From) and (name := original_name(instruction, context.modelfile)):
        return Finding(span, message, f"write `FROM {name}`", Fix(edits=(Edit(span, name),)), severity)
    if severity is Severity.INFO:
        message += "; git ignores it, so no checkout has it"
        return Finding(span, message, "write in a comment where to get it", severity=severity)
    reads = "; without the file, Ollama reads it as a model name" if isinstance(instruction, From) else ""
    hint = f"paths are relative to the Modelfile's folder{reads}"
    if (shard := re.search(_SHARD, written)) and int(shard[2]) > len(context.modelfile.of_type(From)):
        message += f"; it is shard {int(shard[1])} of {int(shard[2])}, and not all have a FROM"
        hint = "write a FROM for each shard, or merge them with `llama-gguf-split --merge`"
    return Finding(span, message, hint, severity=severity)


def _explain_path(instruction: Instruction, written: str, severity: Severity) -> Finding | None:
    """Return the finding on a path that cannot exist as it is written; None if it may be the path of a file."""
    span, message = instruction.value.span, f"file not found: `{written}`"
    if variable := re.search(_VARIABLE, written):
        message = f"`{variable[0]}` in {type(instruction).__name__.upper()} is not expanded: {message}"
        return Finding(span, message, "Ollama knows no variables: write the path itself", severity=severity)
    if isinstance(instruction, Adapter) and _is_model_name(written):
        word = "ADAPTER takes a local file, not a model's name"
        hint = f"to build on the model `{written}`, write it in FROM; for an adapter, write the path of its file"
        return Finding(span, f"{word}: `{written}`", hint, severity=severity)
    if re.search(_PLACEHOLDER, written, re.IGNORECASE):
        return Finding(span, f"{message}, a placeholder", "write the path of your own file", severity=Severity.INFO)
    return None


def _is_model_name(written: str) -> bool:
    """Return whether an ADAPTER is written like a model's name: with a tag, and not like a path."""
    name = name_or_none(written)
    return name is not None and name.tagged and not looks_like_path(written)


def _intended(written: str, context: Context) -> str | None:
    """Return the path of a neighbor that was probably intended, in the spelling of the path as written."""
    if context.exists and "\\" in written and context.exists(path := written.replace("\\", "/")):
        return path
    if (bare := written.strip(_QUOTES)) != written and bare:
        return bare
    neighbors = context.neighbors(written) if context.neighbors else ()
    folder, slash, name = written.rpartition("/")
    same = next((other for other in neighbors if other.casefold() == name.casefold()), None)
    closest = same or context.speller.closest(name, neighbors, _CUTOFF)
    return f"{folder}{slash}{closest}" if closest else None
