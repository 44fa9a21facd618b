"""Pointers from the commands and options of Ollama, Docker, git and ruff to what does the same here."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Final

_LIST: Final = "`mf ls` lists models"
_REMOVE: Final = "`mf rm NAME:TAG` removes models"
_BUILD: Final = "`mf build NAME:TAG -f Modelfile` builds a model"
_SHOW: Final = "`mf show NAME` prints the contents of a model"
_COPY: Final = "`mf cp SOURCE NAME:TAG` gives a model another name"
_PIN: Final = "`mf pin` records bases, files and fingerprints in mf.lock"
_FIND: Final = "`mf find DIGEST` finds out what a digest or a fingerprint is"
_VERIFY: Final = "`mf verify` compares the models on a server with mf.lock"
_OUTDATED: Final = "`mf outdated` lists the bases that have moved since they were pinned"
_UPDATE: Final = "`mf update` pins bases as their registries have them now"
_CHECK: Final = "`mf check` finds defects in Modelfiles, and reports unformatted ones and an outdated lock"
_STATUS: Final = "`mf pin --check` reports what differs from mf.lock, and `mf build --dry-run` what a build would do"
_BACKUPS: Final = "`mf rollback NAME:TAG --list` lists the previous models of a tag"
_RESTORE: Final = "`mf rollback NAME:TAG` restores the previous model of a tag"
_EXPORT: Final = "`mf init NAME -o -` prints a Modelfile that builds the same model"
_TEST: Final = "mf cannot run prompts yet: run `ollama run NAME PROMPT`"
_SERVER: Final = "mf leaves that to Ollama: run `ollama {}`"

POINTERS: Final = {
    # ollama
    "list": _LIST,
    "create": _BUILD,
    "run": "mf does not run models: run `ollama run NAME`",
    **{name: _SERVER.format(name) for name in ("stop", "ps", "serve", "launch", "signin", "signout")},
    "start": _SERVER.format("serve"),
    "login": _SERVER.format("signin"),
    "logout": _SERVER.format("signout"),
    "help": "`mf --help` lists the commands",
    "version": "`mf --version` prints the version",
    # docker, and package managers
    "images": _LIST,
    "models": _LIST,
    "tag": _COPY,
    "copy": _COPY,
    "rename": f"{_COPY}; then {_REMOVE.replace('removes models', 'removes the old one')}",
    "mv": f"{_COPY}; then {_REMOVE.replace('removes models', 'removes the old one')}",
    **dict.fromkeys(("rmi", "remove", "delete", "uninstall"), _REMOVE),
    **dict.fromkeys(("prune", "clean", "gc"), "`mf store prune` removes what no model needs from a folder of models"),
    **dict.fromkeys(("du", "df"), "`mf store du` prints the disk space of each model in a folder"),
    **dict.fromkeys(("fsck", "repair"), "`mf store check` finds damage in a folder of models, and repairs it"),
    **dict.fromkeys(("inspect", "info", "cat"), _SHOW),
    **dict.fromkeys(("install", "add", "fetch"), "`mf pull NAME` pulls a model from its registry"),
    "save": "`mf store save NAME -o FILE` saves a model to a file",
    "load": "`mf store load FILE` loads the models of a file",
    "export": _EXPORT,
    "search": "mf cannot search yet: see https://ollama.com/search",
    "apply": "`mf build --plan FILE` executes a plan",
    "plan": "`mf build --dry-run` prints the plan of a build",
    "make": _BUILD,
    "sync": "`mf build` without a name builds all models of mf.toml",
    "up": "`mf build` without a name builds all models of mf.toml",
    # git
    "commit": f"{_PIN}; commit it with `git commit`",
    "status": _STATUS,
    **dict.fromkeys(("log", "history", "backups"), _BACKUPS),
    **dict.fromkeys(("restore", "revert", "undo", "reset"), _RESTORE),
    "compare": "`mf diff A B` shows what differs between two models",
    # ruff, and lock files
    **dict.fromkeys(("validate", "ci"), _CHECK),
    "format": "`mf fmt` formats Modelfiles",
    "fix": "`mf lint --fix` fixes defects in Modelfiles",
    "watch": "`mf lint --watch` lints again at each change",
    **dict.fromkeys(("rule", "rules", "why"), "`mf explain` explains a rule, a parameter or an instruction"),
    "settings": "`mf config` prints the configuration in force",
    **dict.fromkeys(("lock", "freeze"), _PIN),
    **dict.fromkeys(("audit", "attest"), _VERIFY),
    **dict.fromkeys(("upgradable", "updates", "stale"), _OUTDATED),
    **dict.fromkeys(("upgrade", "bump", "refresh"), _UPDATE),
    **dict.fromkeys(("which", "whatis", "identify", "locate", "blame"), _FIND),
    "test": _TEST,
    "chat": _TEST,
}
"""Hints by command; none is a command of `mf`, and each names commands and options that exist."""

OPTIONS: Final = {
    "--output-format": ("--format",),
    "--target": ("--ollama",),
    "--target-version": ("--ollama",),
    "--ollama-version": ("--ollama",),
    "--no-color": ("--color",),
    "--dry-run": ("--diff",),
    "--no-write": ("--diff",),
    "--stdin-filepath": ("--stdin-filename",),
    "--fail-on": ("--fail-level",),
    "--force": ("--replace", "--yes"),
    "--yes": ("--replace",),
    "--out": ("--output-file",),
}
"""Options of commands here by what ruff, black and others call them; the first that a command has is suggested."""
_CLOSE: Final = 0.7
"""Ratio from which on an option is suggested, as difflib computes it."""


def hint_for_option(name: str, known: Container[str], close: Iterable[str]) -> str | None:
    """Return a hint for an unknown option: what does the same, or a similar option; None if there is neither.

    Args:
        name: The unknown option.
        known: The options of the command.
        close: Those that look like it.
    """
    from difflib import get_close_matches

    if name in ("--exclude", "--extend-exclude") and "--force-exclude" in known:
        return "write `exclude` in mf.toml, for all commands"
    if same := next((option for option in OPTIONS.get(name, ()) if option in known), None):
        return f"use `{same}`"
    near = get_close_matches(name, [*close], n=1, cutoff=_CLOSE)
    return f"did you mean `{near[0]}`?" if near else None


def hint_for(command: str, commands: Sequence[str], words: str = "mf") -> str:
    """Return a hint for an unknown command: what does the same, a similar command, or how to list them.

    Args:
        command: The unknown command.
        commands: The commands that there are.
        words: The words before them, as in `mf store`.
    """
    from difflib import get_close_matches

    if pointer := POINTERS.get(command.lower()):
        return pointer
    close = get_close_matches(command, commands, n=1)
    return f"did you mean `{words} {close[0]}`?" if close else f"run `{words} --help` to list the commands"
