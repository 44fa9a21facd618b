"""The lock file, `mf.lock`: pinned bases, files and fingerprints, how they are read and written, and drift."""
