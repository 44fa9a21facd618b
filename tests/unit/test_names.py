"""Model names."""

from pathlib import Path

import pytest

from modelfile.errors import UsageError
from modelfile.names import ModelName, Prefix, digest_start, model_for, short_digest, shorten_digest, split_prefix


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("llama3.2", "registry.ollama.ai/library/llama3.2:latest", "llama3.2:latest"),
        ("llama3.2:3b", "registry.ollama.ai/library/llama3.2:3b", "llama3.2:3b"),
        ("team/bot:v1", "registry.ollama.ai/team/bot:v1", "team/bot:v1"),
        ("hf.co/a/b:Q4_K_M", "hf.co/a/b:Q4_K_M", "hf.co/a/b:Q4_K_M"),
        ("127.0.0.1:5000/team/tiny", "127.0.0.1:5000/team/tiny:latest", "127.0.0.1:5000/team/tiny:latest"),
        ("http://127.0.0.1:5000/team/tiny:v1", "127.0.0.1:5000/team/tiny:v1", "127.0.0.1:5000/team/tiny:v1"),
        ("http:///team/tiny", "registry.ollama.ai/team/tiny:latest", "team/tiny:latest"),
        ("Registry.Ollama.ai/Library/x:y", "Registry.Ollama.ai/Library/x:y", "x:y"),
        ("_x-y.z:" + "t" * 80, "registry.ollama.ai/library/_x-y.z:" + "t" * 80, "_x-y.z:" + "t" * 80),
    ],
)
def test_names_have_a_full_and_a_short_form(text: str, full: str, short: str) -> None:
    name = ModelName.parse(text)
    assert (name.full, str(name)) == (full, short)
    assert ModelName.parse(str(name)).same_as(name)
    assert ModelName.parse(name.full.upper()).same_as(name)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "the model is empty"),
        ("bad name!", "invalid model `bad name!`"),
        ("x:", "the tag is empty"),
        (":x", "the model is empty"),
        ("/x", "the namespace is empty"),
        ("a//x", "the namespace is empty"),
        ("/a/x", "the host is empty"),
        ("a/b/c/d", "invalid host `a/b`"),
        ("./weights.gguf", "invalid namespace `.`"),
        ("https://x.y/z", "invalid host `https:/`"),
        ("a.b/x", "invalid namespace `a.b`"),
        ("-x", "invalid model `-x`"),
        ("é", "invalid model `é`"),
        ("x:" + "t" * 81, "invalid tag `ttt"),
        ("x@sha256:" + "0" * 64, "Ollama cannot pull by digest"),
    ],
)
def test_invalid_names(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        ModelName.parse(text)
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    "path",
    ["bot/Modelfile", "x/Modelfile.bot", "x/bot.Modelfile", "bot.modelfile", "bot/ModelFile", "bot/modelfile"],
)
def test_model_name_of_a_path(path: str) -> None:
    assert model_for(Path(path)) == "bot"


def test_short_forms_of_digests() -> None:
    digits = "0123456789abcdef" * 4
    for kind in ("sha256", "mf1"):
        assert short_digest(f"{kind}:{digits}") == digits[:12]
        assert shorten_digest(f"{kind}:{digits}") == f"{kind}:{digits[:12]}…"
        assert digest_start(short_digest(f"{kind}:{digits}")) == digits[:12]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("abcdef", "abcdef"),
        ("sha256:ABCDEF…", "abcdef"),
        ("sha256-" + "0" * 64, "0" * 64),
        ("abcde", None),
        ("0" * 65, None),
        ("mf1:abcdef", None),
        ("bot:abcdef", None),
        ("abcdeg", None),
        ("", None),
        ("\u0660" * 6, None),
    ],
)
def test_a_text_may_be_the_start_of_a_digest(text: str, start: str | None) -> None:
    assert digest_start(text) == start


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("registry:llama3.2:3b", (Prefix.REGISTRY, "llama3.2:3b")),
        ("registry:v1", (Prefix.REGISTRY, "v1")),
        ("model:registry:v1", (Prefix.MODEL, "registry:v1")),
        ("file:C:\\x", (Prefix.FILE, "C:\\x")),
        ("lock:bot/Modelfile", (Prefix.LOCK, "bot/Modelfile")),
        ("store:bot:v1", (Prefix.STORE, "bot:v1")),
        ("Registry:v1", (None, "Registry:v1")),
        ("registry", (None, "registry")),
        ("team/registry:v1", (None, "team/registry:v1")),
        ("", (None, "")),
    ],
)
def test_prefixes(text: str, split: tuple[Prefix | None, str]) -> None:
    assert split_prefix(text) == split


def test_prefix_without_a_name() -> None:
    with pytest.raises(UsageError) as caught:
        split_prefix("registry:")
    assert caught.value.message == "missing name after `registry:`"
