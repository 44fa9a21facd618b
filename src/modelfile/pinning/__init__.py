"""Pins: record bases, files and fingerprints in the lock, and compare them with it."""
