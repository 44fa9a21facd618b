"""Configuration: mf.toml or `[tool.mf]` in pyproject.toml, in the working folder or above it."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from modelfile.characters import escape_controls
from modelfile.diagnostics import Severity
from modelfile.errors import InputError, UsageError
from modelfile.filesystem import absolute_path, expand, read_file, relative_to
from modelfile.git import walk_up
from modelfile.immutable import field, field_names, record
from modelfile.names import ModelName, registry_host
from modelfile.project import DEFAULT_IMMUTABLE, DEFAULT_KEEP
from modelfile.project.discovery import may_mean_stream
from modelfile.redaction import redact

if TYPE_CHECKING:
    from modelfile.project.gitignore import Rules

Reader: TypeAlias = Callable[[Path], dict[str, Any]]
"""Reads a TOML file."""

DEFAULT_RULES: Final = "DEFAULT"
"""Selector of the rules that are on by default."""
_MF_TOML: Final = "mf.toml"
_PYPROJECT: Final = "pyproject.toml"
_MAX_SIZE: Final = 1_000_000
"""Largest size of a configuration file, in bytes."""
_MAX_ENTRIES: Final = 1000
"""Most entries of a list or a table."""
_MAX_KEEP: Final = 1000
_MAX_SHOWN: Final = 80
"""Most characters of a value in a message."""
_MAX_PARTS: Final = 100
_DEEP_KEY: Final = rf"""(?<![\w"'.-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{_MAX_PARTS}}}"""
"""A key of too many parts, as in `a.b.c`: the time that tomllib takes grows with their square."""
_MIRROR: Final = re.compile(r"https?://[A-Za-z0-9][\w.-]*(?::\d{1,5})?(?:/[\w.~/-]*)?", re.ASCII)
_LONG_NUMBER: Final = r"(?<![\d_])\d[\d_]{4300}"


@record(kw_only=True)
class ProjectModel:
    """A model that `mf build` without a name builds: `[models.my-bot]`."""

    name: ModelName
    """The table's name with its `tag`."""
    modelfile: Path
    """Its Modelfile, from the configuration's folder."""
    quantize: str | None = None
    """The type to quantize its weights to."""

    @property
    def table(self) -> str:
        """The name of its table, as in `models.my-bot`."""
        return f"models.{str(self.name).rpartition(':')[0]}"


@record(kw_only=True)
class Config:
    """The settings; a key in TOML has `-` instead of `_`."""

    select: tuple[str, ...] = (DEFAULT_RULES,)
    """Rules in force: codes, families, names, DEFAULT, or ALL, which adds those that are off by default."""
    extend_select: tuple[str, ...] = ()
    """Rules to add to those in force."""
    ignore: tuple[str, ...] = ()
    """Rules not in force."""
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """Severities by code, family or name of a rule: error, warning or info."""
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rules not in force in some files, by pattern as in .gitignore, from the configuration's folder."""
    exclude: tuple[str, ...] = ()
    """Modelfiles to skip in folders: patterns as in .gitignore, from the configuration's folder."""
    force_exclude: bool = False
    """True to skip what `exclude` matches even if it is named, as pre-commit names files."""
    ollama: str | None = None
    """Ollama version that Modelfiles are for; default: the newest known."""
    registries: tuple[str, ...] | None = None
    """The hosts that bases may come from, also to a server that would pull them; default: any."""
    mirrors: Mapping[str, str] = field(default_factory=dict)
    """URLs that are asked instead of registries, by host; a server pulls from one if it has no path."""
    insecure_registries: tuple[str, ...] = ()
    """Registries and mirrors, host:port, that are asked over plain http; default: those on this machine only."""
    resolve: str = "registry"
    """Source of the bases that `mf pin` looks up: `registry`, or the server if no registry has one; or `server`."""
    fail_level: Severity = Severity.WARNING
    """The lowest severity that makes `mf lint` exit 1."""
    keep: int = DEFAULT_KEEP
    """The number of backups that a tag may have, for `mf rollback`; 0: none."""
    immutable: tuple[str, ...] = DEFAULT_IMMUTABLE
    """Tags under which a different model is not replaced without `--replace`: patterns as in shells, in any case."""
    store: str | None = None
    """Folder of models to use instead of a server, from the configuration's folder; `--store` and MF_STORE win."""
    memory: str | None = None
    """Memory of the machine that runs the models, as in `24G`: the rule `does-not-fit` reports larger ones."""
    models: tuple[ProjectModel, ...] = ()
    """Models of the project."""
    file: Path | None = None
    """The configuration file; not a key."""
    fields_set: frozenset[str] = frozenset()
    """Fields that the file sets; not a key."""

    @property
    def store_folder(self) -> Path | None:
        """The folder that `store` names; None if it is not set.

        Raises:
            InputError: It is in the home folder of an unknown user.
        """
        return expand(self.store, absolute_path(self.file.parent)) if self.store and self.file else None

    @property
    def memory_size(self) -> int | None:
        """The number of bytes that `memory` names; None if it is not set."""
        from modelfile.machine import parse_memory  # only what is set has to be read

        return parse_memory(self.memory) if self.memory else None

    def allows(self, name: ModelName) -> bool:
        """Return whether a model may come from its host: it is one of `registries`, if there are any."""
        return self.registries is None or registry_host(name.host) in map(registry_host, self.registries)


KEYS: Final = {name.replace("_", "-"): name for name in field_names(Config) if name not in ("file", "fields_set")}
"""Fields of a configuration by their keys in TOML."""
_RENAMED: Final = {"target": "ollama"}
"""Keys of early configurations, and those that replaced them."""


def find_config(folder: Path, read: Reader | None = None) -> Path | None:
    """Return the nearest mf.toml or pyproject.toml with `[tool.mf]`, from a folder up to the root of its repository."""
    for above in walk_up(folder):
        if os.path.lexists(above / _MF_TOML):  # what cannot be read is an error, not a reason to use another file
            return above / _MF_TOML
        if os.path.lexists(above / _PYPROJECT) and _table(above / _PYPROJECT, read) is not None:
            return above / _PYPROJECT
    return None


def load_config(path: Path, read: Reader | None = None) -> Config:
    """Return the configuration in a file.

    Args:
        path: The file.
        read: The TOML reader; a caller may pass one that caches.

    Raises:
        UsageError: It cannot be read, or has an unknown key or an invalid value.
    """
    found: dict[str, Any] = {"file": path}
    for key, value in (_table(path, read) or {}).items():
        if key not in KEYS:
            raise _unknown(path, key, KEYS)
        for entries in (value, *(value.values() if isinstance(value, dict) else ())):
            if isinstance(entries, list | dict) and len(entries) > _MAX_ENTRIES:
                raise UsageError(
                    f"`{path}`: `{key}` has {len(entries):,} entries", hint=f"write at most {_MAX_ENTRIES:,}"
                )
        try:
            found[KEYS[key]] = _models(path, value) if key == "models" else _READERS[KEYS[key]](value)
        except (TypeError, ValueError, AttributeError) as error:
            raise _invalid(path, key, value, SHAPES[KEYS[key]]) from error
    return Config(**found, fields_set=frozenset(found) - {"file"})


def matches(path: Path, patterns: tuple[str, ...], file: Path) -> bool:
    """Return whether a path matches patterns as in .gitignore, relative to a configuration file's folder.

    Raises:
        UsageError: A pattern is not valid.
    """
    try:
        return _compile(patterns).ignore_file(relative_to(path, file.parent).split("/"))
    except ValueError as error:
        raise UsageError(f"`{file}`: {error}", hint="write patterns as in .gitignore") from error


@cache
def _compile(patterns: tuple[str, ...]) -> Rules:
    from modelfile.project.gitignore import Rules, parse_patterns  # 1 ms that most projects save

    return Rules(parse_patterns(re.sub(r"^\./", "/", pattern) for pattern in patterns))


def _unknown(path: Path, key: str, known: Collection[str], table: str = "") -> UsageError:
    from difflib import get_close_matches

    if known is KEYS and key in _RENAMED:
        hint = f"write `{_RENAMED[key]}`, the Ollama version that Modelfiles are for"
        return UsageError(f"`{path}`: unknown setting `{key}`", hint=hint)
    close = get_close_matches(key[:_MAX_SHOWN], known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"use one of {', '.join(known)}"
    return UsageError(f"`{path}`: unknown setting `{_shortened(table + key)}`", hint=hint)


def _invalid(path: Path, key: str, value: object, example: str) -> UsageError:
    return UsageError(f"`{path}`: invalid value of `{_shortened(key)}`: {_shown(value)}", hint=f"write {example}")


def _shown(value: object) -> str:
    """Return a value as Python writes it, shortened."""
    try:
        return _shortened(repr(value))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of too many digits"


def _shortened(text: str) -> str:
    text = redact(text)  # before a secret is cut, which could not be recognized any more
    return escape_controls(text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…")


def _models(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> tuple[ProjectModel, ...]:
    models = []
    for written, table in tables.items():
        prefix = f"models.{written}."
        for key, value in table.items():
            if key not in MODEL_SHAPES:
                raise _unknown(path, key, MODEL_SHAPES, prefix)
            valid = isinstance(value, str) and value and "\0" not in value
            if not valid or (key == "modelfile" and may_mean_stream(absolute_path(path.parent / value))):
                raise _invalid(path, f"{prefix}{key}", value, MODEL_SHAPES[key])
        for key in ("modelfile", "tag"):
            if key not in table:
                raise UsageError(
                    f"`{path}`: missing setting `{_shortened(prefix + key)}`", hint=f"write {MODEL_SHAPES[key]}"
                )
        try:
            name = ModelName.parse(f"{written}:{table['tag']}")
        except UsageError as error:
            raise UsageError(f"`{path}`: {error.message}", hint=error.hint) from error
        models.append(
            ProjectModel(name=name, modelfile=path.parent / table["modelfile"], quantize=table.get("quantize"))
        )
    return tuple(models)


MODEL_SHAPES: Final = {
    "modelfile": 'a path relative to this file, as in "bot/Modelfile"',
    "tag": 'a string, as in "v1.1"',
    "quantize": 'a type, as in "q4_K_M"',
}
"""The keys of `[models.NAME]`, with the type and an example of each."""


SHAPES: Final = {
    "select": 'a list of rules, as in ["MF1", "unpinned-base"]',
    "extend_select": 'a list of rules, as in ["MF1", "unpinned-base"]',
    "ignore": 'a list of rules, as in ["MF5", "unpinned-base"]',
    "severities": 'a table of error, warning and info, as in {unpinned-base = "error", MF5 = "info"}',
    "per_file_ignores": 'a table, as in {"drafts/*" = ["MF2"]}',
    "exclude": 'a list of patterns as in .gitignore, as in ["vendor/", "*.old.Modelfile"]',
    "force_exclude": "true or false",
    "ollama": 'a version in quotes, as in "0.24.0"',
    "registries": 'a list of hosts, as in ["registry.ollama.ai", "hf.co"]',
    "mirrors": 'a table of URLs by host, as in {"registry.ollama.ai" = "https://mirror.example.org"}',
    "insecure_registries": 'a list of hosts, as in ["registry.lan:5000"]',
    "resolve": '"registry" or "server"',
    "fail_level": '"error", "warning" or "info"',
    "keep": f"a whole number from 0 to {_MAX_KEEP}, as in 3",
    "immutable": 'a list of patterns of tags, as in ["v[0-9]*", "[0-9]*.[0-9]*"]',
    "store": 'a path relative to this file, as in "models"',
    "memory": 'an amount of memory in quotes, as in "24G"',
    "models": 'tables, as in [models.my-bot] with modelfile = "bot/Modelfile" and tag = "v1.1"',
}
"""The type and an example of each field."""


def _choice(value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError
    return str(value)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_KEEP:
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _path(value: Any) -> str:
    if not _text(value) or "\0" in value:
        raise ValueError
    return str(value)


def _memory(value: Any) -> str:
    from modelfile.machine import parse_memory

    try:
        parse_memory(_text(value))
    except UsageError as error:
        raise ValueError from error
    return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _hosts(value: Any) -> tuple[str, ...]:
    hosts = _texts(value)
    if any(not host or "/" in host for host in hosts):
        raise ValueError
    return hosts


def _mirror(value: Any) -> str:
    """Return the URL of a mirror; a user, a query or a fragment would end up in locks and messages."""
    if not _MIRROR.fullmatch(_text(value)):
        raise ValueError
    return _text(value)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("select", "extend_select", "ignore", "exclude", "immutable"), _texts),
    "severities": lambda value: {rule: Severity(severity) for rule, severity in value.items()},
    "per_file_ignores": lambda value: {glob: _texts(rules) for glob, rules in value.items()},
    "registries": _hosts,
    "insecure_registries": _hosts,
    "mirrors": lambda value: dict(zip(_hosts([*value]), map(_mirror, value.values()), strict=True)),
    "resolve": lambda value: _choice(value, ("registry", "server")),
    "fail_level": Severity,
    "keep": _count,
    "force_exclude": _flag,
    "store": _path,
    "memory": _memory,
    "ollama": _text,
}
"""The functions that read the fields; each raises an error if the value is not of its type."""


def _table(path: Path, read: Reader | None) -> dict[str, Any] | None:
    """Return the settings in a file; None if a pyproject.toml has none."""
    table = (read or read_toml)(path)
    for key in ("tool", "mf") if path.name == _PYPROJECT else ():
        within = table.get(key)
        if within is None:
            return None
        if not isinstance(within, dict):
            raise UsageError(f"`{path}`: `{key}` is not a table", hint="write the table [tool.mf]")
        table = within
    return table


def read_toml(path: Path) -> dict[str, Any]:
    """Return the contents of a TOML file.

    Raises:
        UsageError: It cannot be read, is larger than 1 MB, or is not TOML.
    """
    import tomllib  # 3 ms that a project without configuration saves

    try:
        text = read_file(path, limit=_MAX_SIZE).decode()
        if text.count(".") >= _MAX_PARTS and (deep := re.search(_DEEP_KEY, text)):
            raise _unreadable(f"`{path}`:{_line(text, deep)}: a key has more than {_MAX_PARTS} parts")
        return tomllib.loads(text)
    except InputError as error:
        raise _unreadable(error.message) from error
    except RecursionError:
        raise _unreadable(f"`{path}`: lists or tables are nested too deeply") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unreadable(f"`{path}` is not TOML: {error}") from error
    except ValueError as error:
        long = re.search(_LONG_NUMBER, text)
        raise _unreadable(f"`{path}`:{_line(text, long)}: a number has more than 4,300 digits") from error


def _unreadable(message: str) -> UsageError:
    return UsageError(message, hint="fix the file; `mf lint --isolated` reads no configuration")


def _line(text: str, found: re.Match[str] | None) -> int:
    return text.count("\n", 0, found.start() if found else 0) + 1
