"""What Python programs import from `modelfile`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.gotemplate.parser import Template, parse_template
from modelfile.linter.context import context_of
from modelfile.linter.engine import lint as run
from modelfile.linter.rules import RULES
from modelfile.linter.settings import select as selected
from modelfile.recipe.recipe import resolve
from modelfile.source import Source
from modelfile.syntax import modelfile as syntax
from modelfile.weights.digests import digests_of

__all__ = ["Modelfile", "Template", "lint", "parse", "parse_template"]


class Modelfile(syntax.Modelfile):
    """A parsed Modelfile."""

    def create_request(self, folder: str | Path = ".") -> dict[str, Any]:
        """The body of POST /api/create that Ollama's command line would send, but for the model's name.

        Local weights and adapters are hashed; they have to be sent to POST /api/blobs/<digest> before.

        Args:
            folder: What paths in the Modelfile are relative to.

        Raises:
            InputError: Ollama's command line would refuse the Modelfile, or a file of it cannot be read.
        """
        recipe = resolve(self, Path(folder))
        return recipe.request(digests_of(recipe.local_files))


def parse(text: str | bytes) -> Modelfile:
    r"""Parse a Modelfile. Nothing in a text makes this fail: what Ollama would refuse is in `.diagnostics`.

    >>> bot = parse('FROM llama3.2:3b\nPARAMETER temperature 0.2\nSYSTEM "Be brief."\n')
    >>> bot.commands
    (('model', 'llama3.2:3b'), ('temperature', '0.2'), ('system', 'Be brief.'))
    >>> print(bot.with_parameter("temperature", "0.7").with_message("user", "Hi!").text, end="")
    FROM llama3.2:3b
    PARAMETER temperature 0.7
    SYSTEM "Be brief."
    MESSAGE user Hi!
    >>> bot.create_request()
    {'from': 'llama3.2:3b', 'system': 'Be brief.', 'parameters': {'temperature': 0.2}}
    >>> [(found.name, found.message) for found in parse("FORMAT json").diagnostics]
    [('missing-from', 'no FROM'), ('unknown-instruction', 'unknown instruction `FORMAT`')]

    Args:
        text: A text, or the bytes of a file, of which a byte order mark is honoured and what is not UTF-8 becomes
            U+FFFD, as in Ollama.
    """
    return Modelfile.parse(Source.decode(text) if isinstance(text, bytes) else Source(text=text))


def lint(
    modelfile: syntax.Modelfile | str | bytes,
    path: str | Path | None = None,
    *,
    select: Sequence[str] = ("ALL",),
    ignore: Sequence[str] = (),
    severities: Mapping[str, Severity] | None = None,
    target: str | None = None,
) -> tuple[Diagnostic, ...]:
    r"""Find what `mf lint --isolated` finds, in the order of the text.

    >>> for found in lint("FROM llama3.2:3b\nPARAMETER temperture 0.2\n", select=["MF3"]):
    ...     print(found.span.start, found.severity, found.name, found.hint)
    27 error unknown-parameter did you mean `temperature`?

    Args:
        modelfile: A Modelfile, or its text.
        path: Where it stands; without one, rules on files and on the lock do not look.
        select: Rules in force: codes, families, names, ALL.
        ignore: Rules not in force.
        severities: Severities by rule name, where they are not the rules' own.
        target: The Ollama version that it is for; the newest known, else.

    Raises:
        InputError: The lock at `path` is damaged, or of a later version.
        UsageError: There is no such rule.
        ValueError: `target` is no version.
    """
    parsed = modelfile if isinstance(modelfile, syntax.Modelfile) else parse(modelfile)
    version = catalog(Version.parse(target)) if target else catalog()
    context = context_of(parsed, Path(path) if path is not None else None, target=version)
    chosen, unwanted = ([names] if isinstance(names, str) else names for names in (select, ignore))
    return run(context, selected(RULES, chosen, but=unwanted), severities)
