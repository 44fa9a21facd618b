"""Modelfiles in tests/data/unusual: unlike most others, but right. No rule finds an error or a warning in them.

An entry is a `##` heading and a fenced block with the Modelfile (`python`: a literal of its text or bytes).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.paths import DATA
from tests.support.tiny_gguf import bare_gguf

from modelfile import lint
from modelfile.diagnostics import Severity

FILES = {
    "weights.gguf": bare_gguf("weights"),
    "mmproj-f16.gguf": bare_gguf("projector", kind="projector"),
    "модели/мой бот.gguf": bare_gguf("bot"),
    "lora/adapter.gguf": bare_gguf("adapter", kind="adapter"),
    "blobs/sha256-3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed": bare_gguf("blob"),
}
ENTRY = re.compile(
    r"^## (?P<title>.+)\n(?P<fence>~~~|```)(?P<kind>modelfile|python)\n(?P<body>(?s:.*?))^(?P=fence)\n", re.MULTILINE
)
FEWEST = 40


def entries() -> Iterator[tuple[str, bytes]]:
    for path in sorted((DATA / "unusual").glob("*.md")):
        for match in ENTRY.finditer(path.read_text(encoding="utf-8")):
            body = match["body"]
            if match["kind"] == "python":
                body = eval(body)  # noqa: S307  # of a file of this project
            yield match["title"], body if isinstance(body, bytes) else body.encode()


ENTRIES = dict(entries())


def test_every_entry_is_read() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (DATA / "unusual").glob("*.md")]
    assert len(ENTRIES) == sum(len(re.findall(r"^## .+\n(?:```|~~~)", text, re.MULTILINE)) for text in texts) >= FEWEST


@pytest.mark.parametrize("title", ENTRIES)
def test_unusual_but_right_modelfile_has_neither_errors_nor_warnings(title: str, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for path in (tmp_path / "Modelfile", None):
        found = lint(ENTRIES[title], path)
        assert [(one.name, one.message) for one in found if one.severity is not Severity.INFO] == []
