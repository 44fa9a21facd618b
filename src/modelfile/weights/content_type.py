"""Content types by the first bytes of a file, as Ollama detects them: Go's net/http.DetectContentType.

And files that certainly are no weights, by the same bytes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from modelfile.errors import InputError
from modelfile.filesystem import open_regular

BINARY: Final = "application/octet-stream"
TEXT: Final = "text/plain"
ZIP: Final = "application/zip"
LFS_POINTER: Final = b"version https://git-lfs"
"""Start of a file that git-lfs leaves in the place of the content."""

HEAD: Final = 512
"""Bytes that decide, at the start of a file."""
_MARKUP: Final = re.compile(
    rb"[\t\n\f\r ]*(?:(?P<html>(?i:<!DOCTYPE HTML|<(?:HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY"
    rb"|BR|P)|<!--)[ >])|(?P<xml><\?xml))"
)
_BYTE_ORDER_MARK: Final = re.compile(rb"(?:\xfe\xff|\xff\xfe)..|\xef\xbb\xbf.", re.DOTALL)
_MEDIA: Final = re.compile(
    rb"%PDF-|%!PS-Adobe-|\0\0[\x01\x02]\0|BM|GIF8[79]a|RIFF....(?:WEBPVP|AVI |WAVE)|\x89PNG\r\n\x1a\n|\xff\xd8\xff"
    rb"|FORM....AIFF|ID3|OggS\0|MThd\0\0\0\x06|\x1a\x45\xdf\xa3|.{34}LP|\0\x01\0\0|OTTO|ttcf|wOFF|wOF2"
    rb"|\x1f\x8b\x08|Rar!\x1a\x07(?:\0|\x01\0)|\0asm",
    re.DOTALL,
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_BOX: Final = 12
MAGICS: Final = (b"GGUF", b"FUGG")
_WEIGHTS: Final = frozenset({".gguf", ".safetensors"})
_SETTINGS: Final = frozenset({".json", ".jinja"})
"""Suffixes of files that Ollama takes from a folder beside the weights."""
_PAGES: Final = {"text/html": "an HTML page", "text/xml": "an XML document"}
_ANSWER: Final = (
    rb"(?i)\s*(?:\{\s*\"(?:error|message|detail)\"|invalid (?:username|credentials|token)|access (?:to|denied)"
    rb"|unauthorized|forbidden|not found|(?:entry|repository) not found|too many requests|error code|40[0-9] |50[0-9] )"
)
_SAFETENSORS: Final = "safetensors"
_DOWNLOAD: Final = "download a GGUF file of the model"
_CONVERT: Final = "convert it with llama.cpp's convert_hf_to_gguf.py, or download a GGUF file of the model"
_FORMATS: Final = (
    (rb"\0{64}", "zeros, as in an unfinished download", "download it again"),
    (rb"(?:lmgg|fmgg|tjgg|algg|tsgg)", "of GGML, the format before GGUF, which Ollama does not read", _DOWNLOAD),
    (rb"(?s)[^\0].{3}\0{4}\{", _SAFETENSORS, f"name it .safetensors, in a folder with its config.json, or {_DOWNLOAD}"),
    (rb"PK\x03\x04", "a zip archive or a PyTorch checkpoint", f"unpack it if it is an archive, or {_DOWNLOAD}"),
    (rb"\x80[\x02-\x05]", "a PyTorch checkpoint", _CONVERT),
    (rb"\x1f\x8b|\xfd7zXZ|7z\xbc\xaf|\x28\xb5\x2f\xfd|Rar!", "a compressed archive", "unpack it"),
)
"""Formats of files that people take for weights: how they begin, their name, and what to do."""
_SHOWN: Final = 40
"""Length of the start of a text that a message shows, in characters."""


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, as many as `detect_content_type` uses.

    Raises:
        InputError: It cannot be read.
    """
    with open_regular(path) as file:
        return file.read(HEAD)


def detect_content_type(head: bytes) -> str:
    """Return the content type of a file that begins with `head`.

    One of text/plain, text/html, text/xml, application/octet-stream and application/zip; `media` for all others.
    """
    head = head[:HEAD]
    if markup := _MARKUP.match(head):
        return "text/html" if markup["html"] else "text/xml"
    if _BYTE_ORDER_MARK.match(head):
        return TEXT
    if _MEDIA.match(head) or _is_mp4(head):
        return "media"
    if head.startswith(b"PK\x03\x04"):
        return ZIP
    return BINARY if _CONTROL.search(head) else TEXT


def reject_content(path: Path, head: bytes) -> None:
    """Reject a file that certainly is not the weights that its name says, by its first bytes.

    Raises:
        InputError: It is a git-lfs pointer or empty, the answer of a web server, or of another format than its name.
    """
    kind, again = path.suffix, "download it again"
    if head.startswith(LFS_POINTER):
        message, hint = f"`{path}` is a git-lfs pointer, not the weights", "run `git lfs pull`"
        raise InputError(message, hint=hint, rule="git-lfs-pointer")
    if kind in _SETTINGS or head.startswith(MAGICS):
        return
    if not head and kind in _WEIGHTS:
        raise InputError(f"`{path}` is empty", hint=again, rule="truncated-weights")
    content = detect_content_type(head)
    what = _PAGES.get(content) or ("the answer of a web server" if re.match(_ANSWER, head) else "")
    if what:
        hint = f"{again}; a repository that asks for a login needs a token, as `hf auth login` stores it"
        message = f"`{path}` is {what}, not weights: it begins `{_start_of(head)}`"
        raise InputError(message, hint=hint, rule="html-instead-of-weights")
    found, hint = next(((what, hint) for start, what, hint in _FORMATS if re.match(start, head)), ("", again))
    if content == TEXT and "\ufffd" not in head.decode("utf-8", "replace")[:-1]:
        found = f"a text file that begins `{_start_of(head)}`"
    but = f", but {found}" if found else ""
    if kind == ".gguf":
        raise InputError(f"`{path}` is not a GGUF file{but}", hint=hint, rule="not-gguf")
    if kind == ".safetensors" and found and found != _SAFETENSORS:
        raise InputError(f"`{path}` is not a safetensors file{but}", hint=hint, rule="not-gguf")


def _start_of(head: bytes) -> str:
    """Return the printable start of a text, for a message."""
    line = next(filter(None, map(str.strip, head.decode("utf-8", "replace").splitlines())), "")
    return "".join(filter(str.isprintable, line.replace("`", "'")))[:_SHOWN]


def _is_mp4(head: bytes) -> bool:
    size = int.from_bytes(head[:4])
    return (
        _BOX <= len(head) >= size
        and size % 4 == 0
        and head[4:8] == b"ftyp"
        and any(head[at : at + 3] == b"mp4" for at in range(8, size, 4) if at != _BOX)
    )
