"""Sides that an argument names, wherever they are, and the differences of two: models, Modelfiles, or commits."""
