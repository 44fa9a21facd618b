"""Layers of local files: their kinds by header, types of weights, and chat templates that Ollama recognizes."""

import struct
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.tiny_gguf import typed_gguf

from modelfile.catalog.chat_templates import ChatTemplate, chat_templates
from modelfile.catalog.versions import NEWEST, Version
from modelfile.errors import InputError, UsageError
from modelfile.immutable import replace
from modelfile.recipe.recipe import Recipe
from modelfile.stores.disk.new_layers import detect, read_layers
from modelfile.weights.facts import quantization
from modelfile.weights.gguf import read_header
from modelfile.weights.header import GGUFHeader

V093, V024 = Version(0, 9, 3), Version(0, 24, 0)
LLAMA: Final = {"general.architecture": "llama", "llama.block_count": 1}
CLIP: Final = {"general.architecture": "clip"}
TEXT: Final = "{{ messages }}"
TRANSLATION: Final = "{{ .Prompt }} of TEXT"


def header_of(folder: Path, metadata: dict[str, Any], tensors: dict[str, tuple[int, ...]] | None = None) -> GGUFHeader:
    path = folder / "x.gguf"
    path.write_bytes(typed_gguf(metadata, tensors))
    return read_header(path)


def kinds(header: GGUFHeader, version: Version, recipe: Recipe) -> list[str]:
    return [layer.kind for _, layer in read_layers(recipe, version, lambda _: header)]


@pytest.mark.parametrize(
    ("metadata", "old", "new"),
    [
        (LLAMA | {"general.type": "adapter"}, "adapter", "adapter"),
        (CLIP | {"general.type": "projector"}, "projector", "projector"),
        (CLIP | {"clip.vision.block_count": 2}, "projector", "projector"),
        (CLIP | {"clip.vision.block_count": 2, "clip.block_count": 1}, None, None),
        (CLIP | {"clip.vision.block_count": (10, struct.pack("<Q", 2))}, None, None),  # 64 bits: not seen
        (CLIP | {"vision.block_count": 2}, None, None),  # without the architecture: not seen
        (CLIP | {"general.type": "mmproj"}, None, "projector"),
        (CLIP | {"clip.has_audio_encoder": True}, None, "projector"),
        (CLIP | {"clip.has_audio_encoder": 1}, None, None),
        (LLAMA | {"llama.has_audio_encoder": True}, None, None),
        ({"unknown.vision.block_count": 2}, "projector", "projector"),
    ],
)
def test_kind_of_an_adapter_file(tmp_path: Path, metadata: dict[str, Any], old: str | None, new: str | None) -> None:
    recipe = Recipe(base="x", adapters=(Path("x.gguf"),))
    for version, kind in ((V024, old), (NEWEST, new)):
        header = header_of(tmp_path, metadata)
        if kind:
            assert kinds(header, version, recipe) == [kind]
        else:
            with pytest.raises(InputError, match=r"`x\.gguf` is a model, not an adapter"):
                kinds(header, version, recipe)


def test_from_must_name_a_model(tmp_path: Path) -> None:
    recipe = Recipe(files=(Path("x.gguf"),))
    assert kinds(header_of(tmp_path, LLAMA), V093, recipe) == ["model"]
    for kind in ("adapter", "projector"):
        with pytest.raises(InputError, match=f"FROM names no model, only the {kind}"):
            kinds(header_of(tmp_path, {"general.type": kind}), V093, recipe)


def test_files_that_ollama_cannot_use(tmp_path: Path) -> None:
    recipe = Recipe(files=(Path("x.gguf"),))
    with pytest.raises(InputError, match="is one of 3 shards"):
        kinds(header_of(tmp_path, LLAMA | {"split.count": 3}), V093, recipe)
    (tmp_path / "x.gguf").write_bytes(struct.pack("<4sIII", b"GGUF", 1, 0, 0))
    with pytest.raises(InputError, match="is GGUF version 1, which Ollama cannot read"):
        kinds(read_header(tmp_path / "x.gguf"), V093, recipe)


