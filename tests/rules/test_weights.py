"""Local weights that Ollama cannot use, each under the name of its defect."""

import json
import struct
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.tiny_gguf import typed_gguf
from tests.support.tiny_safetensors import write_model
from tests.unit.weights.test_checks import write_shard

LOGIN = "a repository that asks for a login needs a token, as `hf auth login` stores it"
AGAIN = "download it again"
OTHER = "download a GGUF file of the model"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(text: str, *options: str) -> list[str]:
    Path("Modelfile").write_text(f"# Answers questions.\n{text}\n")
    ran = mf("lint", "--format", "json", "--select", "MF6,wrong-file,missing-file", *options)
    findings = json.loads(ran.out)["findings"]
    return [f"{one['severity']} {one['name']}: {one['message']} = {one['help']}" for one in findings]


@pytest.mark.parametrize(
    ("name", "content", "rule", "message", "hint"),
    [
        (
            *("m.gguf", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "git-lfs-pointer"),
            *("is a git-lfs pointer, not the weights", "run `git lfs pull`"),
        ),
        (
            *("m.gguf", b"<!doctype html>\n<html><body>Sign in</body></html>", "html-instead-of-weights"),
            *("is an HTML page, not weights: it begins `<!doctype html>`", f"{AGAIN}; {LOGIN}"),
        ),
        (
            *("m.bin", b"\n\n  <html lang='en'><head>", "html-instead-of-weights"),
            *("is an HTML page, not weights: it begins `<html lang='en'><head>`", f"{AGAIN}; {LOGIN}"),
        ),
        (
            *("m.gguf", b"<?xml version='1.0'?><Error><Code>NoKey</Code></Error>", "html-instead-of-weights"),
            "is an XML document, not weights: it begins `<?xml version='1.0'?><Error><Code>NoKey<`",
            f"{AGAIN}; {LOGIN}",
        ),
        (
            *("m.gguf", b"Invalid username or password.", "html-instead-of-weights"),
            "is the answer of a web server, not weights: it begins `Invalid username or password.`",
            f"{AGAIN}; {LOGIN}",
        ),
        (
            *("m.safetensors", b'{"error":"Access is restricted"}', "html-instead-of-weights"),
            """is the answer of a web server, not weights: it begins `{"error":"Access is restricted"}`""",
            f"{AGAIN}; {LOGIN}",
        ),
        ("m.gguf", b"", "truncated-weights", "is empty", AGAIN),
        ("m.safetensors", b"", "truncated-weights", "is empty", AGAIN),
        (
            *("m.gguf", b"SYSTEM You are a `bot`.\n", "not-gguf"),
            *("is not a GGUF file, but a text file that begins `SYSTEM You are a 'bot'.`", AGAIN),
        ),
        (
            *("m.safetensors", b"Once upon a time\n", "not-gguf"),
            *("is not a safetensors file, but a text file that begins `Once upon a time`", AGAIN),
        ),
        (
            *("m.gguf", b"PK\3\4" * 20, "not-gguf", "is not a GGUF file, but a zip archive or a PyTorch checkpoint"),
            f"unpack it if it is an archive, or {OTHER}",
        ),
        (
            *("m.gguf", b"\x80\x02\x8a\x0a" * 20, "not-gguf", "is not a GGUF file, but a PyTorch checkpoint"),
            f"convert it with llama.cpp's convert_hf_to_gguf.py, or {OTHER}",
        ),
        (
            *("m.gguf", b"tjgg\3\0\0\0" * 20, "not-gguf"),
            *("is not a GGUF file, but of GGML, the format before GGUF, which Ollama does not read", OTHER),
        ),
        (
            *("m.gguf", (80).to_bytes(8, "little") + b'{"x":{"dtype":"F16"}}'.ljust(200), "not-gguf"),
            *(
                "is not a GGUF file, but safetensors",
                f"name it .safetensors, in a folder with its config.json, or {OTHER}",
            ),
        ),
        ("m.gguf", bytes(1000), "not-gguf", "is not a GGUF file, but zeros, as in an unfinished download", AGAIN),
        ("m.gguf", b"\x1f\x8b\x08\0" * 20, "not-gguf", "is not a GGUF file, but a compressed archive", "unpack it"),
        ("m.gguf", b"\xfe\xed\xfa\xce" * 20, "not-gguf", "is not a GGUF file", AGAIN),
    ],
)
@pytest.mark.parametrize("word", ["FROM", "ADAPTER", "DRAFT"])
def test_first_bytes_say_what_a_file_is(  # a row of the table, and the instruction
    name: str, content: bytes, rule: str, message: str, hint: str, word: str
) -> None:
    Path(name).write_bytes(content)
    text = f"FROM llama3.2:3b\n{word} ./{name}" if word != "FROM" else f"FROM ./{name}"
    assert found(text) == [f"error {rule}: `{name}` {message} = {hint}"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (typed_gguf({"general.architecture": (99, b"")}), "a value of type 99"),
        (typed_gguf({"general.alignment": 0}), "its alignment is not a positive number"),
        (typed_gguf({}, {"x": (2,) * 9}), "a tensor of 9 dimensions, over the limit of 8"),
    ],
)
def test_corrupt_header_is_named_by_its_bound(content: bytes, what: str) -> None:
    Path("m.gguf").write_bytes(content)
    message = f"`m.gguf` is a corrupt GGUF file: {what}"
    assert found("FROM ./m.gguf") == [f"error corrupt-gguf: {message} = {AGAIN}"]


