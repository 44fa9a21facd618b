"""Rule MF205."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.characters import is_homoglyph
from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.errors import UsageError
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.linter.rules.references import hugging_face_name, is_download
from modelfile.names import ModelName
from modelfile.syntax.nodes import From
from modelfile.syntax.suggestions import without_typographic_quotes

_PLACEHOLDER: Final = re.compile(r"[<>{}\[\]]|\$|\A\.{3}\Z|\byour\b", re.IGNORECASE)
_SEPARATOR: Final = r"[,\s]+"
_WRAPPED: Final = (
    (r"['`\u2018\u2019]([^'`\u2018\u2019]+)['`\u2018\u2019]", r"\1"),
    (r"(?:ollama\s+)?(?:run|pull)\s+(\S+)", r"\1"),
    (r"(?:hf\.co|huggingface\.co):(\S+)", r"hf.co/\1"),
    (r"([\w.-]+)(?:\s+|\s*:\s+|\s+:|@)(latest|\d+(?:\.\d+)?[bBmM](?:-[\w.-]+)?)", r"\1:\2"),
)
"""Texts around a name, and the name alone."""
_SIZE: Final = r"\d+(?:\.\d+)?[bBmM]?"
_FEWEST_NAMES: Final = 3


@rule("MF205", "invalid-model-name", on=From, severity=Severity.ERROR)
def invalid_model_name(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM is neither an existing path nor a valid model name.

    A model name is `[host/][namespace/]model[:tag]`; each part has up to 80 letters, digits, `_`, `.` and `-`. Ollama
    rejects any other name when it builds, as "invalid model name".

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama 3.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    written = base.value.text
    if not written or not base.value.closed or looks_like_path(written) or (context.exists and context.exists(written)):
        return
    if is_download(written):
        yield Finding(base.value.span, f"FROM cannot name a URL: `{written}`", *_fix(base))
        return
    try:
        ModelName.parse(written)
    except UsageError as error:
        if " #" not in written and "@sha256:" not in written and not is_homoglyph(written):  # other rules report these
            shape = (error.hint or "").removeprefix(f"invalid model `{written}`: ")
            hint, fix = _fix(base)
            bare = without_typographic_quotes(written)
            if bare and (looks_like_path(bare) or name_or_none(bare)):
                hint = f"the typographic quotes are part of the name: write `FROM {bare}`"
                fix = Fix(edits=(Edit(base.value.span, bare),))
            yield Finding(base.value.span, error.message, hint or shape, fix)


def _fix(base: From) -> tuple[str | None, Fix | None]:
    hint, intended = _suggest(base.value.text)
    return hint, Fix(edits=(Edit(base.value.span, intended),)) if intended else None


def _suggest(written: str) -> tuple[str | None, str | None]:
    """Return a hint, and the intended base if it is certain."""
    if _PLACEHOLDER.search(written):
        return "replace the placeholder with a model name, as in `FROM llama3.2:3b`", None
    if name := hugging_face_name(written):
        return f"Ollama downloads no file by its address: write `FROM {name}`", name
    if "://" in written:
        file = re.split(r"[/\\]", re.split("[?#]", written)[0])[-1] or "weights.gguf"
        return f"Ollama downloads no URL: download the file, and write `FROM ./{file}`", None
    if name := _intended(written):
        quoted = "remove the single quotes" if name in written[1:-1] and written[0] == "'" else "write a name alone"
        return f"{quoted}: `FROM {name}`", name
    if found := re.fullmatch(
        r"(\S+)\s+(?:(AS)\s+\S+|(PARAMETER|SYSTEM|TEMPLATE|ADAPTER|LICENSE|MESSAGE)\s.*)", written
    ):
        why = "FROM has no AS, as Dockerfiles have" if found[2] else f"{found[3]} needs a line of its own"
        return f"{why}: write `FROM {found[1]}`", found[1] if found[2] else None
    names = [name for name in re.split(_SEPARATOR, written) if name_or_none(name)]
    several = len(names) >= _FEWEST_NAMES and not any(re.fullmatch(_SIZE, name) for name in names)
    return f"a model has one base: keep one of the {len(names)} names" if several else None, None


def _intended(written: str) -> str | None:
    """Return the path or name in quotes or in a command, or whose tag is set off by a wrong character."""
    for pattern, template in _WRAPPED:
        if found := re.fullmatch(pattern, written):
            name = found.expand(template)
            return name if looks_like_path(name) or name_or_none(name) else None
    return None
