"""Results as text for people, and in formats for programs."""
