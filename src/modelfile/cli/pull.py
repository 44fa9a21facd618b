"""`mf pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelfile.cli.models import AsJson, print_json
from modelfile.cli.server import Host, open_store
from modelfile.errors import ModelfileError, ServerError, VerificationError
from modelfile.names import ModelName
from modelfile.report.terminal import print_error
from modelfile.stores.protocol import held

if TYPE_CHECKING:
    from modelfile.events import Events
    from modelfile.stores.protocol import ListedModel, Store


def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models, as a registry knows them.")],
    host: Host = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Have an Ollama server fetch models from their registries, or bring them up to date.

    One that cannot be pulled does not keep the others from it. With --json, a list of {"name", "digest", "before"};
    `before` is the digest it had on the server, or null. What failed is {"name", "error", "hint"} there.
    """
    wanted = [ModelName.parse(name) for name in names]
    from modelfile.report.progress import progress

    answers: list[dict[str, Any]] = []
    with open_store(host) as store:
        listed = store.list()
        for name in dict.fromkeys(wanted):
            try:
                with progress(f"pulling {name}") as events:
                    answer = _pull(name, held(name, listed), store, events)
            except ModelfileError as error:
                print_error(error.message, error.hint)
                answers.append({"name": str(name), "error": error.message, "hint": error.hint})
                continue
            answers.append(answer)
            if not as_json:
                typer.echo(f"{answer['name']}  {answer['digest']}  ({_news(answer)})")
    if as_json:
        print_json(answers)
    if any("error" in answer for answer in answers):
        raise typer.Exit(3)


def _pull(name: ModelName, before: ListedModel | None, store: Store, events: Events) -> dict[str, Any]:
    try:
        for progress in store.fetch(name):
            events(progress)
    except ServerError as error:
        if type(error) is not ServerError:
            raise
        hint = error.hint or "check its name and tag, and whether the server can reach the registry"
        raise ServerError(f"{name} cannot be pulled: {error.message}", hint=hint) from error
    now = held(name, store.list())
    if now is None:
        what = f"{store.place} says it pulled {name}, and does not have it"
        raise VerificationError(what, hint="look at the server's log")
    return {"name": str(now.name), "digest": now.digest, "before": before.digest if before else None}


def _news(answer: dict[str, Any]) -> str:
    match answer["before"]:
        case None:
            return "new"
        case before:
            return "unchanged" if before == answer["digest"] else "changed"
