"""Template (MF4xx)."""
