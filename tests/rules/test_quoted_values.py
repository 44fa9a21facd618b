"""Typographic quotes around names, paths and numbers, which are errors."""

import json
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile import lint


@pytest.mark.parametrize(
    ("line", "fixed", "part"),
    [
        ("FROM \u201cllama3.2:3b\u201d", "FROM llama3.2:3b", "name: write `FROM llama3.2:3b`"),
        ("FROM \u2018llama3.2:3b\u2019", "FROM llama3.2:3b", "name: write `FROM llama3.2:3b`"),
        ("FROM \u201c./m.gguf\u201d", "FROM ./m.gguf", "name: write `FROM ./m.gguf`"),
        ("ADAPTER \u201c./x.gguf\u201d", "ADAPTER ./x.gguf", "path: write `./x.gguf`"),
        ("PARAMETER temperature \xab0.7\xbb", "PARAMETER temperature 0.7", "value: write `0.7`"),
        ("PARAMETER num_ctx \u20194096\u2019", "PARAMETER num_ctx 4096", "value: write `4096`"),
        ("PARAMETER top_p 0.9\u201d", "PARAMETER top_p 0.9", "value: write `0.9`"),
        ("PARAMETER use_mmap \u201ctrue\u201d", "PARAMETER use_mmap true", "value: write `true`"),
    ],
)
def test_quotes_are_named_and_removed(
    line: str, fixed: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("m.gguf", "x.gguf"):
        Path(name).touch()
    Path(".git").mkdir()
    Path("Modelfile").write_text(f"{line}\n", encoding="utf-8")
    rules = "invalid-model-name,missing-file,invalid-parameter-value"
    (only,) = json.loads(mf("lint", "--format", "json", "--select", rules).out)["findings"]
    assert (only["severity"], only["help"]) == ("error", f"the typographic quotes are part of the {part}")
    mf("lint", "--fix", "--unsafe-fixes", "--select", rules)
    assert Path("Modelfile").read_text(encoding="utf-8") == f"{fixed}\n"


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ('"Quoted" at the start, and 5" pipes inside.', False),
        ('Pipes have 5"', False),
        ('"You sell pipes.', True),
        ('"You sell "long" pipes.', True),
    ],
)
def test_unpaired_quote_is_none_of_inches(text: str, *, reported: bool) -> None:
    names = {one.name for one in lint(f'# For tests.\nFROM x:y\nSYSTEM """{text}"""\n')}
    assert ("text-after-quote" in names) == reported
