"""Go's text/template as Ollama uses it: the parser, its tree, and the fields that a template reads."""
