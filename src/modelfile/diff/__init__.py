"""What differs between two models, by meaning."""
