"""The models of a store: list, show, copy, remove, pull, roll back."""
