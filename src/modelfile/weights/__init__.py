"""Local weights: GGUF and safetensors headers, folders, digests and checks."""
