"""What Ollama's own parser and command line (0.33) say of inputs, and what we say of the same."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.paths import VECTORS

from modelfile.diagnostics import Severity
from modelfile.errors import InputError
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.recipe.recipe import resolve
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile


def rows(name: str) -> list[Any]:
    lines = (VECTORS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [pytest.param(json.loads(line), id=str(number)) for number, line in enumerate(lines, 1)]


def source(row: dict[str, Any]) -> Source:
    data = base64.b64decode(row["input_base64"]) if "input_base64" in row else row["input"].encode()
    return Source.decode(data)


@pytest.mark.parametrize("row", rows("parser"))
def test_parser(row: dict[str, Any]) -> None:
    modelfile = Modelfile.parse(source(row))
    assert (not modelfile.diagnostics) == row["ok"]
    if row["ok"]:
        assert [list(command) for command in modelfile.commands] == row["commands"]
        assert modelfile.refusal is None
    else:
        assert modelfile.refusal is not None
        assert (modelfile.refusal.cause, modelfile.refusal.line) == (row["error"], row["line"])


@pytest.mark.parametrize("row", rows("create_request"))
def test_create_request(row: dict[str, Any], tmp_path: Path) -> None:
    modelfile = Modelfile.parse(source(row))
    if row["ok"]:
        assert resolve(modelfile, tmp_path).request() == row["request"]
    else:
        with pytest.raises(InputError):
            resolve(modelfile, tmp_path)


@pytest.mark.parametrize("row", [row for row in rows("create_request") if row.values[0]["ok"]])
def test_lint_finds_no_error_in_what_ollama_takes(row: dict[str, Any]) -> None:
    found = lint(Context(modelfile=Modelfile.parse(source(row))))
    # what the command line sends as a name, the server may still refuse as one
    assert {item.name for item in found if item.severity is Severity.ERROR} <= {"invalid-model-name", "digest-in-from"}
