"""The Modelfile language: the parser, its lossless typed tree, and its syntax errors."""
