"""Text and messages (MF5xx)."""
