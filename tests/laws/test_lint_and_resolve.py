"""A Modelfile without errors in a lint can be resolved, as a build does before it asks the server anything."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modelfile import lint, parse, resolve
from modelfile.diagnostics import Severity
from modelfile.errors import InputError, UsageError
from modelfile.names import ModelName
from modelfile.weights.checks import check_weights

WORDS = ("FROM", "ADAPTER", "DRAFT", "PARAMETER", "TEMPLATE", "SYSTEM", "LICENSE", "MESSAGE", "REQUIRES", "RENDERER")
PATHS = ("good.gguf", "junk.gguf", "empty", "folder", "odd", "pipe", "loop", "gone", "junk.gguf/x", "a" * 300)
VALUES = st.sampled_from(
    [
        *(f"{start}{path}" for path in PATHS for start in ("", "./", "../x/../", "~nobody/")),
        *(
            "llama3.2:3b",
            "x y",
            "hf.co/a/b",
            "a@sha256:1",
            '""',
            '"',
            '"""',
            "",
            "0.14.0",
            "v1",
            "banana",
            "{{ .Prompt }}",
        ),
        *("temperature 1", "temperature x", "stop a", "temp 1", "num_ctx 1e9", "seed", "user hi", "nobody hi", "user"),
        *("temperature nan", "num_ctx 0x10", "top_k 99999999999999999999", "use_mmap maybe", "\x00", "\u202e", "{{ .X"),
    ]
) | st.text(max_size=8)
LINES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from([*WORDS, "from", "FORM", "#", "# mf: ignore[x]", ""]),
    st.sampled_from([" ", "  ", "\t", "", "\u00a0"]),
    VALUES,
    st.sampled_from(["", " ", " # c", "\r", '"', '"""']),
)
TEXTS = st.lists(LINES, max_size=5).map("\n".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("modelfile")
    for name in ("folder", "odd", ".git"):  # outside of a repository, a missing file is a warning
        (root / name).mkdir()
    for name in ("good.gguf", "folder/model.gguf"):
        (root / name).write_bytes(b"GGUF\3\0\0\0" + bytes(16))
    for name in ("junk.gguf", "empty", "odd/model.bin"):
        (root / name).write_bytes(b"" if name == "empty" else b"junk")
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    return root


def rejected(text: str, folder: Path) -> str:
    """Return the error of a build, or an empty text."""
    try:
        recipe = resolve(parse(text), folder)
        if recipe.base:
            ModelName.parse(recipe.base)
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts)
    except (InputError, UsageError) as error:
        return error.message
    return ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
@example(text="FROM ../x/../good.gguf")
@example(text="FROM ./gone")
@example(text="FROM ~nobody/gone")
def test_modelfile_that_a_build_rejects_has_an_error(folder: Path, text: str) -> None:
    if message := rejected(text, folder):
        assert [found for found in lint(text, folder / "Modelfile") if found.severity is Severity.ERROR], message
