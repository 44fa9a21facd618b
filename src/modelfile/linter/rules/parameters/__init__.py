"""Parameters (MF3xx)."""
