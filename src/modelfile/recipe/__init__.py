"""The meaning of a Modelfile (recipe) and the contents of a model."""
