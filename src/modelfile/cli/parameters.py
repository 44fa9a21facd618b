"""Annotations of options and arguments: their form, and those that several commands share."""

from typing import Annotated, TypeAlias


class Option:
    """An option of a command.

    Args:
        names: Its names; default: that of the parameter.
        help: Its line in the help.
        metavar: The name of its value in the help; default: the type.
        min: The least value of a number.
    """

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002  # as typer names it
        metavar: str | None = None,
        min: int | None = None,  # noqa: A002  # as typer names it
    ) -> None:
        self.names, self.help, self.metavar, self.min = names, help, metavar, min


class Argument:
    """A positional argument of a command.

    Args:
        help: Its line in the help.
        metavar: Its name in the help; default: that of the parameter.
    """

    def __init__(self, *, help: str, metavar: str | None = None) -> None:  # noqa: A002  # as typer names it
        self.help, self.metavar = help, metavar


AsJson: TypeAlias = Annotated[bool, Option("--json", help="Print JSON.")]
Host: TypeAlias = Annotated[
    str | None,
    Option("--host", metavar="URL", help="Ollama server; default: $OLLAMA_HOST or http://127.0.0.1:11434."),
]
StoreFolder: TypeAlias = Annotated[
    str | None,
    Option("--store", metavar="DIR", help="Folder of models to use instead of a server; default: $MF_STORE."),
]
NamedFolder: TypeAlias = Annotated[
    str | None,
    Option("--store", metavar="DIR", help="Folder of models; default: $MF_STORE, or that of this user's server."),
]
OllamaOfStore: TypeAlias = Annotated[
    str,
    Option("--ollama", metavar="VERSION", help="With a folder: Ollama version that it is written for."),
]
Paths: TypeAlias = Annotated[list[str] | None, Argument(help="Modelfiles, folders to search, or - for standard input.")]
ConfigFile: TypeAlias = Annotated[str | None, Option("--config", metavar="FILE", help="Configuration file to read.")]
FromServer: TypeAlias = Annotated[bool, Option("--from-server", help="Ask the server or the folder only, no registry.")]
ForceExclude: TypeAlias = Annotated[
    bool, Option("--force-exclude", help="Skip excluded Modelfiles even if they are named.")
]
StdinFilename: TypeAlias = Annotated[
    str | None, Option(metavar="PATH", help="Path of the Modelfile that standard input has the text of.")
]
Isolated: TypeAlias = Annotated[bool, Option("--isolated", help="Read no configuration.")]


Replace: TypeAlias = Annotated[
    bool, Option("--replace", help="Replace another model without asking, also that of an immutable tag.")
]
