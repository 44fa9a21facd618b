"""Ollama Modelfiles as source code: lint, build, pin and diff."""
