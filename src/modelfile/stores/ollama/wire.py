"""What Ollama's HTTP API says (0.9.3 to 0.33), as far as it is used here; fields not named are ignored."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Version(_Answer):
    """GET /api/version."""

    version: str


class Tag(_Answer):
    """A model in GET /api/tags."""

    name: str
    digest: str
    """sha256 of the manifest, 64 hex digits without a prefix; the same model bears others on other machines."""
    size: int
    modified_at: AwareDatetime
    """When this name was given what it holds; a copy is as old as the copying."""


class Tags(_Answer):
    """GET /api/tags."""

    models: list[Tag] | None = None


class Message(_Answer):
    """One of a model's messages."""

    role: str
    content: str = ""


class Details(_Answer):
    """What a model was made of."""

    parent_model: str = ""
    format: str = ""
    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""


class Show(_Answer):
    """POST /api/show."""

    modelfile: str = ""
    parameters: str = ""
    template: str = ""
    system: str = ""
    license: str = ""
    messages: list[Message] | None = None
    requires: str = ""
    details: Details = Details()


class Progress(_Answer):
    """A line of the streams of create and pull."""

    status: str | int = ""
    """What is being done; beside an error, an HTTP status."""
    digest: str = ""
    total: int = 0
    completed: int = 0
    error: str | None = None
