"""What a Modelfile means (a recipe), and what a model holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.recipe.values import ParameterValue

_PATHS: Final = Version(0, 30, 0)
"""Since then several files are named by their paths; before by their base names (v0.29.0, v0.30.0 cmd/cmd.go)."""

DEFAULT_TEMPLATE: Final = "{{ .Prompt }}"
"""What a model without a template layer shows and uses."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: one turn of the conversation that is put before the user's."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What Ollama's command line reads in a Modelfile. Empty texts mean that nothing is asked."""

    base: str | None = None
    """The model's name as written."""
    files: tuple[Path, ...] = ()
    """The files of local weights, projectors among them; of no consequence beside a base."""
    adapters: tuple[Path, ...] = ()
    drafts: tuple[Path, ...] = ()
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    quantize: str = ""
    """The type the server is to turn the weights to; see quantize.py."""

    @property
    def model_files(self) -> tuple[Path, ...]:
        """The files that the model is made of; none beside a base."""
        return () if self.base else self.files

    @property
    def local_files(self) -> tuple[Path, ...]:
        """Every file on this machine that goes into the model."""
        return tuple(dict.fromkeys((*self.files, *self.adapters, *self.drafts)))

    def request(self, digests: Mapping[Path, str] | None = None, target: Version | None = None) -> dict[str, Any]:
        """The body of POST /api/create as Ollama's command line sends it, without the model's name.

        Args:
            digests: `sha256:…` of every local file.
            target: The version of Ollama that is to take it, by default the newest known.
        """
        digests = digests or {}
        version = catalog(target).version
        request: dict[str, Any] = {
            "from": self.base or "",
            "files": _named(self.files, digests, version),
            "draft_files": _named(self.drafts, digests, version),
            "adapters": _named(self.adapters, digests, version),
            "template": self.template,
            "system": self.system,
            "license": list(self.licenses),
            "parameters": {
                name: list(value) if isinstance(value, tuple) else value for name, value in self.parameters.items()
            },
            "messages": [{"role": turn.role, "content": turn.content} for turn in self.messages],
            "renderer": self.renderer,
            "parser": self.parser,
            "requires": self.requires,
            "quantize": self.quantize,
        }
        return {key: value for key, value in request.items() if value}


def _named(files: tuple[Path, ...], digests: Mapping[Path, str], version: Version) -> dict[str, str]:
    """Digests by the names the server is given.

    One file's base name, and several files' paths from their common folder, as it wants them of late. Before, base
    names: of two files with one name, Ollama's command line loses one by chance, and here the deeper keeps its path.
    """
    shared = {*files[0].absolute().parents} if files else set()
    shared = shared.intersection(*(file.absolute().parents for file in files))
    common = max(shared, key=lambda folder: len(folder.parts), default=None)  # none: on two drives
    named: dict[str, str] = {}
    for file in sorted(files, key=lambda file: len(file.parts)) if version < _PATHS else files:
        if len(files) == 1 or common is None or (version < _PATHS and file.name not in named):
            named[file.name] = digests[file]
        else:
            named[file.absolute().relative_to(common).as_posix()] = digests[file]
    return named


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a model holds, wherever it is kept; two equal ones are the same model."""

    weights: tuple[str, ...] = ()
    """Digests (`sha256:…`) of the model layers, then of the projectors, in Ollama's order."""
    adapters: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()
    template: str = DEFAULT_TEMPLATE
    system: str = ""
    license: str = ""
    """All licences, a line end between each two: Ollama's API tells them no other way."""
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""

    def with_recipe(self, recipe: Recipe, digests: Mapping[Path, str]) -> Model:
        """What create makes of this model as the base of a recipe (measured on 0.9.3 and 0.33).

        Texts replace, parameters are merged and the new one wins, messages replace if there are any, licences add up.
        """
        return replace(
            self,
            adapters=(*self.adapters, *(digests[path] for path in recipe.adapters)),
            drafts=(*self.drafts, *(digests[path] for path in recipe.drafts)),
            template=recipe.template or self.template,
            system=recipe.system or self.system,
            license="\n".join((*([self.license] if self.license else []), *recipe.licenses)),
            parameters={**self.parameters, **recipe.parameters},
            messages=recipe.messages or self.messages,
            renderer=recipe.renderer or self.renderer,
            parser=recipe.parser or self.parser,
            requires=recipe.requires or self.requires,
        )
