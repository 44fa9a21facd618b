"""References and pinning (MF2xx)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from modelfile.diagnostics import Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, From, Instruction

# Compiled on use: most bases are names.
_BLOB: Final = r"[/\\]blobs[/\\]sha256[-:][0-9a-f]{64}\Z"
_USER: Final = r"([\w.-]{1,96})"
_ORIGINS: Final = (
    rf"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/{_USER}/{_USER}/(?:resolve|blob|raw|tree)/(.*)",
    rf"(?:https?://)?(?:huggingface\.co|hf\.co)/{_USER}/{_USER}/([^/]+\.gguf)",
    rf"hf://{_USER}/{_USER}(.*)",
    rf".*[/\\]models--([\w.-]{{1,96}}?)--{_USER}[/\\](.*)",
    rf".*[/\\]\.?lm-?studio[/\\](?:hub[/\\])?models[/\\]{_USER}[/\\]{_USER}[/\\](.*\.gguf)",
)
"""Addresses of Hugging Face, and the folders of its cache and of LM Studio: user, repository, file."""
_QUANTIZATION: Final = (
    r"(?:.*?[-._/\\])?((?:UD-)?(?:I?Q[1-8]_\w+|TQ[12]_0|BF16|F16|F32|MXFP4\w*))(?:-\d{5}-of-\d{5})?\.gguf"
)
_PART: Final = r"(?:\A|[/\\._-])mmproj|(?:\A|[/\\])mtp-"
"""Files that belong to other weights: projectors, and drafts for their speculative decoding."""
_TOP: Final = 20
"""Lines and instructions at the start of a file among which `ollama show --modelfile` names the model."""
_SHOWN: Final = r"FROM\s+(\S+)"


_DOWNLOAD: Final = (
    r"[A-Za-z][\w+.-]*://.*\.(?:gguf|bin|pth|safetensors|zip)(?:[?#].*)?|(?!https?:)[A-Za-z][\w+.-]*://.*"
)


def is_download(written: str) -> bool:
    """Return True if a FROM is the URL of a file, even if Ollama could read it as a name."""
    return "://" in written and re.fullmatch(_DOWNLOAD, written, re.IGNORECASE) is not None


def is_blob(path: str) -> bool:
    """Return True if a path is a blob in an Ollama store."""
    return re.search(_BLOB, path) is not None


@lru_cache(maxsize=1 << 10)
def hugging_face_name(written: str) -> str | None:
    """Return the model name for a file on Hugging Face or from its cache, by its address or path; None for others.

    The quantization is taken from the file's name if it has one.

    >>> hugging_face_name("https://huggingface.co/unsloth/Qwen3-8B-GGUF/resolve/main/Qwen3-8B-Q4_K_M.gguf")
    'hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M'
    """
    if len(written) > 1 << 12:
        return None
    for origin in _ORIGINS:
        if found := re.fullmatch(origin, written.partition("?")[0]):
            user, repository, file = found.groups()
            if file and not file.endswith(".gguf") and "gguf" not in repository.lower():
                return None  # safetensors, which Ollama does not take from Hugging Face
            if re.search(_PART, file, re.IGNORECASE):
                return None  # a name gives the weights, and their projector with them
            kind = re.fullmatch(_QUANTIZATION, file, re.IGNORECASE)
            return f"hf.co/{user}/{repository}{f':{kind[1].upper()}' if kind else ''}"
    return None


def original_name(base: From, modelfile: Modelfile) -> str | None:
    """Return the name of the model that a path in FROM belongs to, if the path or the file's first comment says so."""
    written = base.value.text
    if not is_blob(written):
        return hugging_face_name(written)
    for node in modelfile.nodes[:_TOP]:
        if isinstance(node, Comment) and (shown := re.fullmatch(_SHOWN, node.text)):
            name = shown[1]
            return name if name_or_none(name) and not looks_like_path(name) else None
    return None


def missing_severity(instruction: Instruction, context: Context) -> Severity:
    """Return the severity of a file that does not exist: an error, unless no checkout has it."""
    ignored = context.is_ignored(instruction.value.text) if context.is_ignored else False
    return Severity.WARNING if ignored is None else Severity.INFO if ignored else Severity.ERROR
