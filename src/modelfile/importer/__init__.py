"""Modelfiles of what is there: of stored models, bases and weights, and the list of those in a folder."""
