"""`mf tree`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import load_project
from modelfile.cli.parameters import Argument, AsJson, Host, Option, StoreFolder
from modelfile.errors import UsageError
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current
from modelfile.report.tree import print_tree, tree_as_dot, tree_as_json, tree_as_mermaid
from modelfile.tree import model_tree

TreeFormat: TypeAlias = Literal["text", "mermaid", "dot", "json"]


def tree(
    name: Annotated[
        str | None,
        Argument(metavar="NAME", help="'bot', 'bot:v*' or a Modelfile: with its bases and what is built on it."),
    ] = None,
    host: Host = None,
    store: StoreFolder = None,
    *,
    internal: Annotated[
        bool, Option("--all", "-a", help="Also show backups, pin aliases and models that are being built.")
    ] = False,
    output_format: Annotated[TreeFormat, Option("--format", help="Output format.")] = "text",
    as_json: AsJson = False,
) -> None:
    """Show which model is built on which, in the project, mf.lock, and a server or a folder.

    WHERE says who knows a model: a Modelfile of the project, mf.lock as a base, the server or the folder (store). OWN
    is the size of the layers that no other model there has, SHARED that of those that others have, too; a server does
    not tell them. A base is that in FROM of the Modelfile, or else what the store recorded when it created the model.

    Without a server, only the project and mf.lock are shown. mermaid is drawn by GitHub, dot by Graphviz.

    With --json: {"models": [{"name", "base", "modelfile", "where", "files", "size", "own", "shared",
    "problem"}, ...]}, in the order of the names; each base is one of the models. where has project, lock, server and
    store; files are the local files in FROM; problem says why a base is not known, or that it is missing. What is not
    known is null.
    """
    if as_json and output_format not in ("text", "json"):
        raise UsageError(f"--json cannot be used with --format {output_format}")
    terminal = current.get()
    with open_store(host, store, use=Use.READ) as opened:
        found = model_tree(load_project(), opened, internal=internal, on_note=terminal.print_note)
    if name is not None:
        found = found.only(name)
    if as_json or output_format == "json":
        print_json(tree_as_json(found), terminal)
    elif output_format == "text":
        if found.nodes:
            print_tree(found, terminal)
        else:
            terminal.print_note(f"{opened.location} has no models, and there is no Modelfile here")
    else:
        lines = tree_as_mermaid(found) if output_format == "mermaid" else tree_as_dot(found)
        for line in lines:
            terminal.print(line)
