"""Tables of models that fit into the terminal."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from tests.support.cli import mf

from modelfile.addresses import ServerAddress
from modelfile.library.history import ModelBackup
from modelfile.names import ModelName
from modelfile.report.models import print_backups
from modelfile.report.terminal import Terminal
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import ListedModel, Store


@contextmanager
def opened(_: ServerAddress) -> Iterator[Store]:
    yield MemoryStore.with_models("bot:v1", "bot:v2")


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (80, ["NAME", "DIGEST", "SIZE", "MODIFIED"]),
        (40, ["NAME", "SIZE", "MODIFIED"]),
        (20, ["NAME", "SIZE"]),
        (5, ["NAME"]),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns_and_whole_names(width: int, headings: list[str]) -> None:
    lines = mf("ls", open_store=opened, environ={"COLUMNS": str(width)}).out.splitlines()
    assert lines[0].split() == headings
    assert {line.split()[0] for line in lines[1:]} == {"bot:v1", "bot:v2"}
    assert max(map(len, lines)) <= max(width, len("bot:v1"))


@pytest.mark.parametrize(("width", "whole"), [(200, True), (60, False)])
def test_a_narrow_terminal_gets_short_fingerprints(width: int, *, whole: bool) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    listed = ListedModel(name=ModelName.parse("bot:v1"), digest="sha256:" + "1" * 64, size=1000, modified=now)
    out = io.StringIO()
    terminal = Terminal(io.StringIO(), out, io.StringIO(), {"COLUMNS": str(width)})
    print_backups([ModelBackup(model=listed, fingerprint="mf1:" + "2" * 64, current=True)], terminal)
    fingerprint = out.getvalue().split()[-1]
    assert fingerprint == "mf1:" + ("2" * 64 if whole else "2" * 12 + "…")
    assert max(map(len, out.getvalue().splitlines())) <= width
