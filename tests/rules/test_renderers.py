"""RENDERER and PARSER of other versions of Ollama."""

import pytest

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

DELETE = "delete the line: the base brings its own renderer if it has one"


def found(text: str, version: Version | None = None) -> list[tuple[str, str | None]]:
    modelfile = Modelfile.parse(Source(text=f"FROM ./weights.gguf\n{text}\n"))
    findings = lint(Context(modelfile=modelfile, ollama=catalog(version)))
    return [(one.message, one.hint) for one in findings if one.name == "unknown-renderer"]


def test_removed_name_is_reported_with_its_successor() -> None:
    message = "unknown renderer `deepseek-v3.1` in Ollama {}: removed in 0.13.5"
    for version, name in ((None, "0.32.15"), (Version(0, 13, 5), "0.13.5")):
        assert found("RENDERER deepseek-v3.1", version) == [(message.format(name), "did you mean `deepseek3.1`?")]
    assert found("RENDERER deepseek-v3.1", Version(0, 13, 4)) == []


def test_name_that_the_intended_version_does_not_know_yet_is_reported() -> None:
    hint = "use Ollama 0.20.0 or later, or delete the line"
    for word in ("renderer", "parser"):
        message = f"unknown {word} `gemma4` in Ollama 0.17.0: added in 0.20.0"
        assert found(f"{word.upper()} gemma4", Version(0, 17, 0)) == [(message, hint)]
        assert found(f"{word.upper()} gemma4", Version(0, 20, 0)) == []
    assert found("RENDERER gemma4", Version(0, 9, 3)) == []  # unknown-instruction


def test_suggestion_is_one_that_the_intended_version_has() -> None:
    (only,) = found("RENDERER gemma-4", Version(0, 17, 0))
    assert only == ("unknown renderer `gemma-4`: each chat fails", DELETE)


@pytest.mark.parametrize(("name", "count"), [("brand-new", 0), ("qwen3-codr", 1)])
def test_newer_ollama_than_the_catalog_may_have_a_name(name: str, count: int) -> None:
    assert len(found(f"RENDERER {name}", Version(0, 99, 0))) == count


def test_requires_is_as_new_as_the_renderer() -> None:
    modelfile = Modelfile.parse(Source(text="FROM ./weights.gguf\nRENDERER gemma4\nREQUIRES 0.15.0\n"))
    (only,) = [one for one in lint(Context(modelfile=modelfile)) if one.name == "requires-too-low"]
    assert only.message == "REQUIRES 0.15.0 is too low: `RENDERER gemma4` in line 2 needs 0.20.0"
