"""Rule MF231."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE
from modelfile.syntax.nodes import From, Unknown

_LONG: Final = 6
"""Letters and digits from which one wrong letter shows what is meant."""
_LETTER: Final = r"[a-z]"
_SIZE: Final = r"(?:\d+x)?\d+(?:\.\d+)?[bm]"
_TUNED: Final = r"-(?:instruct|chat)"
_IMAGES: Final = frozenset(
    {
        *("library/python", "library/ubuntu", "library/debian", "library/alpine", "library/node", "library/nginx"),
        *("library/golang", "library/busybox", "library/scratch", "library/openjdk", "ollama/ollama", "nvidia/cuda"),
    }
)
_SERVICES: Final = (
    r"(?:chat)?gpt-?[345](?:\.\d)?(?:-?(?:o|turbo|mini|nano))*(?:-[\d-]+)?|claude(?:-.+)?|text-davinci-\d+"
)
"""Names of models of which there are no weights; `gpt-oss` is none of them, and Gemini is in Ollama's cloud."""
_KIND: Final = r"(?i:latest|instruct|chat|text|code|(?:instruct-|chat-)?(?:q\d\w*|fp16))"
"""The tags of a build in the library, without its size; a model of the author has others."""


@rule("MF231", "misspelled-model", on=From, severity=Severity.WARNING)
def misspelled_model(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM names a model that is not in Ollama's library, and almost one that is.

    Ollama pulls a base that it does not have, and fails with "pull model manifest: file does not exist" if the name is
    misspelled. The rule reports names with other separators, such as `qwen2.5coder`, those with one letter that is
    missing, added or exchanged, a model and its size in one word, such as `mistral7b`, images of Docker, such as
    `python:3.11`, and models of other companies' APIs. If it is the name of a model
    of your own, write `# mf: ignore[misspelled-model] reason` above the line.

    ## Bad

    ```
    # Answers questions on billing.
    FROM lama3.2:3b
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    if whose := find_elsewhere(base, context):
        message = f"`{base.value.text}` is the name of {whose}: Ollama's library has no such model"
        yield Finding(base.value.span, message, "write a model of the library, such as `llama3.2:3b`")
    elif found := find_misspelled_model(base, context):
        written, right = found
        rest = base.value.text[len(written) :]
        if ":" in right:  # the tag is only the rest of one
            rest = "" if rest.lower() in ("", ":latest") else f"-{rest[1:]}"
        fixed = f"{right}{rest}"
        fix = Fix(edits=(Edit(base.value.span, fixed),), safety=Safety.UNSAFE)
        yield Finding(
            base.value.span, f"unknown model `{written}` in Ollama's library", f"did you mean `{right}`?", fix
        )


def find_elsewhere(base: From, context: Context) -> str | None:
    """Return what a name is that is no model's: an image of Docker, or a model of another company's API."""
    name = name_or_none(base.value.text) if base.value.closed else None
    if name is None or name.host != DEFAULT_HOST or (context.exists and context.exists(base.value.text)):
        return None
    if f"{name.namespace}/{name.model}".lower() in _IMAGES:
        return None if context.modelfile.of_type(Unknown) else "an image of Docker"  # else a Dockerfile
    is_library = name.namespace == DEFAULT_NAMESPACE
    return "a model of another company's API" if is_library and re.fullmatch(_SERVICES, name.model.lower()) else None


def find_misspelled_model(base: From, context: Context) -> tuple[str, str] | None:
    """Return the name in FROM, without a tag, and the model of the library that is meant; None if there is none."""
    written = base.value.text
    if not base.value.closed or "/" in written or looks_like_path(written):
        return None
    name = name_or_none(written)
    if name is None or (name.host, name.namespace) != (DEFAULT_HOST, DEFAULT_NAMESPACE):
        return None
    if context.exists and context.exists(written):
        return None
    right = _intended(name.model.lower())
    if not right and re.fullmatch(_KIND, name.tag) and (right := _split(name.model.lower())):
        right = None if _is_built_here(name.model.lower(), context) else right
    return (name.model, right) if right else None


def _is_built_here(name: str, context: Context) -> bool:
    """Return whether a file or folder beside the Modelfile, or beside its folder, bears the name of a model."""
    near = context.neighbors or (lambda _: ())
    return any(name in each.lower() for folder in (".", "..") for each in near(f"{folder}/Modelfile"))


@cache
def _by_letters() -> dict[str, str]:
    from modelfile.catalog.families import library_models

    return {re.sub(r"[^a-z0-9]", "", name): name for name in library_models()}


@cache
def _known() -> frozenset[str]:
    return frozenset(_by_letters().values())


@lru_cache(maxsize=1 << 10)
def _intended(name: str) -> str | None:
    """Return the model that is meant; None if the name is one, or may be anything else."""
    if name in _known():
        return None
    letters = re.sub(r"[^a-z0-9]", "", name)
    if same := _by_letters().get(letters):
        return same
    return next((right for each, right in _by_letters().items() if _is_slip(letters, each)), None)


@lru_cache(maxsize=1 << 10)
def _split(name: str) -> str | None:
    """Return the model and the size that a name has in one word; None if it is no such name.

    >>> _split("llama38b")
    'llama3:8b'
    """
    tuned = re.search(rf"{_TUNED}\Z", name)
    whole = name[: tuned.start()] if tuned else name
    for at in range(1, len(whole)):
        model = _by_letters().get(re.sub(r"[^a-z0-9]", "", whole[:at]))
        if model and re.fullmatch(_SIZE, size := whole[at:].lstrip("-_.")) and size in _sizes(model, size):
            return f"{model}:{size}{tuned[0] if tuned else ''}"
    return None


def _sizes(model: str, size: str) -> tuple[str, ...]:
    """Return the sizes of a model of the library; the one that is asked for if they are not known."""
    from modelfile.catalog.families import find_family

    family = find_family(model)
    return (family.sizes if family else ()) or (size,)


def _is_slip(written: str, right: str) -> bool:
    """Return whether one letter, not the last, is missing, added, doubled, exchanged or swapped with its neighbor."""
    if abs(len(written) - len(right)) > 1 or len(right) < _LONG:
        return False
    at = next((at for at, (a, b) in enumerate(zip(written, right, strict=False)) if a != b), None)
    if at is None:
        return False  # one is the start of the other, as `gemma3` of `gemma3n`
    w, r = written[at:], right[at:]
    if w[1:] == r or w[1:] == r[1:] or w == r[1:]:
        changed = {w[0]} if w[1:] == r else {r[0]} if w == r[1:] else {w[0], r[0]}
        is_first = at == 0 and w != r[1:]
        return not is_first and len(r) > 1 and all(re.match(_LETTER, each) for each in changed)
    return w[:2] == r[1::-1] and w[2:] == r[2:] and all(re.match(_LETTER, each) for each in r[:2])
