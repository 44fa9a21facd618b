"""Differences by meaning: of models and Modelfiles as typed changes, of texts line by line and word by word."""
