"""Ollama's model store on disk, read and written without a server."""
