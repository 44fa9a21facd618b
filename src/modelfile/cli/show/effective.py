"""`mf show` of a Modelfile: the model that a build would create."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import open_registry
from modelfile.cli.show.sources import Options, recipe_of
from modelfile.errors import UsageError
from modelfile.report.json_output import model_as_json, print_json
from modelfile.report.models import print_model
from modelfile.report.terminal import current

if TYPE_CHECKING:  # only a type
    from modelfile.project.target import Target


def show_expected(target: Target, options: Options, *, as_json: bool) -> None:
    """Print the model that a build of a Modelfile would create."""
    from modelfile.catalog.versions import release
    from modelfile.prediction import expect, version_for
    from modelfile.recipe.model import fingerprint
    from modelfile.report.plans import print_dropped_capabilities

    terminal = current.get()
    project = target.project
    with open_store(*options, use=Use.READ) as store, open_registry(project.config) as registry:
        recipe_of(target, release(version_for(target, store)))
        expected = expect(target, store, registry)
    if expected is None:
        raise UsageError(
            f"cannot show `{target.path}`: only a build can tell what Ollama makes of the local files",
            hint="build it, and pass the name of the model",
        )
    print_dropped_capabilities(f"`{target.path}`", expected, terminal)
    made = fingerprint(expected.model)
    if as_json:
        dropped = [name for name, _ in expected.dropped_capabilities]
        print_json(model_as_json(target.path, expected.model, made, dropped=dropped), terminal)
    else:
        print_model(target.path, expected.model, made, None, terminal)
