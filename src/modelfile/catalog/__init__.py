"""Facts about Ollama."""
