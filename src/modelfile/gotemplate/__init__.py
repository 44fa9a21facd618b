"""Go text/template as Ollama uses it: text to tree, and what a template reads."""