def test_truncated_weights_are_reported(tiny: Path) -> None:
    Path("m.gguf").write_bytes(tiny.read_bytes()[:-1])
    (finding,) = found("FROM ./m.gguf")
    assert finding.startswith("error truncated-weights: `m.gguf` is truncated: it has ")
    Path("m.gguf").write_bytes(b"GGUF\3\0\0\0")
    (finding,) = found("FROM ./m.gguf")
    assert finding.startswith("error truncated-weights: `m.gguf` is truncated: it has 8 bytes")


def test_missing_shard_is_reported(folder: Path) -> None:
    write_shard(folder, 1, 2)
    (finding,) = found("FROM ./m-00001-of-00002.gguf")
    assert finding.startswith("error split-weights: `m-00001-of-00002.gguf` is named without its other shards")
    write_model(folder / "st", shards=3)
    (folder / "st/model-00002-of-00003.safetensors").unlink()
    (finding,) = found("FROM ./st")
    assert finding.startswith("error split-weights: missing 1 of 3 weights files")


@pytest.mark.parametrize(
    ("counts", "told"), [((2, 2), ""), ((0, 0), ""), ((2, 3), "2 and 3"), ((5, 5), "5"), ((0, 2), "0 and 2")]
)
def test_shards_of_different_models_are_reported(counts: tuple[int, int], told: str) -> None:
    for number, count in enumerate(counts):
        metadata: dict[str, str | int] = {
            "general.architecture": "llama",
            "split.no": number,
            "split.count": 2,
            "split.tensors.count": count,
        }
        Path(f"m-{number + 1:05}-of-00002.gguf").write_bytes(typed_gguf(metadata, {f"x{number}": (32,)}, size=999))
    text = "FROM ./m-00001-of-00002.gguf\nFROM ./m-00002-of-00002.gguf"
    message = "`m-00001-of-00002.gguf` and its other shards are of different models: they have 2 tensors, and by their"
    expected = f"error split-weights: {message} headers {told} = download all shards of one model again"
    assert found(text) == ([expected] if told else [])


def test_each_instruction_has_a_finding_of_its_own() -> None:
    Path("m.gguf").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    Path("lora.gguf").write_bytes(b"<html><body>")
    names = [line.partition(":")[0] for line in found("FROM ./m.gguf\nADAPTER ./lora.gguf")]
    assert names == ["error git-lfs-pointer", "error html-instead-of-weights"]


@pytest.mark.parametrize("name", ["chat_template.jinja", "config.json"])
def test_settings_beside_weights_may_look_like_an_answer(name: str, folder: Path) -> None:
    write_model(folder / "st")
    (folder / "st" / name).write_text('{"error": 1, "architectures": ["LlamaForCausalLM"]}')
    assert found("FROM ./st") == []


@pytest.mark.parametrize(
    ("architecture", "version", "expected"),
    [
        ("llama", "0.9.3", []),
        ("llama", "0.1.0", []),
        ("gemma3n", "0.9.3", []),
        ("gemma3n", "0.9.2", ["error unsupported-architecture: {} = use Ollama 0.9.3 or later"]),
        ("qwen3", "0.6.5", ["error unsupported-architecture: {} = use Ollama 0.6.6 or later"]),
        ("mistral4", "0.24.0", ["error unsupported-architecture: {} = use Ollama 0.30.0 or later"]),
        ("mistral4", "0.32.0", []),
        ("novel", "0.24.0", ["error unsupported-architecture: {} = no release before 0.30.0 can: use a newer one"]),
    ],
)
def test_architecture_is_judged_by_the_version(architecture: str, version: str, expected: list[str]) -> None:
    Path("m.gguf").write_bytes(typed_gguf({"general.architecture": architecture}, {"x": (32,)}, size=999))
    message = f"Ollama {version} cannot load the architecture `{architecture}` of `m.gguf`"
    assert found("FROM ./m.gguf", "--ollama", version) == [line.format(message) for line in expected]


