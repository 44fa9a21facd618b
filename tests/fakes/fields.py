"""The fields of requests to an Ollama server; any other one fails the test that sends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.fakes.values import Refused

FIELDS: Final[dict[str, dict[str, type | tuple[type, ...]]]] = {
    "/api/show": {"model": str, "verbose": bool},
    "/api/copy": {"source": str, "destination": str},
    "/api/delete": {"model": str},
    "/api/pull": {"model": str, "insecure": bool, "stream": bool},
    "/api/create": {
        "model": str,
        "from": str,
        "files": dict,
        "adapters": dict,
        "template": str,
        "system": str,
        "license": (str, list),
        "parameters": dict,
        "messages": list,
        "stream": bool,
    },
}
_RENDERER_FIELDS: Final[dict[str, type | tuple[type, ...]]] = dict.fromkeys(("renderer", "parser", "requires"), str)


def check(path: str, request: Any, *, renderers: bool, violation: Callable[[str, str], None]) -> dict[str, Any]:
    """Compare a request with the fields that its path has; return the known ones.

    Raises:
        Refused: A field is of a wrong type.
    """
    known = FIELDS[path] | (_RENDERER_FIELDS if path == "/api/create" and renderers else {})
    if not isinstance(request, dict):
        violation(path, f"{path}: the body is no JSON object: {request!r}")
        raise Refused(400, "missing request body")
    for name, value in request.items():
        if name not in known:
            violation(name, f"{path}: unknown field {name!r}")
        elif not isinstance(value, known[name]):
            violation(name, f"{path}: {name!r} cannot be {value!r}")
            raise Refused(400, f"json: cannot unmarshal {type(value).__name__} into Go struct field {name}")
    for message in request.get("messages", ()):
        if not isinstance(message, dict) or {*message} != {"role", "content"}:
            violation("messages", f"{path}: {message!r} is not a role and a content")
            raise Refused(400, "json: cannot unmarshal into Go struct field .messages")
    return {name: value for name, value in request.items() if name in known}
