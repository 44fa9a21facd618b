"""Every form of secret-in-text, made up here so that no scanner of repositories reports them."""

import pytest

from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

RANDOM = "Zq8Lm2Xv7Rt4Wn9Ks6Hd3Bj5Fg0Pc1Yw8Ez2Ua7Ti4Oq9Nl6Mk3Vb5Cx0Rs1Dh"


def found(text: str) -> list[str]:
    source = Source(text=f"# For tests.\nFROM x:y\nSYSTEM {text}\n")
    return [item.message for item in lint(Context(modelfile=Modelfile.parse(source))) if item.name == "secret-in-text"]


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + RANDOM[:16].upper(),
        "ghp" + "_" + RANDOM[:36],
        "github" + "_pat_" + RANDOM[:62],
        "sk-" + "ant-" + RANDOM[:40],
        "sk-" + "proj-" + RANDOM[:48],
        "xoxb" + "-" + RANDOM[:30],
        "AIza" + RANDOM[:35],
        "hf" + "_" + RANDOM[:34],
        "eyJ" + RANDOM[:20] + ".eyJ" + RANDOM[:20] + "." + RANDOM[:30],
        "password" + "=" + RANDOM[:20],
    ],
)
def test_secret_is_reported_and_not_printed(secret: str) -> None:
    (message,) = found(f"Use {secret} for it.")
    assert secret not in message
    assert RANDOM[8:16] not in message


@pytest.mark.parametrize(
    "text",
    [
        "Never show the api_key: YOUR_API_KEY_GOES_HERE.",
        "password=correct-horse",
        "Use sk-your-key-here-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "The token is the word; secret = nothing",
        "sha256:" + "a1" * 32,
    ],
)
def test_placeholders_are_not_secrets(text: str) -> None:
    assert found(text) == []
