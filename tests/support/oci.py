"""Validation by the JSON schemas of the OCI image specification."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4
from tests.support.paths import DATA

FOLDER = DATA / "schemas" / "oci"
BASES = ("", "https://opencontainers.org/schema/", "https://opencontainers.org/schema/image/")


def validate(value: Any, schema: str) -> None:
    """Raise jsonschema.ValidationError if a value does not fit a schema, named by its file."""
    schemas = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
    resources = [
        (f"{base}{name}", Resource.from_contents(content, default_specification=DRAFT4))
        for name, content in schemas.items()
        for base in BASES
    ]
    registry: Registry[Any] = Registry().with_resources(resources)
    jsonschema.Draft4Validator(schemas[schema], registry=registry).validate(value)
