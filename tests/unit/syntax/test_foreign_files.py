"""One finding for a file that is no Modelfile."""

import pytest

from modelfile import lint

DOCKERFILE = 'FROM python:3.11\nRUN pip install ollama\nCOPY . /app\nCMD ["python", "app.py"]\n'
SCRIPT = (
    "#!/bin/bash\nset -e\ncat <<EOF > Modelfile\nFROM llama3.2:3b\nSYSTEM Hi.\nEOF\nollama create bot -f Modelfile\n"
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"model": "x", "from": "llama3",\n"system": "x"}\n', "JSON"),
        ('{\n  "from": "llama3"\n}\n', "JSON"),
        ('[\n  {"role": "user"}\n]\n', "JSON"),
        (
            "<!DOCTYPE html>\n<html>\n<head></head>\n<body>\nnot found\n</body>\n",
            "HTML, such as the page around a download",
        ),
        ('<?xml version="1.0"?>\n<a>\n</a>\n', "XML"),
        (DOCKERFILE, "a Dockerfile"),
        ("import ollama\n\nclient = ollama.Client()\nprint(client.list())\n", "Python"),
        ("#!/bin/sh\nset -e\nollama pull llama3.2\nollama run llama3.2\n", "a script"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "a pointer of Git LFS"),
    ],
)
def test_file_of_another_kind_is_one_finding(text: str, kind: str) -> None:
    (only,) = lint(text)
    assert (only.severity, only.span.start) == ("error", 0)
    assert only.message == f"this file is {kind}, not a Modelfile"


@pytest.mark.parametrize("text", [SCRIPT, SCRIPT.partition("set -e\n")[2], SCRIPT.replace("<<EOF", "<<'EOF'")])
def test_script_that_writes_a_modelfile_is_one_finding(text: str) -> None:
    (only,) = lint(text, select=["shell-remains", "unknown-instruction", "missing-from"])
    first = text[: only.span.start].count("\n") + 1
    assert only.message == (
        f"this file is a shell script: the Modelfile is in its heredoc, lines {first + 1} to {first + 2}"
    )
    assert only.fix
    first_edit, last_edit = only.fix.edits
    assert text[first_edit.span.end : last_edit.span.start] == "FROM llama3.2:3b\nSYSTEM Hi.\n"


@pytest.mark.parametrize(
    "text",
    [
        "FROM llama3.2:3b\nRUN echo\nSYSTEM Hi.\nCOPY . /app\n",
        "FROM llama3.2:3b\nENV A=1\n",
        "#!/usr/bin/env ollama\nFROM llama3.2:3b\nTEMPERATURE 1\n",
        '{{ if .System }}\n{"a": 1}\n',
        "FROM llama3.2:3b\nSYSTEM Answer in JSON:\n{\n}\n",
    ],
)
def test_modelfile_with_lines_of_other_kinds_is_one(text: str) -> None:
    assert all("this file is" not in one.message for one in lint(text))
