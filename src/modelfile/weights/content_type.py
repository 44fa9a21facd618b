"""Content types by the first bytes of a file, as Ollama detects them: Go's net/http.DetectContentType."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from modelfile.filesystem import open_regular

BINARY: Final = "application/octet-stream"
TEXT: Final = "text/plain"
ZIP: Final = "application/zip"
LFS_POINTER: Final = b"version https://git-lfs"
"""Start of a file that git-lfs leaves in the place of the content."""

_HEAD: Final = 512
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


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, as many as `detect_content_type` uses.

    Raises:
        InputError: It cannot be read.
    """
    with open_regular(path) as file:
        return file.read(_HEAD)


def detect_content_type(head: bytes) -> str:
    """Return the content type of a file that begins with `head`.

    One of text/plain, text/html, text/xml, application/octet-stream and application/zip; `media` for all others.
    """
    head = head[:_HEAD]
    if markup := _MARKUP.match(head):
        return "text/html" if markup["html"] else "text/xml"
    if _BYTE_ORDER_MARK.match(head):
        return TEXT
    if _MEDIA.match(head) or _is_mp4(head):
        return "media"
    if head.startswith(b"PK\x03\x04"):
        return ZIP
    return BINARY if _CONTROL.search(head) else TEXT


def _is_mp4(head: bytes) -> bool:
    size = int.from_bytes(head[:4])
    return (
        _BOX <= len(head) >= size
        and size % 4 == 0
        and head[4:8] == b"ftyp"
        and any(head[at : at + 3] == b"mp4" for at in range(8, size, 4) if at != _BOX)
    )
