"""The table of types is what the installed gguf package says."""

import importlib.util
from pathlib import Path

from modelfile.weights import types

DOCS = Path(__file__).parents[3] / "docs"


def test_types_are_those_of_gguf_py() -> None:
    spec = importlib.util.spec_from_file_location("tensor_types", DOCS / "tensor_types.py")
    assert spec
    assert spec.loader
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    assert Path(types.__file__).read_text(encoding="utf-8") == program.module(), "run `make docs`"


def test_types_have_the_names_of_ggml() -> None:
    assert types.TENSOR_TYPES[12] == ("Q4_K", 256, 144)
    assert types.FILE_TYPES[15] == "Q4_K_M"
    assert 9 not in types.TENSOR_TYPES
