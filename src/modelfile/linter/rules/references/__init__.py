"""References and pinning (MF2xx)."""
