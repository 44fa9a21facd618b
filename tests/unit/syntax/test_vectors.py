"""Tests of the parser and of create requests against the output of Ollama's parser and command line (0.33)."""

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
from modelfile.stores.ollama.wire import create_request
from modelfile.syntax.modelfile import Modelfile


def rows(name: str) -> list[Any]:
    lines = (VECTORS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [pytest.param(json.loads(line), id=str(number)) for number, line in enumerate(lines, 1)]


def source(row: dict[str, Any]) -> Source:
    data = base64.b64decode(row["input_base64"]) if "input_base64" in row else row["input"].encode()
    return Source.decode(data)


@pytest.mark.parametrize("row", rows("parser"))
def test_commands_and_errors_match_ollama(row: dict[str, Any]) -> None:
    modelfile = Modelfile.parse(source(row))
    assert (not modelfile.diagnostics) == row["ok"]
    if row["ok"]:
        assert [list(command) for command in modelfile.commands] == row["commands"]
        assert modelfile.rejection is None
    else:
        assert modelfile.rejection is not None
        assert (modelfile.rejection.cause, modelfile.rejection.line) == (row["error"], row["line"])


@pytest.mark.parametrize("row", rows("create_request"))
def test_create_request_matches_ollama(row: dict[str, Any], tmp_path: Path) -> None:
    modelfile = Modelfile.parse(source(row))
    if row["ok"]:
        assert create_request(resolve(modelfile, tmp_path)) == row["request"]
    else:
        with pytest.raises(InputError):
            resolve(modelfile, tmp_path)


@pytest.mark.parametrize("row", [row for row in rows("create_request") if row.values[0]["ok"]])
def test_lint_reports_no_error_in_files_that_ollama_accepts(row: dict[str, Any]) -> None:
    found = lint(Context(modelfile=Modelfile.parse(source(row))))
    # the server can still reject a name that the command line sends
    assert {item.name for item in found if item.severity is Severity.ERROR} <= {"invalid-model-name", "digest-in-from"}
