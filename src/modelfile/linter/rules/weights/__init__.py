"""Weights and adapters (MF6xx)."""
