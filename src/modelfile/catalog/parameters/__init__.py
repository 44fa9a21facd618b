"""All parameters that Modelfiles of any version of Ollama accept or accepted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.parameters.loading import LOADING
from modelfile.catalog.parameters.sampling import SAMPLING
from modelfile.catalog.parameters.spec import Default, Kind, ParameterSpec

__all__ = ["PARAMETERS", "Default", "Kind", "ParameterSpec"]

PARAMETERS: Final[Mapping[str, ParameterSpec]] = MappingProxyType(
    {parameter.name: parameter for parameter in (*LOADING, *SAMPLING)}
)
