"""Look-ups in headers."""

from modelfile.weights.header import BOOL, STRING, UINT32, GGUFHeader, Scalar


def test_values_are_looked_up_as_ollama_does() -> None:
    metadata: dict[str, Scalar] = {"general.architecture": "llama", "llama.block_count": 3, "x": True}
    kinds = {"general.architecture": STRING, "llama.block_count": UINT32, "x": BOOL}
    header = GGUFHeader(metadata=metadata, size=0, needed=0, blocks=0, kinds=kinds)
    assert (header.architecture, header.number("block_count"), header.number("x")) == ("llama", 3, 1)
    assert (header.typed("block_count", UINT32), header.typed("block_count", STRING)) == (3, None)
    assert (header.text("llama.block_count"), header.text("none"), header.file_type) == ("", "", "unknown")
