"""Every parameter that a Modelfile of any version of Ollama takes or took."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.loading_parameters import LOADING
from modelfile.catalog.parameter_spec import Default, Kind, Parameter
from modelfile.catalog.sampling_parameters import SAMPLING

__all__ = ["PARAMETERS", "Default", "Kind", "Parameter"]

PARAMETERS: Final[Mapping[str, Parameter]] = MappingProxyType(
    {parameter.name: parameter for parameter in (*LOADING, *SAMPLING)}
)
