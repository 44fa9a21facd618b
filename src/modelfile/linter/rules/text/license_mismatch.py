"""Rule MF517."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, model_header, rule
from modelfile.linter.rules.text.unexpanded_reference import reference
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import License

_HEAD: Final = 600
"""Number of characters at the start of a license that name it."""
_LICENSES: Final = {
    "Apache-2.0": r"apache(?:[ -]license)?\W{0,40}(?:version\W{0,3})?2|\bapache[- ]2|apache license",
    "MIT": r"\bmit\b(?! non)",
    "Llama": r"\bllama\W{1,3}\d?(?:\.\d)?\W{0,3}.{0,20}?(?:community|license)|\bllama[\d. -]{1,5}license",
    "Gemma": r"\bgemma\W.{0,20}?(?:terms|license)|gemma terms",
    "CC-BY-NC-4.0": r"cc[- ]by[- ]nc|creative commons.{0,30}noncommercial",
    "GPL": r"\b(?:a?gpl)(?:v|-)?\d|gnu .{0,20}general public",
    "BSD": r"\bbsd[- ]?\d|redistribution and use in source and binary",
    "Mistral Research License": r"mistral(?: ai)? (?:research|non-production)",
    "DeepSeek": r"deepseek license",
    "Qwen": r"(?:qwen|tongyi qianwen) (?:research )?license",
}
"""The names by which licenses are recognized, in lower case."""
_SIGNS: Final = {
    "Apache-2.0": ("apache",),
    "MIT": ("mit",),
    "Llama": ("llama",),
    "Gemma": ("gemma",),
    "CC-BY-NC-4.0": ("cc", "creative commons"),
    "GPL": ("gpl", "gnu"),
    "BSD": ("bsd", "redistribution"),
    "Mistral Research License": ("mistral",),
    "DeepSeek": ("deepseek",),
    "Qwen": ("qwen", "qianwen"),
}
"""Texts of which each name of a license has one: a search for them is quicker than for the names."""

_LICENSES_OF_HUGGING_FACE: Final = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "gemma": "Gemma Terms of Use",
    "cc-by-4.0": "CC-BY-4.0",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "lgpl-3.0": "LGPL-3.0",
    "gpl-3.0": "GPL-3.0",
    "agpl-3.0": "AGPL-3.0",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    **{f"llama{version}": f"Llama {version} Community License" for version in ("2", "3", "3.1", "3.2", "3.3", "4")},
}
"""Names of licenses by their identifiers on Hugging Face, which converters write into `general.license`."""
_COMMERCIAL: Final = (
    r"\b(?:free (?:to use )?for|allows?|permits?|permitted for|including)\b[^.]{0,30}\bcommercial\b"
    r"|\bcommercial licen[cs]e\b"
)
_NONCOMMERCIAL: Final = r"\bnon-?commercial|\bby-nc\b|\bnot\b[^.]{0,30}\bcommercial|\bresearch\b|non-production"
_LLAMA: Final = r"\bllama\W{1,3}(\d(?:\.\d)?)\W{1,3}community\b"
_HINT: Final = "write the text of the license of the base, or delete LICENSE: the base brings its own"
_HINT_FOR_FILE: Final = "write the license that `general.license` of the file names"
_FREE: Final = frozenset({"Apache-2.0", "MIT", "BSD"})
"""Licenses that ask for little: a prompt under one fits a base with a name under another."""


@rule("MF517", "license-mismatch", on=License, severity=Severity.WARNING)
def license_mismatch(node: License, context: Context) -> Iterator[Finding]:
    r'''LICENSE names another license than that of the base.

    Weights that are changed or packed anew stay under the license of their family. Llama, Gemma and others require it
    to be passed on; MIT or Apache-2.0 cannot replace it. Ollama adds a LICENSE to those of the base and shows both, so
    whoever pulls the model cannot know which one holds.

    The rule knows the families of Ollama's library, and reads `general.license` in the header of a local GGUF file. It
    says nothing of a license or base that it does not recognize, nor of a file that also names the license of its base.
    For a base with a name, it takes MIT, Apache-2.0 and BSD for one license: they ask for little. For a local file, it
    does not: LICENSE says nothing else than the header may.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    LICENSE MIT
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    LICENSE """LLAMA 3.2 COMMUNITY LICENSE AGREEMENT
    … all of its text …"""
    ```
    '''
    modelfile = context.modelfile
    if node is not modelfile.of_type(License)[0] or not node.value.closed or reference(node):
        return
    texts = [one.value.text[:_HEAD].lower() for one in modelfile.of_type(License)]
    named = frozenset[str]().union(*map(_names, texts))
    is_free = any(map(_is_free, texts))
    of_file = _license_of_file(modelfile, context)
    name, license_of_base = _license_of_base(modelfile, context, of_file) if named or is_free or of_file else ("", "")
    if not license_of_base:
        return
    hint = _HINT_FOR_FILE if license_of_base == of_file else _HINT
    under = f"{name} is under {_with_article(license_of_base)}"
    if is_free and re.search(_NONCOMMERCIAL, license_of_base.lower()):
        yield Finding(node.value.span, f"LICENSE allows commercial use, but {under}, which does not", hint)
        return
    of_base = _names(license_of_base.lower())
    if of_base and named and not of_base & named and not of_base | named <= _FREE:
        yield Finding(node.value.span, f"LICENSE names {' and '.join(sorted(named))}, but {under}", hint)
    elif version := _other_version(texts, license_of_base):
        yield Finding(node.value.span, f"LICENSE is that of Llama {version}, but {under}", hint)
    elif license_of_base == of_file and (other := _only_title(modelfile)) not in {None, of_file}:
        yield Finding(node.value.span, f"LICENSE names {other}, but {under}", hint)


def _license_of_file(modelfile: Modelfile, context: Context) -> str:
    """Return the name of the license that the header of a local file names; empty if none or not known."""
    header = model_header(modelfile, context)
    return _LICENSES_OF_HUGGING_FACE.get(header.text("general.license").lower(), "") if header else ""


def _license_of_base(modelfile: Modelfile, context: Context, of_file: str) -> tuple[str, str]:
    """Return words for the base, and the name of its license, by its name or its header; empty if not known."""
    family = base_family(modelfile, context)
    if family and family.license and family.license != of_file:
        return f"`{family.name}`", family.license
    return "the model of this file", of_file


def _only_title(modelfile: Modelfile) -> str | None:
    """Return the one license whose title, or whole text, is in LICENSE; None if there are several or none."""
    from modelfile.catalog.licenses import license_names  # for local files only

    titles = {title for one in modelfile.of_type(License) for title in license_names(one.value.text)}
    return titles.pop() if len(titles) == 1 else None


def _other_version(texts: Iterable[str], own: str) -> str | None:
    """Return the version of the Llama license that texts in lower case name, if it is not that of the base."""
    of_base = re.search(_LLAMA, own.lower())
    named = {version for text in texts for version in re.findall(_LLAMA, text)} if of_base else set()
    return min(named) if of_base and named and of_base[1] not in named else None


def _is_free(text: str) -> bool:
    """Return whether a license allows commercial use."""
    if "commercial" not in text or not re.search(_COMMERCIAL, text):
        return False
    return not re.search(_NONCOMMERCIAL, text)


@lru_cache(maxsize=64)  # those of a family are asked for again and again
def _names(text: str) -> frozenset[str]:
    """Return the licenses that a text in lower case names."""
    likely = (name for name, signs in _SIGNS.items() if any(map(text.__contains__, signs)))
    return frozenset(name for name in likely if re.search(_LICENSES[name], text))


def _with_article(name: str) -> str:
    return f"the {name}" if " " in name else name
