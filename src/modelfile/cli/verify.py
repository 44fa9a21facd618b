"""`mf verify`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import load_project, open_registry
from modelfile.cli.parameters import Argument, AsJson, ForceExclude, Host, Option, StoreFolder
from modelfile.errors import ExitCode, UsageError
from modelfile.git import find_repository
from modelfile.pinning.check import with_locked
from modelfile.pinning.verify import verify as verify_models
from modelfile.report.json_output import print_json
from modelfile.report.progress import progress
from modelfile.report.terminal import current
from modelfile.report.verifications import print_verified, verified_as_json, verified_as_junit

VerifyFormat: TypeAlias = Literal["text", "json", "junit"]


def verify(  # noqa: PLR0913  # the command's options
    names: Annotated[
        list[str] | None, Argument(metavar="[NAME...]", help="Bases, and models as `mf build` takes them.")
    ] = None,
    host: Host = None,
    store: StoreFolder = None,
    *,
    everything: Annotated[bool, Option("--all", help="Verify what all locks of the repository have.")] = False,
    output_format: Annotated[VerifyFormat, Option("--format", help="Output format.")] = "text",
    force_exclude: ForceExclude = False,
    as_json: AsJson = False,
) -> None:
    """Compare the models of a server or a folder with mf.lock, by fingerprint; exit 1 if one differs or is missing.

    Default: the bases of this folder's Modelfiles, which need not be there, and the models of mf.toml. Of a
    model that differs, the parts are named: parameters, prompts, weights. If git has the versions of mf.lock, it is
    also said whether the model is an older one, or of none of them: then it was rebuilt by hand.

    With --json: {"version", "host", "verified", "models": [{"name", "kind", "modelfiles", "status", "fails",
    "expected", "actual", "changes", "notes"}, ...]}; kind is "base" or "model", status is "same", "different",
    "missing" or "unknown", host is the URL of a server or the path of a folder, expected and actual are fingerprints or
    null, and changes are as in `mf diff --json`, with the locked value first.
    """
    if everything and names:
        raise UsageError("--all cannot be used with names", hint="leave one of them out")
    if as_json and output_format == "junit":
        raise UsageError("--json cannot be used with --format junit", hint="leave one of them out")
    terminal, project = current.get(), load_project(force_exclude=force_exclude)
    root = find_repository(project.start) if everything else None
    targets = with_locked(project.modelfiles([str(root) if root else "."]))
    with (
        open_store(host, store, use=Use.READ) as opened,
        open_registry(project.config) as registry,
        progress("verifying", terminal) as events,
    ):
        models = verify_models(targets, opened, registry, names=names or (), events=events)
    if as_json or output_format == "json":
        print_json(verified_as_json(models, opened.location), terminal)
    elif output_format == "junit":
        for part in verified_as_junit(models, opened.location):
            terminal.write_content(part)
    else:
        print_verified(models, opened.location, terminal)
    if any(model.fails for model in models):
        raise SystemExit(ExitCode.FINDINGS)
