"""`mf show`: a model, or what a build of a Modelfile would create, with the origin of every value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import load_project, open_registry
from modelfile.cli.show.sources import Options, open_model, recipe_of, rendered_version, target_of
from modelfile.lineage import trace_model, trace_target
from modelfile.recipe.model import fingerprint
from modelfile.report.effective import effective_as_json, print_effective
from modelfile.report.json_output import model_as_json, print_json
from modelfile.report.terminal import current

if TYPE_CHECKING:  # only types
    from modelfile.effective import Effective
    from modelfile.project.target import Target


def show_effective(name: str, options: Options, *, as_json: bool, everything: bool) -> None:
    """Print a model, or what a build of a Modelfile would create, with the source of every value."""
    if target := target_of(name, options):
        _show_expected(target, options, as_json=as_json, everything=everything)
        return
    with open_model(name, options) as (stored, store):
        found = trace_model(stored, load_project(), store, rendered_version(store))
    _print(found, stored.name, stored.fingerprint, stored.digest, [], name, as_json=as_json, everything=everything)


def _show_expected(target: Target, options: Options, *, as_json: bool, everything: bool) -> None:
    from modelfile.catalog.versions import release
    from modelfile.prediction import version_for
    from modelfile.report.plans import print_dropped_capabilities

    project = target.project
    with open_store(*options, use=Use.READ) as store, open_registry(project.config) as registry:
        recipe_of(target, release(version_for(target, store)))
        found, expected = trace_target(target, store, registry)
    dropped = []
    if expected:
        print_dropped_capabilities(f"`{found.levels[0].name}`", expected, current.get())
        dropped = [name for name, _ in expected.dropped_capabilities]
    made = None if found.undecided else fingerprint(found.model)
    shown = found.levels[0].name
    _print(found, shown, made, None, dropped, str(shown), as_json=as_json, everything=everything)


def _print(  # noqa: PLR0913  # each is a fact of its own
    found: Effective,
    name: object,
    made: str | None,
    digest: str | None,
    dropped: list[str],
    asked: str,
    *,
    as_json: bool,
    everything: bool,
) -> None:
    terminal = current.get()
    if as_json:
        print_json(model_as_json(name, found.model, made, digest, dropped) | effective_as_json(found), terminal)
    else:
        print_effective(
            found, name=name, asked=asked, fingerprint=made, digest=digest, terminal=terminal, everything=everything
        )
