"""What one version of Ollama takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from modelfile.catalog.parameters import PARAMETERS, Default, Parameter
from modelfile.catalog.versions import Version

if TYPE_CHECKING:
    from modelfile.catalog.instructions import Instruction
    from modelfile.catalog.quantizations import Quantization

NEWEST: Final = Version(0, 32, 15)
"""The newest release whose source the catalogue was made from; nothing in it changed in 0.33.0-rc2."""
_UNKNOWN: Final = Version(0, 0, 0)


class _Dated(Protocol):
    @property
    def since(self) -> Version: ...
    @property
    def until(self) -> Version | None: ...


_D = TypeVar("_D", bound=_Dated)


class Catalog:
    """What one version of Ollama takes; `catalog()` gives it. Nothing is looked up before it is asked for."""

    def __init__(self, version: Version) -> None:
        self.version: Final = version

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """By name."""
        return _in_force(PARAMETERS, self.version)

    @cached_property
    def deprecated(self) -> Mapping[str, Parameter]:
        """Parameters of which the command line warns, and which it drops whatever their value."""
        return MappingProxyType(
            {
                name: parameter
                for name, parameter in PARAMETERS.items()
                if parameter.deprecated is not None and parameter.deprecated <= self.version
            }
        )

    @cached_property
    def instructions(self) -> Mapping[str, Instruction]:
        """By word, in capitals."""
        from modelfile.catalog.instructions import INSTRUCTIONS

        return _in_force(INSTRUCTIONS, self.version)

    @cached_property
    def quantizations(self) -> Mapping[str, Quantization]:
        """What `ollama create --quantize` takes, by name, in capitals."""
        from modelfile.catalog.quantizations import QUANTIZATIONS

        return _in_force(QUANTIZATIONS, self.version)

    @cached_property
    def quantizes_from(self) -> frozenset[str]:
        """The types of weights that the server quantizes."""
        from modelfile.catalog.quantizations import QUANTIZES_FROM

        return next((types for since, types in reversed(QUANTIZES_FROM) if since <= self.version), frozenset())

    def removed(self, name: str) -> Version | None:
        """The first release that no longer took a parameter, if this version does not take it any more."""
        parameter = PARAMETERS.get(name)
        if parameter is None or parameter.until is None or self.version < parameter.until:
            return None
        return parameter.until

    def default(self, name: str) -> Default:
        """What the server takes where a model does not set one of the parameters; None: it decides then.

        Raises:
            KeyError: This version has no such parameter.
        """
        return self.parameters[name].default(self.version)


def catalog(target: Version | None = None) -> Catalog:
    """The catalogue of a version of Ollama, by default of the newest one known.

    An Ollama that was built without a version calls itself 0.0.0: it is taken for the newest.
    """
    return _catalog(NEWEST if target in (None, _UNKNOWN) else target)


_catalog: Final = cache(Catalog)


def _in_force(facts: Mapping[str, _D], version: Version) -> Mapping[str, _D]:
    return MappingProxyType(
        {
            name: fact
            for name, fact in facts.items()
            if fact.since <= version and (fact.until is None or version < fact.until)
        }
    )