def test_projectors_are_of_an_architecture_that_every_version_loads() -> None:
    Path("m.gguf").write_bytes(typed_gguf({"general.architecture": "llama"}, {"x": (32,)}, size=999))
    vision: dict[str, str | int] = {"general.architecture": "clip", "clip.vision.block_count": 2}
    Path("v.gguf").write_bytes(typed_gguf(vision, {"x": (32,)}, size=999))
    assert found("FROM ./m.gguf\nFROM ./v.gguf", "--ollama", "0.9.3") == []


def test_unknown_architecture_is_a_warning_where_the_list_is_not_certain() -> None:
    Path("m.gguf").write_bytes(typed_gguf({"general.architecture": "novel"}, {"x": (32,)}, size=999))
    (finding,) = found("FROM ./m.gguf")
    assert finding.startswith("warning unsupported-architecture: no release of Ollama up to 0.32.15 is known to")
    Path("m.gguf").write_bytes(typed_gguf({}, {"x": (32,)}, size=999))
    (finding,) = found("FROM ./m.gguf")
    assert finding.startswith("error unsupported-architecture: `m.gguf` has no `general.architecture`, so")


@pytest.mark.parametrize(
    ("kind", "version", "expected"),
    [
        *((kind, "0.9.3", []) for kind in (0, 1, 2, 8, 12, 14, 16, 19, 20, 23, 29, 30, 34, 35)),
        (39, "0.11.5", []),
        (
            39,
            "0.11.4",
            ["error unsupported-quantization: {} MXFP4 = use Ollama 0.11.5 or later,"],
        ),
        (40, "0.32.0", []),
        (
            40,
            "0.24.0",
            ["error unsupported-quantization: {} NVFP4 = use Ollama 0.30.0 or later,"],
        ),
        (
            31,
            "0.32.0",
            ["error unsupported-quantization: {} Q4_0_4_4, which ended with Ollama 0.5.3 = use"],
        ),
        (
            99,
            "0.24.0",
            ["error unsupported-quantization: {} type 99 = use Ollama 0.30.0 or later,"],
        ),
        (
            99,
            "0.32.0",
            ["warning unsupported-quantization: no release of Ollama up to 0.32.15 is known to"],
        ),
    ],
)
def test_type_of_tensors_is_judged_by_the_version(kind: int, version: str, expected: list[str]) -> None:
    tensor = struct.pack("<Q1sIQIQ", 1, b"x", 1, 256, kind, 0)
    header = typed_gguf({"general.architecture": "llama"})
    Path("m.gguf").write_bytes((header[:8] + struct.pack("<Q", 1) + header[16:] + tensor).ljust(9999, b"\0"))
    message = f"Ollama {version} cannot load tensors of `m.gguf`: their type is"
    findings = found("FROM ./m.gguf", "--ollama", version)
    assert len(findings) == len(expected)
    assert all(one.startswith(line.format(message)) for one, line in zip(findings, expected, strict=True))


@pytest.mark.parametrize(
    ("name", "version", "hint"),
    [
        ("LlamaForCausalLM", "0.9.3", None),
        ("MistralForCausalLM", "0.6.4", None),
        ("MistralForCausalLM", "0.9.3", ""),
        ("Qwen3NextForCausalLM", "0.15.5", None),
        ("Qwen3NextForCausalLM", "0.9.3", "use Ollama 0.15.5 or later, or "),
        ("NovelForCausalLM", "0.32.15", ""),
    ],
)
def test_safetensors_are_judged_by_the_version_that_converts_them(
    name: str, version: str, hint: str | None, folder: Path
) -> None:
    config = write_model(folder / "st") / "config.json"
    config.write_text(config.read_text().replace("LlamaForCausalLM", name))
    message = f"Ollama {version} cannot convert safetensors of `{name}`, the architecture in `{config}`"
    way = "convert it with llama.cpp's convert_hf_to_gguf.py, and build from the GGUF file"
    expected = [] if hint is None else [f"error unsupported-architecture: {message} = {hint}{way}"]
    assert found("FROM ./st", "--ollama", version) == expected
