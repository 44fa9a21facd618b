"""What a Modelfile means to Ollama."""
