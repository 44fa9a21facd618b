"""Models: their contents, in any store, and their fingerprints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modelfile.catalog.behaviors import INHERITED
from modelfile.catalog.versions import NEWEST, Version
from modelfile.immutable import field, record, replace
from modelfile.recipe.recipe import Message, Recipe
from modelfile.recipe.values import ParameterValue, canonical

DEFAULT_TEMPLATE: Final = "{{ .Prompt }}"
"""The template of a model without a template layer."""
_FINGERPRINT_VERSION: Final = "mf1"


@record(kw_only=True)
class Model:
    """The contents of a model, in any store; equal contents are the same model."""

    weights: tuple[str, ...] = ()
    """Digests (`sha256:…`) of the model layers, then of the projectors, in Ollama's order."""
    adapters: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()
    template: str = DEFAULT_TEMPLATE
    system: str = ""
    license: str = ""
    """All licenses, joined by newlines, the only form in which Ollama's API returns them."""
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    family: str = field(default="", compare=False)
    """Architecture of the weights, such as `qwen3`, which is a fact about them and no content; empty if unknown."""

    @property
    def files(self) -> tuple[str, ...]:
        """The digests of all its files: weights, adapters and drafts."""
        return (*self.weights, *self.adapters, *self.drafts)

    def with_recipe(self, recipe: Recipe, digests: Mapping[Path, str], version: Version | None = None) -> Model:
        """Return the model that Ollama creates FROM this one with a recipe (measured on 0.9.3 and 0.33).

        The recipe's texts and messages, if any, replace the model's; parameters are merged, and the recipe's win;
        adapters, drafts and licenses are appended, and so are projectors that ADAPTER names. Weights of some
        architectures bring a renderer, a parser and a `stop`, if either of the first two is missing (server/create.go).
        Older versions of Ollama drop the renderer, the parser and REQUIRES of a base that FROM names.

        Args:
            recipe: The recipe.
            digests: `sha256:…` of every local file.
            version: The version of Ollama (default: the newest known).
        """
        projectors = (digests[path] for path in recipe.adapters if path in recipe.misplaced)
        adapters = (digests[path] for path in recipe.adapters if path not in recipe.misplaced)
        known = version or NEWEST
        kept = {key for key, since in INHERITED.items() if not recipe.base or known >= since}
        renderer = recipe.renderer or (self.renderer if "renderer" in kept else "")
        parser = recipe.parser or (self.parser if "parser" in kept else "")
        built_in, stop = ("", {}) if renderer and parser else self._built_in(version)
        return replace(
            self,
            weights=tuple(dict.fromkeys((*self.weights, *projectors))),
            adapters=(*self.adapters, *adapters),
            drafts=(*self.drafts, *(digests[path] for path in recipe.drafts)),
            template=recipe.template or self.template,
            system=recipe.system or self.system,
            license="\n".join((*([self.license] if self.license else []), *recipe.licenses)),
            parameters={**self.parameters, **stop, **recipe.parameters},
            messages=recipe.messages or self.messages,
            renderer=renderer or built_in,
            parser=parser or built_in,
            requires=recipe.requires or (self.requires if "requires" in kept else ""),
        )

    def _built_in(self, version: Version | None) -> tuple[str, Mapping[str, ParameterValue]]:
        """Return the renderer, after which the parser is named, and the parameters that the architecture brings."""
        from modelfile.catalog.renderers import RENDERERS_OF_ARCHITECTURES, STOPS_OF_ARCHITECTURES

        name, since = RENDERERS_OF_ARCHITECTURES.get(self.family, ("", NEWEST))
        if not name or (version or NEWEST) < since:
            return "", {}
        stop = STOPS_OF_ARCHITECTURES.get(self.family)
        return name, {"stop": stop} if stop else {}


def fingerprint(model: Model) -> str:
    """Return the fingerprint of a model, `mf1:<64 hex>`: equal for two models exactly if their contents are.

    Version 1 (`mf1:`) is the sha256 of a JSON object in UTF-8 with sorted keys and no whitespace that omits what is
    empty: weights, adapters, drafts (lists of blob digests), template, system, license, renderer, parser, requires
    (texts), parameters (an object; a number is a float64 in its shortest decimal form, a string a list of strings),
    messages (a list of [role, content]). Nothing else goes in: not the name, the store, the server, the time, or the
    order of parameters.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> modelfile.fingerprint(modelfile.show("llama3.2:3b", MemoryStore.with_models("llama3.2:3b")).model)[:16]
    'mf1:5462e1c1c1b1'
    """
    described: dict[str, Any] = {
        "weights": model.weights,
        "adapters": model.adapters,
        "drafts": model.drafts,
        "template": model.template,
        "system": model.system,
        "license": model.license,
        "parameters": {name: canonical(value) for name, value in model.parameters.items()},
        "messages": [(message.role, message.content) for message in model.messages],
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
    return f"{_FINGERPRINT_VERSION}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
