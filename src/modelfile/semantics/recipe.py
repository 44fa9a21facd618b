"""What a Modelfile means (a recipe), and what a model holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from modelfile.semantics.literals import ParameterValue

DEFAULT_TEMPLATE: Final = "{{ .Prompt }}"
"""What a model without a template layer shows and uses."""


@dataclass(frozen=True, slots=True)
class Turn:
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
    messages: tuple[Turn, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""

    @property
    def local_files(self) -> tuple[Path, ...]:
        """Every file on this machine that goes into the model."""
        return tuple(dict.fromkeys((*self.files, *self.adapters, *self.drafts)))

    def request(self, digests: Mapping[Path, str] | None = None) -> dict[str, Any]:
        """The body of POST /api/create as Ollama's command line sends it, without the model's name.

        Args:
            digests: `sha256:…` of every local file.
        """
        digests = digests or {}
        request: dict[str, Any] = {
            "from": self.base or "",
            "files": _named(self.files, digests),
            "draft_files": _named(self.drafts, digests),
            "adapters": _named(self.adapters, digests),
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
        }
        return {key: value for key, value in request.items() if value}


def _named(files: tuple[Path, ...], digests: Mapping[Path, str]) -> dict[str, str]:
    """Digests by the names the server is given: one file's base name, several files' paths from their common folder."""
    if len(files) == 1:
        return {files[0].name: digests[files[0]]}
    folders = [file.absolute().parents for file in files]
    common = (
        next((folder for folder in folders[0] if all(folder in others for others in folders)), None) if files else None
    )
    return {file.absolute().relative_to(common).as_posix() if common else file.name: digests[file] for file in files}


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
    messages: tuple[Turn, ...] = ()
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
