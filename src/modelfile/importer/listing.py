"""The configuration of a project that lists the Modelfiles in a folder."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from modelfile.errors import UsageError
from modelfile.names import ModelName, model_for

_TAG: Final = "v1"
"""The tag of models that have had none."""


def list_models_of(modelfiles: Iterable[Path], folder: Path) -> str:
    r"""Return an mf.toml that lists Modelfiles, each under the name that its path suggests.

    >>> print(list_models_of([Path("bot/Modelfile"), Path("judge.Modelfile")], Path()), end="")
    # `mf build` without a name builds all of these.
    <BLANKLINE>
    [models.bot]
    modelfile = "bot/Modelfile"
    tag = "v1"
    <BLANKLINE>
    [models.judge]
    modelfile = "judge.Modelfile"
    tag = "v1"

    Args:
        modelfiles: The Modelfiles.
        folder: The folder of the configuration.

    Raises:
        UsageError: The path of one suggests no name.
    """
    from modelfile.filesystem import relative_to

    paths = {path: relative_to(path, folder) for path in modelfiles}
    usual = {path: _name(model_for(path), written) for path, written in paths.items()}
    counts = Counter(name.lower() for name in usual.values())
    blocks = ["# `mf build` without a name builds all of these.\n"]
    for path, written in sorted(paths.items(), key=lambda each: each[1]):
        name = usual[path]
        if counts[name.lower()] > 1:  # of two with the same name, each is named after all of its path
            name = _name("-".join((*Path(written).parent.parts, model_for(path))), written)
        key = name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)
        blocks.append(f'[models.{key}]\nmodelfile = {json.dumps(written, ensure_ascii=False)}\ntag = "{_TAG}"\n')
    return "\n".join(blocks)


def _name(text: str, written: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")
    try:
        ModelName.parse(name)
    except UsageError as error:
        raise UsageError(f"the path `{written}` suggests no name for its model", hint="rename it") from error
    return name
