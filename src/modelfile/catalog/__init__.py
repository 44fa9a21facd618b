"""Facts about Ollama, by version: what Modelfiles may say, and since and until when."""
