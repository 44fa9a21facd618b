"""The facts that hold in one version of Ollama."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from modelfile.catalog.parameters import PARAMETERS, Default, ParameterSpec
from modelfile.catalog.versions import DEVELOPMENT, NEWEST, Version

if TYPE_CHECKING:
    from modelfile.catalog.instructions import InstructionSpec
    from modelfile.catalog.quantizations import Quantization


class _Dated(Protocol):
    @property
    def since(self) -> Version: ...
    @property
    def until(self) -> Version | None: ...


_D = TypeVar("_D", bound=_Dated)


class Catalog:
    """The facts about one version of Ollama, each computed on demand; made by `catalog()`."""

    def __init__(self, version: Version) -> None:
        self.version: Final = version

    @cached_property
    def parameters(self) -> Mapping[str, ParameterSpec]:
        """The parameters that Modelfiles accept, by name."""
        return _in_force(PARAMETERS, self.version)

    @cached_property
    def deprecated(self) -> Mapping[str, ParameterSpec]:
        """The parameters that the command line warns about and skips, by name."""
        return MappingProxyType(
            {
                name: parameter
                for name, parameter in PARAMETERS.items()
                if parameter.deprecated is not None and parameter.deprecated <= self.version
            }
        )

    @cached_property
    def instructions(self) -> Mapping[str, InstructionSpec]:
        """The instructions of Modelfiles, by word in capitals."""
        from modelfile.catalog.instructions import INSTRUCTIONS

        return _in_force(INSTRUCTIONS, self.version)

    @cached_property
    def quantizations(self) -> Mapping[str, Quantization]:
        """The types that `ollama create --quantize` accepts, by name in capitals."""
        from modelfile.catalog.quantizations import QUANTIZATIONS

        return _in_force(QUANTIZATIONS, self.version)

    @cached_property
    def quantizes_from(self) -> frozenset[str]:
        """The types of weights that the server can quantize."""
        from modelfile.catalog.quantizations import QUANTIZES_FROM

        return next((types for since, types in reversed(QUANTIZES_FROM) if since <= self.version), frozenset())

    def removed(self, name: str) -> Version | None:
        """Return the release that removed a parameter; None if this version still accepts it or it never existed."""
        parameter = PARAMETERS.get(name)
        if parameter is None or parameter.until is None or self.version < parameter.until:
            return None
        return parameter.until

    def default(self, name: str) -> Default:
        """Return the value that the server uses if a model does not set a parameter; None if the server decides.

        Raises:
            KeyError: This version has no such parameter.
        """
        return self.parameters[name].default(self.version)


def catalog(target: Version | None = None) -> Catalog:
    """Return the catalog of a version of Ollama, by default of the newest one.

    An Ollama that was built without a version reports 0.0.0; it counts as the newest.
    """
    return _newest() if target is None or target == DEVELOPMENT else _catalog(target)


_catalog: Final = cache(Catalog)


@cache
def _newest() -> Catalog:
    return _catalog(NEWEST)


def _in_force(facts: Mapping[str, _D], version: Version) -> Mapping[str, _D]:
    return MappingProxyType(
        {
            name: fact
            for name, fact in facts.items()
            if fact.since <= version and (fact.until is None or version < fact.until)
        }
    )
