"""The types that Ollama passes to templates, by version (api/types.go, template/template.go), read from JSON data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from modelfile.catalog.versions import Version
from modelfile.errors import InputError
from modelfile.gotemplate.govalues import (
    ANY,
    ANYS,
    BOOL,
    BYTE,
    BYTES,
    FLOAT,
    INT,
    OBJECT,
    STRING,
    STRINGS,
    GoError,
    GoKind,
    GoType,
    GoValue,
    Reference,
    StructField,
    Window,
    map_of,
    pointer_to,
    slice_of,
    string,
    to_bytes,
    zero,
)
from modelfile.gotemplate.json_text import encode_data, marshal_pairs, quote_json
from modelfile.gotemplate.printing import sprint

_DEEPEST: Final = 100
"""Number of objects and lists within each other in messages and tools; Ollama allows 10,000."""
_TYPESCRIPT: Final = {
    b"string": b"string",
    b"number": b"number",
    b"integer": b"number",
    b"boolean": b"boolean",
    b"array": b"any[]",
    b"object": b"Record<string, any>",
    b"null": b"null",
}
_KINDS: Final[Mapping[type, str]] = {
    str: "a string",
    bool: "a boolean",
    dict: "an object",
    **dict.fromkeys((int, float), "a number"),
    **dict.fromkeys((list, tuple), "a list"),
    type(None): "null",
}
_UNCHANGED_BY_NULL: Final = frozenset({GoKind.STRING, GoKind.INT, GoKind.BOOL})


def decode(  # noqa: C901, PLR0911  # one case for each kind
    of: GoType, data: Any, location: str, depth: int = 0
) -> Any:
    """Return JSON data as the data of a Go value; keys that a struct does not have are ignored, as in Ollama.

    Raises:
        InputError: Ollama rejects the data; `location` names it.
    """
    if depth > _DEEPEST:
        raise InputError(f"invalid {location}: more than {_DEEPEST} objects and lists within each other")
    if of.decode is not None:
        return of.decode(data, location)
    if data is None:
        return zero(of)
    match of.kind, data:
        case (GoKind.INTERFACE, _):
            return _decode_any(data, location, depth)
        case (GoKind.STRING, str()):
            return to_bytes(data)
        case (GoKind.INT, int()) if not isinstance(data, bool) and -(2**63) <= data < 2**63:
            return data
        case (GoKind.BOOL, bool()):
            return data
        case (GoKind.SLICE, list() | tuple()):
            return Window.of(
                [decode(of.item, item, f"{location}[{index}]", depth + 1) for index, item in enumerate(data)]
            )
        case (GoKind.MAP, Mapping()):
            return {
                _key(key, location): decode(of.item, item, f"{location}.{key}", depth + 1) for key, item in data.items()
            }
        case (GoKind.STRUCT, Mapping()):
            return _decode_struct(of, data, location, depth)
        case (GoKind.POINTER, _):
            return Reference(decode(of.item, data, location, depth))
        case _:
            wanted = {
                GoKind.STRING: "a string",
                GoKind.INT: "a whole number",
                GoKind.BOOL: "a boolean",
                GoKind.SLICE: "a list",
            }
            raise _invalid(location, wanted.get(of.kind, "an object"), data)


def _invalid(location: str, wanted: str, data: Any) -> InputError:
    return InputError(f"invalid {location}: {wanted} is needed, not {_KINDS.get(type(data), type(data).__name__)}")


def _key(key: Any, location: str) -> bytes:
    if not isinstance(key, str):
        raise _invalid(f"key in {location}", "a string", key)
    return to_bytes(key)


def _decode_struct(of: GoType, data: Mapping[Any, Any], location: str, depth: int) -> list[Any]:
    values = [zero(each.type) for each in of.fields]
    exact = {each.key or each.json or each.name: index for index, each in enumerate(of.fields)}
    folded = {name.casefold(): index for name, index in reversed(exact.items())}
    for key, item in data.items():
        index = exact.get(key, folded.get(str(key).casefold()))
        if index is not None and (item is not None or of.fields[index].type.kind not in _UNCHANGED_BY_NULL):
            values[index] = decode(of.fields[index].type, item, f"{location}.{key}", depth + 1)
    return values


def _decode_any(data: Any, location: str, depth: int) -> GoValue:
    match data:
        case bool():
            return GoValue(BOOL, data)
        case int() | float():
            try:
                number = float(data)
            except OverflowError:
                number = math.inf
            if not math.isfinite(number):
                raise InputError(f"invalid {location}: {data} is no number of JSON that Ollama reads")
            return GoValue(FLOAT, number)
        case str():
            return string(data)
        case list() | tuple():
            return GoValue(ANYS, decode(ANYS, data, location, depth))
        case Mapping():
            return GoValue(OBJECT, decode(OBJECT, data, location, depth))
        case _:
            raise _invalid(location, "JSON", data)


# Methods


def _as_json(of: Callable[[], GoType], nil: bytes | None = None) -> Callable[[Any], GoValue]:
    """Return a String method that writes JSON, and for nil, if it is given, another text."""
    return lambda data: string(nil if nil is not None and data is None else encode_data(of(), data))


def _unusable(_: Any) -> GoValue:
    """Stand for a method that no template can call: its arguments or results are not those that Go needs."""
    raise GoError("wrong number of args, or a result that is no error")


def _decode_property_type(data: Any, location: str) -> Window:
    if isinstance(data, str):
        return Window.of([to_bytes(data)])
    if data is None:
        return Window.of([b""])  # Go reads null as the empty string first
    if not isinstance(data, list | tuple) or not all(item is None or isinstance(item, str) for item in data):
        raise _invalid(location, "a string or a list of strings", data)
    return Window.of([to_bytes(item or "") for item in data])


def _encode_property_type(data: Window | None) -> str:
    names = list(data or ())
    if len(names) == 1:
        return quote_json(names[0])
    return "null" if data is None else f"[{','.join(map(quote_json, names))}]"


def _property_type_as_text(data: Window | None) -> GoValue:
    names = list(data or ())
    return string(names[0] if len(names) == 1 else sprint([GoValue(STRINGS, data)]) if names else b"")


PROPERTY_TYPE: Final = GoType(
    "api.PropertyType",
    GoKind.SLICE,
    STRING,
    methods={
        "String": _property_type_as_text,
        "MarshalJSON": lambda data: _bytes(_encode_property_type(data)),
    },
    pointer_methods={"UnmarshalJSON": _unusable},
    encode=_encode_property_type,
    decode=_decode_property_type,
    comparable=False,
)


def _bytes(text: str) -> GoValue:
    return GoValue(BYTES, Window.of(list(text.encode())))


def _decode_image(data: Any, location: str) -> Window | None:
    """Return the bytes of an image: as they are, from base64, or from a list of numbers, as Go does."""
    try:
        if isinstance(data, str):
            from base64 import b64decode  # most requests have no images

            data = b64decode(data.replace("\r", "").replace("\n", ""), validate=True)
        if isinstance(data, list) and all(item is None or type(item) is int for item in data):
            data = bytes(item or 0 for item in data)
    except ValueError:
        raise InputError(f"invalid {location}: the image is not in base64") from None
    if not isinstance(data, bytes | None):
        raise _invalid(location, "an image in base64", data)
    return None if data is None else Window.of(list(data))


IMAGE: Final = GoType("api.ImageData", GoKind.SLICE, BYTE, decode=_decode_image, comparable=False)


# Structs

OLDEST: Final = Version(0, 6, 6, 0)
"""The oldest version whose types are known here."""


def _struct(name: str, fields: Iterable[StructField | None], **methods: Any) -> GoType:
    """Return a struct of the fields that a version has; without a name, it is named by its fields, as in Go."""
    present = tuple(each for each in fields if each is not None)
    inner = "; ".join(f"{each.name} {each.type.name}{each.tag}" for each in present)
    return GoType(
        name or f"struct {{ {inner} }}",
        GoKind.STRUCT,
        fields=present,
        comparable=all(each.type.comparable for each in present),
        **methods,
    )


def _field(name: str, of: GoType, json: str, *, omit: bool = False, when: bool = True) -> StructField | None:
    return StructField(name, of, json, omit) if when else None


def _tool_property(version: Version) -> GoType:
    """Return the type of a parameter of a tool."""
    is_named, omits = version >= Version(0, 11, 3, 0), version >= Version(0, 12, 6, 0)
    of = GoType("api.ToolProperty", GoKind.STRUCT, comparable=False)
    nested = pointer_to(_properties_map(of)) if version >= TEMPLATE_TYPES else map_of(of)
    fields = (
        _field("AnyOf", slice_of(of), "anyOf", omit=True, when=is_named),
        _field("Type", PROPERTY_TYPE, "type", omit=omits),
        _field("Items", ANY, "items", omit=True),
        _field("Description", STRING, "description", omit=omits),
        _field("Enum", ANYS, "enum", omit=True),
        _field("Properties", nested, "properties", omit=True, when=version >= Version(0, 13, 5, 0)),
        _field("Required", STRINGS, "required", omit=True, when=version >= Version(0, 20, 0, 0)),
    )
    if not is_named:
        return _struct("", fields)
    of.fields = tuple(each for each in fields if each is not None)
    of.methods = {"ToTypeScriptType": lambda data: string(_type_script(of, data))}
    return of


def _type_script(of: GoType, data: list[Any]) -> bytes:
    values = dict(zip((each.name for each in of.fields), data, strict=True))
    if values["AnyOf"]:
        return b" | ".join(_type_script(of, each) for each in values["AnyOf"])
    return b" | ".join(_TYPESCRIPT.get(name, b"any") for name in values["Type"] or ()) or b"any"


def _properties_map(of: GoType) -> GoType:
    """Return the type of nested parameters, which keep their order; its data is a dict by name."""
    as_map = map_of(of)
    pairs = GoType("iter.Seq2[string,github.com/ollama/ollama/api.ToolProperty]", GoKind.FUNC, comparable=False)

    def encode(data: Any) -> str:
        return marshal_pairs((quote_json(key), encode_data(of, item)) for key, item in data.items())

    def read_all(data: Any) -> GoValue:
        return GoValue(pairs, lambda: ((string(key), GoValue(of, item)) for key, item in (data or {}).items()))

    return GoType(
        "api.ToolPropertiesMap",
        GoKind.STRUCT,
        methods={"MarshalJSON": lambda data: _bytes(encode(data))},
        pointer_methods={
            "Len": lambda data: GoValue(INT, len(data or ())),
            "ToMap": lambda data: GoValue(as_map, data),
            "All": read_all,
            **dict.fromkeys(("Get", "Set", "UnmarshalJSON"), _unusable),
        },
        encode=encode,
        decode=lambda data, location: decode(as_map, data, location),
        is_opaque=True,
    )


TEMPLATE_TYPES: Final = Version(0, 14, 0, 0)
"""The first version that has types of its own for templates, which print as Go structs."""


@cache
def tools_type(version: Version) -> GoType:
    """Return the type of `.Tools`."""
    ours = version >= TEMPLATE_TYPES
    properties: GoType = map_of(_tool_property(version))
    if ours:
        properties = _named_map("template.templateProperties", properties.item)
    parameters = _struct(
        "template.templateToolFunctionParameters"
        if ours
        else "api.ToolFunctionParameters"
        if version >= Version(0, 11, 7, 0)
        else "",
        (
            _field("Type", STRING, "type"),
            _field("Defs", ANY, "$defs", omit=True),
            _field("Items", ANY, "items", omit=True),
            _field("Required", STRINGS, "required", omit=version >= Version(0, 12, 11, 0)),
            _field("Properties", properties, "properties"),
        ),
    )
    function = _struct(
        "template.templateToolFunction" if ours else "api.ToolFunction",
        (
            _field("Name", STRING, "name"),
            _field("Description", STRING, "description", omit=not ours and version >= Version(0, 12, 6, 0)),
            _field("Parameters", parameters, "parameters"),
        ),
    )
    tool = _struct(
        "template.templateTool" if ours else "api.Tool",
        (
            _field("Type", STRING, "type"),
            _field("Items", ANY, "items", omit=True),
            _field("Function", function, "function"),
        ),
    )
    tools = GoType("template.templateTools" if ours else "api.Tools", GoKind.SLICE, tool, comparable=False)
    tools.methods = {"String": _as_json(lambda: tools)}
    if not ours or version >= Version(0, 30, 0, 32):
        tool.methods = {"String": _as_json(lambda: tool)}
    if not ours:
        function.pointer_methods = {"String": _as_json(lambda: function)}
        if parameters.name.startswith("api."):
            parameters.pointer_methods = {"String": _as_json(lambda: parameters)}
    return tools


@cache
def messages_type(version: Version) -> GoType:
    """Return the type of `.Messages`."""
    ours = version >= TEMPLATE_TYPES
    if ours:
        arguments = _named_map("template.templateArgs", ANY)
    else:
        arguments = GoType("api.ToolCallFunctionArguments", GoKind.MAP, ANY, comparable=False)
        arguments.pointer_methods = {"String": _as_json(lambda: arguments)}
    identified = version >= Version(0, 12, 10, 0)
    function = _struct(
        "template.templateToolCallFunction" if ours else "api.ToolCallFunction",
        (
            _field("Index", INT, "index", omit=version < Version(0, 12, 6, 0)),
            _field("Name", STRING, "name"),
            _field("Arguments", arguments, "arguments"),
        ),
    )
    call = _struct(
        "template.templateToolCall" if ours else "api.ToolCall",
        (_field("ID", STRING, "id", omit=True, when=identified), _field("Function", function, "function")),
    )
    message = _struct(
        "template.templateMessage" if ours else "api.Message",
        (
            _field("Role", STRING, "role"),
            _field("Content", STRING, "content"),
            _field("Thinking", STRING, "thinking", omit=True, when=version >= Version(0, 9, 0, 0)),
            _field("Images", slice_of(IMAGE), "images", omit=True),
            _field("ToolCalls", slice_of(call), "tool_calls", omit=True),
            _field("ToolName", STRING, "tool_name", omit=True, when=version >= Version(0, 9, 6, 0)),
            _field("ToolCallID", STRING, "tool_call_id", omit=True, when=identified),
        ),
    )
    if ours:
        for of in (function, call, message):
            of.fields = tuple(StructField(each.name, each.type, key=each.json) for each in of.fields)
    else:
        message.pointer_methods = {"UnmarshalJSON": _unusable}
    return slice_of(pointer_to(message))


def _named_map(name: str, of: GoType) -> GoType:
    """Return the type of a map that prints as JSON."""
    named = GoType(name, GoKind.MAP, of, comparable=False)
    named.methods = {"String": _as_json(lambda: named, nil=b"{}")}
    return named
