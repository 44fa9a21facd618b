"""Compiled tables of the grammars: the same parser as Lark compiles, loaded without executing anything."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.paths import ROOT, VECTORS

from modelfile.gotemplate.lexer import TemplateLexer
from modelfile.grammar import compile_tables, load_grammar, write_tables

SOURCES = ROOT / "src" / "modelfile"
GRAMMARS = {
    SOURCES / "syntax" / "modelfile.lark": "contextual",
    SOURCES / "gotemplate" / "template.lark": TemplateLexer,
}
TEXTS = [
    'FROM a:b\nSYSTEM """x\ny"""\nMESSAGE user hi\n# c\nPARAMETER seed 1\n',
    "{{ if and .A (eq .B `x`) }}{{ range $i, $m := .M }}{{ $m.C | len }}{{ else }}x{{ end }}{{ end }}",
    *(json.loads(line).get("input", "") for line in (VECTORS / "parser.jsonl").read_text("utf-8").splitlines()[:300]),
]


@pytest.fixture(params=GRAMMARS, ids=lambda path: path.stem)
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Any]:
    """Return a copy of a grammar without its tables, and its lexer."""
    return shutil.copy(request.param, tmp_path / request.param.name), GRAMMARS[request.param]


def parses(path: Path, lexer: Any) -> list[Any]:
    """Return the trees or the errors of all texts."""
    parser = load_grammar(path, lexer=lexer)
    answers: list[Any] = []
    for text in TEXTS:
        try:
            answers.append(parser.parse(text))
        except Exception as error:  # noqa: BLE001  # whatever it is, both have to raise it
            answers.append((type(error), str(error)))
    return answers


@pytest.mark.parametrize("path", GRAMMARS, ids=lambda path: path.stem)
def test_tables_are_current(path: Path) -> None:
    tables = path.with_suffix(".tables.json")
    assert not tables.exists() or tables.read_text() == compile_tables(path), "run `make tables`"


def test_tables_give_the_parser_that_lark_compiles(copied: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    path, lexer = copied
    compiled = parses(path, lexer)
    assert [*write_tables(path.parent)] == [path.with_suffix(".tables.json")]
    monkeypatch.setattr("lark.Lark.__init__", None)  # it would compile the grammar
    assert parses(path, lexer) == compiled


def test_equal_grammars_give_equal_tables(copied: tuple[Path, Any]) -> None:
    code = f"from pathlib import Path; from modelfile.grammar import *; print(compile_tables(Path({str(copied[0])!r})))"
    environs = ({**os.environ, "PYTHONHASHSEED": seed} for seed in "12")
    command = [sys.executable, "-c", code]
    texts = {subprocess.run(command, env=environ, capture_output=True, check=True).stdout for environ in environs}
    assert len(texts) == 1


def cut(text: str) -> str:
    return text[:1000]


def other_grammar(text: str) -> str:
    return json.dumps(json.loads(text) | {"grammar": "start: "})


def other_lark(text: str) -> str:
    return json.dumps(json.loads(text) | {"lark": "1.1"})


def other_format(text: str) -> str:
    content = json.loads(text)
    del content["format"]
    content["data"]["parser"]["parser"]["states"] = {}
    return json.dumps(content)


def no_object(_: str) -> str:
    return "[1]"


@pytest.mark.parametrize("damage", [cut, other_grammar, other_lark, other_format, no_object])
def test_stale_tables_are_not_used(copied: tuple[Path, Any], damage: Callable[[str], str]) -> None:
    path, lexer = copied
    compiled = parses(path, lexer)
    (tables,) = write_tables(path.parent)
    tables.write_text(damage(tables.read_text()))
    assert parses(path, lexer) == compiled


def test_nothing_is_unpickled_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "executed"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (marker,)

    cache = tmp_path / "cache" / "modelfile"
    cache.mkdir(parents=True)
    for name in ("modelfile", "template"):
        (cache / f"{name}-{sys.implementation.cache_tag}.lark").write_bytes(b"x\n" + pickle.dumps(Hostile()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    (tmp_path / "Modelfile").write_text("FROM a:b\nTEMPLATE {{ .Prompt }}\n")
    ran = subprocess.run(
        [sys.executable, "-m", "modelfile", "lint", "Modelfile"], cwd=tmp_path, capture_output=True, check=False
    )
    assert ran.returncode in (0, 1)
    assert not marker.exists()
