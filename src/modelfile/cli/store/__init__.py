"""`mf store`: its commands, each a module of this package."""

from typing import Final

COMMANDS: Final = ("du", "check", "prune", "save", "load")


def store() -> None:
    """Look at, check, tidy and carry the models of a folder, with no server running.

    They work on the folder of --store, or else of MF_STORE, of `store` in mf.toml, or that of the Ollama server of this
    user ($OLLAMA_MODELS or ~/.ollama/models). A server may run on it.
    """
