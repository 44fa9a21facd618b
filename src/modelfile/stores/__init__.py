"""Stores of models and the protocol that they share."""
