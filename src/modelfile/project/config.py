"""Configuration: `[tool.mf]` in pyproject.toml, or mf.toml, found upward from where a command runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from modelfile.diagnostics import Severity
from modelfile.errors import UsageError
from modelfile.names import ModelName

_OWN: Final = "mf.toml"
_SHARED: Final = "pyproject.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectModel:
    """A model that `mf build` makes where no name is given: `[models.my-bot]`."""

    name: ModelName
    """Of the table's name and its `tag`."""
    modelfile: Path
    """From the configuration's folder."""
    quantize: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What is configured; a field's key has `-` for `_`."""

    select: tuple[str, ...] = ("ALL",)
    """Rules in force: codes, families, names, or ALL."""
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """By code, family or name: error, warning or info."""
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By glob, from the configuration's folder: rules not in force there."""
    target: str | None = None
    """The Ollama version that Modelfiles are for; the newest known, else."""
    registries: tuple[str, ...] | None = None
    """The hosts that bases may come from; any, else."""
    fail_level: Severity = Severity.WARNING
    """The least severity that makes `mf lint` exit 1."""
    keep: int = 3
    """How many models that a tag held before are kept for `mf rollback`; 0: none."""
    models: tuple[ProjectModel, ...] = ()
    """The models of the project."""
    file: Path | None = None
    """Where it was read; not a key."""
    given: frozenset[str] = frozenset()
    """The fields that are said there; not a key."""


KEYS: Final = {item.name.replace("_", "-"): item.name for item in fields(Config) if item.name not in ("file", "given")}
"""The fields of a configuration by their keys."""


def find_config(folder: Path) -> Path | None:
    """The nearest mf.toml, or pyproject.toml with a `[tool.mf]`, from a folder upward to the root of its repository."""
    for above in (folder.resolve(), *folder.resolve().parents):
        if (above / _OWN).is_file():
            return above / _OWN
        if (above / _SHARED).is_file() and _table(above / _SHARED) is not None:
            return above / _SHARED
        if (above / ".git").exists():
            break
    return None


def load_config(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        UsageError: It cannot be read, has a key that there is not, or a value of the wrong type.
    """
    read: dict[str, Any] = {"file": path}
    for key, value in (_table(path) or {}).items():
        if key not in KEYS:
            raise _unknown(path, key, KEYS)
        try:
            read[KEYS[key]] = _models(path, value) if key == "models" else _value(KEYS[key], value)
        except (TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"`{path}`: `{key}` cannot be {value!r}", hint=_SHAPES[KEYS[key]]) from error
    return Config(**read, given=frozenset(read) - {"file"})


def _unknown(path: Path, key: str, known: Collection[str], table: str = "") -> UsageError:
    from difflib import get_close_matches

    close = get_close_matches(key, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(known)}"
    return UsageError(f"`{path}`: there is no setting `{table}{key}`", hint=hint)


def _models(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> tuple[ProjectModel, ...]:
    models = []
    for written, table in tables.items():
        place = f"models.{written}."
        for key, value in table.items():
            if key not in _OF_A_MODEL:
                raise _unknown(path, key, _OF_A_MODEL, place)
            if not isinstance(value, str) or not value:
                raise UsageError(f"`{path}`: `{place}{key}` cannot be {value!r}", hint=_OF_A_MODEL[key])
        for key in ("modelfile", "tag"):
            if key not in table:
                raise UsageError(f"`{path}`: `{place}{key}` is missing", hint=_OF_A_MODEL[key])
        try:
            name = ModelName.parse(f"{written}:{table['tag']}")
        except UsageError as error:
            raise UsageError(f"`{path}`: {error.message}", hint=error.hint) from error
        models.append(
            ProjectModel(name=name, modelfile=path.parent / table["modelfile"], quantize=table.get("quantize"))
        )
    return tuple(models)


_OF_A_MODEL: Final = {
    "modelfile": 'a path from here, as in "bot/Modelfile"',
    "tag": 'a text, as in "v1.1"',
    "quantize": 'a type, as in "q4_K_M"',
}


_SHAPES: Final = {
    "select": 'a list of rules, as in ["MF1", "unpinned-base"]',
    "extend_select": 'a list of rules, as in ["MF1", "unpinned-base"]',
    "ignore": 'a list of rules, as in ["MF5", "missing-purpose"]',
    "severities": 'a table of error, warning and info, as in {unpinned-base = "error", MF5 = "info"}',
    "per_file_ignores": 'a table, as in {"drafts/*" = ["MF2"]}',
    "target": 'a version, as in "0.24.0"',
    "registries": 'a list of hosts, as in ["registry.ollama.ai", "hf.co"]',
    "fail_level": "error, warning or info",
    "keep": "a number, as in 3; 0 keeps none",
    "models": 'tables, as in [models.my-bot] with modelfile = "bot/Modelfile" and tag = "v1.1"',
}


def _value(name: str, value: Any) -> Any:  # noqa: PLR0911  # one for each shape
    match name:
        case "select" | "extend_select" | "ignore":
            return _texts(value)
        case "severities":
            return {rule: Severity(severity) for rule, severity in value.items()}
        case "per_file_ignores":
            return {glob: _texts(rules) for glob, rules in value.items()}
        case "registries":
            return _hosts(value)
        case "fail_level":
            return Severity(value)
        case "keep":
            return _count(value)
        case _:
            return str(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _hosts(value: Any) -> tuple[str, ...]:
    hosts = _texts(value)
    if any(not host or "/" in host for host in hosts):
        raise ValueError
    return hosts


def _table(path: Path) -> dict[str, Any] | None:
    """What is configured in a file; None where a pyproject.toml says nothing of mf."""
    table = _read(path)
    for key in ("tool", "mf") if path.name == _SHARED else ():
        within = table.get(key)
        if within is None:
            return None
        if not isinstance(within, dict):
            raise UsageError(f"`{path}`: `{key}` is no table", hint="begin one with [tool.mf]")
        table = within
    return table


def _read(path: Path) -> dict[str, Any]:
    import tomllib  # 3 ms that only a configured project pays

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"`{path}` is not TOML: {error}") from error
