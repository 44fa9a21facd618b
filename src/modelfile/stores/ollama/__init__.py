"""An Ollama server as a store."""
