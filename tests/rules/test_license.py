"""LICENSE and the license of the base."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelfile import lint as lint_text
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.linter.rules.text.license_mismatch import _LICENSES, _names
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile


@pytest.mark.parametrize(
    ("base", "text", "named"),
    [
        ("llama3.2:3b", "MIT", "MIT"),
        ("llama3.1:8b", "Apache License 2.0", "Apache-2.0"),
        ("gemma2:9b", '"""MIT License\n\nCopyright (c) 2024 Anna Berg"""', "MIT"),
        ("qwen2.5:7b", "Llama 3.2 Community License", "Llama"),
        ("llama3.2:3b", "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT", None),
        ("gemma2:9b", "Gemma Terms of Use", None),
        ("qwen2.5:7b", "Apache-2.0", None),
        ("llama3.2:3b", "Built with Llama. See the text below.", None),
        ("llama3.2:3b", "MIT for the prompts\nLICENSE Llama 3.2 Community License for the weights", None),
        ("x:y", "MIT", None),
        ("qwen2.5:7b", "MIT", None),
        ("llama3.2:3b", "Permission is granted to submit transmit limits.", None),
    ],
)
def test_license_of_another_family_is_named(base: str, text: str, named: str | None) -> None:
    modelfile = Modelfile.parse(Source(text=f"# For tests.\nFROM {base}\nLICENSE {text}\n"))
    found = [one for one in lint(Context(modelfile=modelfile)) if one.name == "license-mismatch"]
    assert [one.message.split(",")[0] for one in found] == ([f"LICENSE names {named}"] if named else [])


def test_license_without_the_word_has_no_article() -> None:
    modelfile = Modelfile.parse(Source(text="# For tests.\nFROM command-r:35b\nLICENSE Apache License 2.0\n"))
    found = [one.message for one in lint(Context(modelfile=modelfile)) if one.name == "license-mismatch"]
    assert found == ["LICENSE names Apache-2.0, but `command-r` is under CC-BY-NC-4.0"]


@pytest.mark.parametrize(("text", "reported"), [("Commercial license.", True), ("Non-commercial license.", False)])
def test_commercial_license_of_a_base_for_research_is_reported(text: str, *, reported: bool) -> None:
    modelfile = Modelfile.parse(Source(text=f"# For tests.\nFROM aya-expanse:32b\nLICENSE {text}\n"))
    found = [one.message for one in lint(Context(modelfile=modelfile)) if one.name == "license-mismatch"]
    message = "LICENSE allows commercial use, but `aya-expanse` is under CC-BY-NC-4.0, which does not"
    assert found == [message] * reported


@pytest.mark.parametrize("name", _LICENSES)
def test_each_name_of_a_license_has_a_sign(name: str) -> None:
    @given(st.from_regex(re.compile(_LICENSES[name]), alphabet=st.characters(codec="ascii")))
    @settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
    def check(text: str) -> None:
        assert name in _names(text)

    check()


@pytest.mark.parametrize(
    ("base", "text", "version"),
    [
        ("llama3.2:3b", "LLAMA 2 COMMUNITY LICENSE AGREEMENT", "2"),
        ("llama3.1:8b", "Llama 3.2 Community License Agreement", "3.2"),
        ("llama3.2:3b", "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT", None),
        ("llama3.2:3b", "Llama 3.2 Community License; parts under the Llama 2 Community License", None),
        ("llama3.2:3b", "Built with Llama 2", None),
        ("qwen2.5:7b", "Apache-2.0", None),
    ],
)
def test_license_of_another_llama_is_reported(base: str, text: str, version: str | None) -> None:
    messages = [one.message for one in lint_text(f"FROM {base}\nLICENSE {text}\n") if one.code == "MF517"]
    assert len(messages) == (version is not None)
    assert all(message.startswith(f"LICENSE is that of Llama {version}, but `{base[:8]}") for message in messages)
