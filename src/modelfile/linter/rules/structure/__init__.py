"""Structure and syntax (MF1xx)."""
