"""Rules, the engine that runs them, and their settings."""
