"""Style and suppressions (MF9xx)."""
