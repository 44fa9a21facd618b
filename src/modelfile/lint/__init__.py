"""Faults of a Modelfile, each found by a rule."""
