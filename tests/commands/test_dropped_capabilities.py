"""Builds whose TEMPLATE takes capabilities away that the base on the server has."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf

from modelfile.stores.memory import MemoryStore

THINKING = "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
BASE = (
    f"FROM llama3.2:3b\nTEMPLATE {{{{ .Tools }}}}{{{{ range .Messages }}}}{{{{ .Content }}}}{THINKING}{{{{ end }}}}\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.Modelfile").write_text(BASE, encoding="utf-8")
    return tmp_path


def build(folder: Path, store: MemoryStore, name: str, *options: str) -> Ran:
    return mf(
        "build", f"{name}:v1", "-f", f"{name}.Modelfile", *options, cwd=folder, open_store=lambda _: nullcontext(store)
    )


@pytest.mark.parametrize(
    ("lines", "dropped"),
    [
        (
            "TEMPLATE {{ .System }} {{ .Prompt }}",
            "drops tools and thinking that base:v1 supports: it has no `.Tools` and",
        ),
        ("TEMPLATE {{ .Tools }}{{ range .Messages }}{{ .Content }}{{ end }}", "drops thinking that base:v1 supports"),
        ("SYSTEM Be brief.", None),
        (BASE.partition("\n")[2], None),
    ],
)
def test_capabilities_that_the_base_has_are_missed(folder: Path, lines: str, dropped: str | None) -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    first = build(folder, store, "base")
    assert first.code == 0
    assert "the TEMPLATE of" not in first.err
    (folder / "bot.Modelfile").write_text(f"FROM base:v1\n{lines}\n", encoding="utf-8")
    for options in (["--dry-run"], []):
        ran = build(folder, store, "bot", *options)
        assert ("the TEMPLATE of bot:v1 drops" in ran.err) is (dropped is not None)
        assert dropped is None or dropped in ran.err
    assert "the TEMPLATE of" not in build(folder, store, "bot").err
