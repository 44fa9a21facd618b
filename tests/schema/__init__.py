"""Formats with a schema."""
