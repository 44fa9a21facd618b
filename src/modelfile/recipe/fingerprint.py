"""The identity of a model: equal exactly when two models hold the same.

Version 1 (`mf1:`) is the sha256 of a JSON object with sorted keys, no blanks, in UTF-8, that leaves out what is empty:
weights, adapters, drafts (lists of blob digests), template, system, license, renderer, parser, requires (texts),
parameters (an object; a number is a float64 in its shortest decimal form, a string a list of strings), messages (a list
of [role, content]). Nothing else goes in: not the name, the store, the server, the time, or the order of parameters.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from modelfile.recipe.recipe import Model
from modelfile.recipe.values import canonical

VERSION: Final = "mf1"


def fingerprint(model: Model) -> str:
    """The fingerprint of what a model holds, as `mf1:<64 hex>`."""
    described: dict[str, Any] = {
        "weights": model.weights,
        "adapters": model.adapters,
        "drafts": model.drafts,
        "template": model.template,
        "system": model.system,
        "license": model.license,
        "parameters": {name: canonical(value) for name, value in model.parameters.items()},
        "messages": [(turn.role, turn.content) for turn in model.messages],
        "renderer": model.renderer,
        "parser": model.parser,
        "requires": model.requires,
    }
    text = json.dumps(
        {key: value for key, value in described.items() if value},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return f"{VERSION}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
