"""Annotations of the options and arguments that several commands share."""

from typing import Annotated, TypeAlias

import typer

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Host: TypeAlias = Annotated[
    str | None,
    typer.Option("--host", metavar="URL", help="Ollama server; default: $OLLAMA_HOST or http://127.0.0.1:11434."),
]
StoreFolder: TypeAlias = Annotated[
    str | None,
    typer.Option("--store", metavar="DIR", help="Folder of models to use instead of a server; default: $MF_STORE."),
]
NamedFolder: TypeAlias = Annotated[
    str | None,
    typer.Option("--store", metavar="DIR", help="Folder of models; default: $MF_STORE, or that of this user's server."),
]
OllamaOfStore: TypeAlias = Annotated[
    str,
    typer.Option("--ollama", metavar="VERSION", help="With a folder: Ollama version that it is written for."),
]
Paths: TypeAlias = Annotated[
    list[str] | None, typer.Argument(help="Modelfiles, folders to search, or - for standard input.")
]
ConfigFile: TypeAlias = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Configuration file to read.")
]
FromServer: TypeAlias = Annotated[
    bool, typer.Option("--from-server", help="Ask the server or the folder only, no registry.")
]
ForceExclude: TypeAlias = Annotated[
    bool, typer.Option("--force-exclude", help="Skip excluded Modelfiles even if they are named.")
]
StdinFilename: TypeAlias = Annotated[
    str | None, typer.Option(metavar="PATH", help="Path of the Modelfile that standard input has the text of.")
]
Isolated: TypeAlias = Annotated[bool, typer.Option("--isolated", help="Read no configuration.")]


Replace: TypeAlias = Annotated[
    bool, typer.Option("--replace", help="Replace another model without asking, also that of an immutable tag.")
]
