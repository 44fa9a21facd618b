"""Security (MF7xx)."""