def test_weights_that_newer_versions_leave_as_they_are(tmp_path: Path) -> None:
    recipe = Recipe(files=(Path("x.gguf"),))
    for tensor in ("a.x", "mm.0.weight", "mtp.x", "s.x", "v.blk.0"):
        assert kinds(header_of(tmp_path, LLAMA, {tensor: (1,)}), NEWEST, recipe) == ["model"]
    for tensor in ("blk.0.x", "mm", "xv.x"):
        with pytest.raises(UsageError, match="rewrites the weights") as raised:
            kinds(header_of(tmp_path, LLAMA, {tensor: (1,)}), NEWEST, recipe)
        assert "pass `--ollama 0.24.0`" in str(raised.value.hint)
    projector = CLIP | {"general.type": "mmproj", "clip.has_vision_encoder": True}
    recipe = Recipe(base="x", adapters=(Path("x.gguf"),))
    with pytest.raises(UsageError, match="rewrites the weights"):
        kinds(header_of(tmp_path, projector), NEWEST, recipe)
    for key in ("clip.projector_type", "clip.vision.projector_type"):
        assert kinds(header_of(tmp_path, projector | {key: "mlp"}), NEWEST, recipe) == ["projector"]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (0, ("unknown", "unknown", "unknown")),
        (1, ("F16", "F16", "F16")),
        (4, ("unknown", "MXFP4", "unknown")),
        (15, ("Q4_K_M", "Q4_K_M", "Q4_K_M")),
        (19, ("unknown", "unknown", "IQ2_XXS")),
        (21, ("Q2_K_S", "Q2_K_S", "Q2_K_S")),
        (30, ("unknown", "unknown", "IQ4_XS")),
        (32, ("BF16", "BF16", "BF16")),
        (38, ("unknown", "unknown", "MXFP4_MOE")),
        (99, ("unknown", "unknown", "unknown")),
        ((5, struct.pack("<i", 1)), ("unknown", "unknown", "unknown")),  # a signed number is not seen
        ("F16", ("unknown", "unknown", "unknown")),
    ],
)
def test_type_of_weights(tmp_path: Path, value: Any, names: tuple[str, ...]) -> None:
    header = header_of(tmp_path, {"general.file_type": value})
    assert tuple(quantization(header, version) for version in (V093, V024, NEWEST)) == names


def test_no_type_of_weights(tmp_path: Path) -> None:
    assert quantization(header_of(tmp_path, {}), NEWEST) == "unknown"


def detected(folder: Path, recipe: Recipe, text: str, *, has_blob: bool = False) -> tuple[ChatTemplate | None, bool]:
    header = header_of(folder, LLAMA | {"tokenizer.chat_template": text})
    ((path, layer),) = read_layers(Recipe(files=(Path("x.gguf"),)), V024, lambda _: header)
    return detect(path, layer, replace(recipe, files=(path,)), lambda _: has_blob)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> ChatTemplate:
    """Return a chat template that Ollama would recognize, if it were one of its own."""
    from hashlib import sha256

    text = TEXT.encode()
    made = ChatTemplate(
        name="chatml",
        sha256=sha256(text).hexdigest(),
        characters={},
        template=f"sha256:{sha256(TRANSLATION.encode()).hexdigest()}",
        size=3,
        stop=("<a>",),
    )
    monkeypatch.setattr("modelfile.catalog.chat_templates.chat_templates", lambda: (made,))
    return made


def test_a_recognized_chat_template(tmp_path: Path, known: ChatTemplate) -> None:
    assert detected(tmp_path, Recipe(template="x"), TEXT) == (known, False)
    assert detected(tmp_path, Recipe(template="x", parameters={"stop": ("x",)}), TEXT) == (None, False)
    assert detected(tmp_path, Recipe(), TEXT, has_blob=True) == (known, True)
    with pytest.raises(
        InputError, match="that Ollama recognizes as chatml, and only a server has its translation"
    ) as raised:
        detected(tmp_path, Recipe(), TEXT)
    assert str(raised.value.hint).startswith("write TEMPLATE, or run `mf pin` with `--host`")


def test_an_undecided_chat_template(tmp_path: Path, known: ChatTemplate) -> None:
    for recipe in (Recipe(), Recipe(template="x")):
        with pytest.raises(
            InputError, match="that only a server can compare with those that Ollama recognizes"
        ) as raised:
            detected(tmp_path, recipe, f"{TEXT}!")
        assert "TEMPLATE and PARAMETER stop" in str(raised.value.hint)
    assert detected(tmp_path, Recipe(template="x", parameters={"stop": ("x",)}), f"{TEXT}!") == (None, False)
    assert known.name


def test_a_template_that_the_lock_records(tmp_path: Path, known: ChatTemplate) -> None:
    recorded = Recipe(detected=TRANSLATION)
    assert detected(tmp_path, recorded, TEXT) == detected(tmp_path, recorded, f"{TEXT}!") == (known, True)
    assert detected(tmp_path, replace(recorded, template="x"), f"{TEXT}!") == (known, False)
    assert detected(tmp_path, Recipe(detected=""), f"{TEXT}!") == (None, False)
    with pytest.raises(InputError, match=r"in mf\.lock is none that Ollama makes of a chat template"):
        detected(tmp_path, Recipe(detected=f"{TRANSLATION}!"), f"{TEXT}!")


def test_the_weights_themselves_win_over_what_the_lock_records(tmp_path: Path, known: ChatTemplate) -> None:
    assert detected(tmp_path, Recipe(detected=TRANSLATION), "{{ x }}" * 1000) == (None, False)
    for recorded in ("", f"{TRANSLATION}!"):
        with pytest.raises(InputError, match=f"that Ollama recognizes as {known.name}"):
            detected(tmp_path, Recipe(detected=recorded), TEXT)


def test_another_chat_template(tmp_path: Path) -> None:
    assert detected(tmp_path, Recipe(), "{{ x }}" * 1000) == (None, False)
    assert detected(tmp_path, Recipe(), "") == (None, False)
    assert len(chat_templates()) == 37
