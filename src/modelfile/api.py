"""What Python programs import from `modelfile`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelfile.semantics.files import digests_of
from modelfile.semantics.resolve import resolve
from modelfile.source import Source
from modelfile.syntax import modelfile as syntax
from modelfile.syntax.template import Template, parse_template

__all__ = ["Modelfile", "Template", "parse", "parse_template"]


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
        return recipe.request(digests_of(recipe))


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
