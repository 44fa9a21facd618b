"""Tables of what each release of Ollama can load."""

from modelfile.catalog.architectures import (
    ADAPTED,
    ARCHITECTURES,
    CONVERTED,
    CONVERTED_UNTIL,
    LISTS_END,
    OLDEST,
    TENSOR_TYPES_REMOVED,
    TENSOR_TYPES_SINCE,
)
from modelfile.catalog.families import find_family, library_models
from modelfile.catalog.renderers import RENDERERS_OF_ARCHITECTURES
from modelfile.catalog.versions import Version
from modelfile.weights.types import TENSOR_TYPES


def test_tables_agree_with_each_other() -> None:
    assert all(OLDEST <= since <= LISTS_END for since in ARCHITECTURES.values())
    assert ARCHITECTURES.keys() >= ADAPTED
    assert all(ARCHITECTURES[name] <= since for name, (_, since) in RENDERERS_OF_ARCHITECTURES.items())
    assert all(CONVERTED[name] < until for name, until in CONVERTED_UNTIL.items())
    assert all(OLDEST <= since <= LISTS_END for since in CONVERTED.values())
    assert not TENSOR_TYPES_REMOVED.keys() & (TENSOR_TYPES.keys() | TENSOR_TYPES_SINCE.keys())


def test_architectures_of_the_library_are_known() -> None:
    found = [family for name in library_models() if (family := find_family(name))]
    of_library = {family.architecture for family in found if family.architecture}
    assert {*of_library} - ARCHITECTURES.keys() == set()


def test_first_releases_are_those_of_the_release_notes() -> None:
    assert ARCHITECTURES["gemma3"] == Version(0, 6, 0)
    assert ARCHITECTURES["qwen3"] == Version(0, 6, 6)
    assert ARCHITECTURES["gemma3n"] == Version(0, 9, 3)
    assert ARCHITECTURES["gptoss"] == Version(0, 11, 0)
    assert ARCHITECTURES["gemma4"] == Version(0, 20, 0)
