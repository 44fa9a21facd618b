"""A project: its configuration, its Modelfiles and its locks, each read once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, BinaryIO

from modelfile.errors import InputError, UsageError
from modelfile.filesystem import absolute_path, absolute_text, real_path
from modelfile.git import find_repository
from modelfile.immutable import replace
from modelfile.names import ModelName, model_for
from modelfile.project.config import Config, ProjectModel, find_config, load_config, matches, read_toml
from modelfile.project.discovery import (
    LOCK_FILE,
    STDIN,
    find_modelfiles,
    is_modelfile,
    is_stream,
    possible_locks,
    read_source,
)
from modelfile.project.target import Memo, Target
from modelfile.source import Source

if TYPE_CHECKING:
    from modelfile.lockfile.file import LockFile


class Project:
    """A folder of Modelfiles with its configuration and its locks. Threads may share it."""

    def __init__(  # noqa: PLR0913  # the options of commands
        self,
        start: Path = Path(),
        *,
        config: Path | None = None,
        isolated: bool | None = None,
        force_exclude: bool | None = None,
        stdin: BinaryIO | None = None,
        stdin_filename: str | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Read nothing yet.

        Args:
            start: The folder that the command runs in.
            config: The configuration file to read instead of the nearest one.
            isolated: Whether to read no configuration; None if the command has no such option.
            force_exclude: Whether to skip excluded Modelfiles even if they are named; None: as the configuration says.
            stdin: The stream to read where a path is `-`; by default standard input.
            stdin_filename: The path that the text of `-` belongs to: in messages, for its configuration, and for the
                paths in it.
            warn: Receives warnings: symlinks that are skipped, repositories that git rejects, locks of a newer format.
        """
        self.start = start
        self._config_path = config
        self._isolated = isolated
        self._force_exclude = force_exclude
        self._stdin = stdin
        self._stdin_filename = stdin_filename
        self._warn = warn
        self._memo = Memo()

    def reread(self) -> Project:
        """Return the same project, of which nothing has been read yet."""
        return Project(
            self.start,
            config=self._config_path,
            isolated=self._isolated,
            force_exclude=self._force_exclude,
            stdin=self._stdin,
            stdin_filename=self._stdin_filename,
            warn=self._warn,
        )

    @cached_property
    def config(self) -> Config:
        """The configuration; the defaults where there is none.

        Raises:
            UsageError: It cannot be read, or is not valid.
        """
        if self._isolated and self._config_path:
            raise UsageError("--config and --isolated cannot be used together", hint="pass only one of them")
        path = None if self._isolated else self._config_path or self.find_config(self.start)
        if self._config_path and not os.path.lexists(self._config_path):
            raise UsageError(f"file not found: `{self._config_path}`")
        return self.load_config(path) if path else Config()

    def find_config(self, folder: Path) -> Path | None:
        """Return the configuration file nearest to a folder."""
        return self._memo.get(("find", real_path(folder)), lambda: find_config(folder, self._read_toml))

    def config_for(self, folder: Path) -> Config:
        """Return the configuration for the Modelfiles of a folder: the nearest one, unless the command names another.

        Where there is none, it is that of the folder that the command runs in.

        Raises:
            UsageError: It cannot be read, or is not valid.
        """
        if self._isolated or self._config_path:
            return self.config
        path = self._memo.get(("nearest", str(folder)), lambda: self.find_config(folder))
        return self.load_config(path) if path else self.config

    def load_config(self, path: Path) -> Config:
        """Return the configuration in a file."""
        return self._memo.get(("config", path), lambda: load_config(path, self._read_toml))

    def _read_toml(self, path: Path) -> dict[str, Any]:
        return self._memo.get(("toml", path), lambda: read_toml(path))

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The models that the configuration lists."""
        return tuple(
            Target(
                self,
                _shortest(model.modelfile),
                name=model.name,
                quantize=model.quantize or "",
                table=model.table,
            )
            for model in self.config.models
        )

    def errors(self) -> Iterator[InputError]:
        """Yield why models that the configuration lists cannot be built: missing Modelfiles and circles."""
        for target in self.targets:
            try:
                target.source  # noqa: B018  # read now
            except InputError as error:
                yield error
        if len(self.targets) > 1:  # a single model may be FROM its own name, as with `ollama create`
            from modelfile.project.graph import graph_of

            try:
                graph_of(self.targets).sorter()
            except UsageError as error:
                yield InputError(f"`{self.config_name}`: {error.message}", hint=error.hint)

    @property
    def config_name(self) -> str:
        """The path of the configuration, as short as a message wants it; empty if there is none."""
        return str(_shortest(self.config.file)) if self.config.file else ""

    def target(self, name: str, *, file: str | None = None, latest: bool = False, quantize: str = "") -> Target:
        """Return one model to build: of a file, or as the configuration lists it, or of `./Modelfile`.

        The configuration lists a model with one tag; its Modelfile is that of its other tags, too.

        Args:
            name: The model's name; its tag may be missing if the configuration lists it.
            file: The Modelfile, or its folder; `-` for standard input.
            latest: Whether a name without a tag means `latest`.
            quantize: The type to quantize the weights to.

        Raises:
            UsageError: The name is not valid, or has no tag.
            InputError: Nothing says which Modelfile is meant, and there is no `./Modelfile`.
        """
        try:
            model = ModelName.parse(name)
        except UsageError:
            self._reject_path(name)
            raise
        found = [target for target in self.targets if model.same_model_as(target.named)]
        listed = next((target for target in found if model.same_as(target.named)), found[0] if found else None)
        if not model.tagged and not latest:
            if listed is None:
                self._reject_path(name)
                hint = (
                    f"write {name}:v1, or pass --latest if that is intended: it changes for everybody who calls {name}"
                )
                raise UsageError(f"`{name}` has no tag", hint=hint)
            model = replace(model, tag=listed.named.tag, tagged=True)
        if listed and not file:
            return Target(self, listed.path, name=model, quantize=quantize or listed.quantize, table=listed.table)
        path = Path(file or "Modelfile")
        with suppress(OSError):  # no file can have such a name
            if not is_stream(str(path)) and (path / "Modelfile").is_file():
                path /= "Modelfile"
        target = self.at(path, model, quantize=quantize)
        try:
            target.source  # noqa: B018  # read now: who names no file may have meant another
        except InputError as error:
            if file or target.path.exists():
                raise
            others = ", ".join(str(other.name) for other in self.targets)
            hint = "name the Modelfile, as in `--file bot/Modelfile`"
            hint += f"; `mf build` alone builds {others}" if others else ""
            raise InputError(error.message, hint=hint) from error
        return target

    def _reject_path(self, name: str) -> None:
        """Raise an error if a name is the path of a Modelfile, or of a folder that has one."""
        with suppress(OSError):  # no file can have such a name
            path = next((path for path in (Path(name), Path(name, "Modelfile")) if path.is_file()), None)
            if path is None:
                return
            listed = [str(other.named) for other in self.targets if self.real_path(other.path) == self.real_path(path)]
            words = listed[0] if listed else f"{model_for(path)}:v1 -f {quote(str(path))}"
            raise UsageError(f"`{name}` is a path, not a model", hint=f"name the model, as in `mf build {words}`")

    def at(self, path: Path, name: ModelName | None = None, *, quantize: str = "") -> Target:
        """Return the target of a Modelfile, and of a model if it has a name."""
        return Target(self, _shortest(path), name=name, quantize=quantize)

    def models_here(self) -> tuple[str, ...]:
        """Return the models that a tag alone may belong to, without their tags, the likeliest first.

        They are those of `./Modelfile`, or else of the only Modelfile in the lock: as the configuration lists it, as
        they were built from it on this machine, and as its path suggests. Where there is no such Modelfile, they are
        all that the configuration lists.
        """
        target = self._only_target()
        if target is None:
            return tuple(dict.fromkeys(listed.named.untagged for listed in self.targets))
        path = self.real_path(target.path)
        listed = (other.named.untagged for other in self.targets if self.real_path(other.path) == path)
        return tuple(dict.fromkeys((*listed, *target.built_models(), model_for(target.path))))

    def _only_target(self) -> Target | None:
        path = self.start / "Modelfile"
        if path.is_file():
            return Target(self, path)
        lock = self.find_lock(self.start)
        try:
            keys = [*lock.lock.modelfiles] if lock else []
        except InputError:  # a command on models needs no lock
            return None
        return Target(self, lock.path.parent / keys[0]) if lock and len(keys) == 1 else None

    def modelfiles(self, paths: Iterable[str] = (".",)) -> tuple[Target, ...]:
        """Return the Modelfiles that paths mean: a file is itself, a folder all below it and what mf.toml lists there.

        In folders, those that git ignores or their configuration excludes are skipped, as are symlinks that leave the
        repository and, with a warning, repositories inside of it. One that is named is only skipped if it is excluded
        and `force_exclude` is set.

        Raises:
            InputError: A folder has none.
            UsageError: The configuration is not valid.
        """
        paths = tuple(paths)
        folders = [Path(path) for path in paths if not is_stream(path) and Path(path).is_dir()]
        listed = {str(target.path): target.table for target in (self.targets if folders else ())}
        inside = {folder: [path for path in listed if self._is_listed_in(folder, Path(path))] for folder in folders}
        found = find_modelfiles(
            [*paths, *chain.from_iterable(inside.values())],
            self._is_excluded,
            self._warn,
            lambda folder: bool(inside.get(folder)),
        )
        targets = [self._found(Path(path), listed.get(path, "")) for path in found]
        left = tuple(target for target in targets if not self._is_force_excluded(target))
        if targets and not left:
            self._warn("no Modelfile left: `exclude` in the configuration matches all that are named")
        return left

    def is_modelfile(self, path: Path) -> bool:
        """Return whether a path is that of a Modelfile, by its name or the configuration; it need not exist now."""
        real = self.real_path(path)
        is_listed = any(self.real_path(target.path) == real for target in self.targets)
        return (is_listed or is_modelfile(path.name)) and not self._is_excluded(path)

    def _found(self, path: Path, table: str) -> Target:
        if self._stdin_filename is not None and str(path) == STDIN:
            return Target(self, Path(self._stdin_filename), is_stdin=True)
        return Target(self, path, table=table)

    def _is_force_excluded(self, target: Target) -> bool:
        force = self._force_exclude
        if not target.has_folder:
            return False
        if force is None:
            force = self.config_for(target.folder).force_exclude
        return force and self._is_excluded(target.path)

    def _is_listed_in(self, folder: Path, path: Path) -> bool:
        """Return whether a Modelfile that mf.toml lists is below a folder, and does not lead out of its repository."""
        below = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))  # noqa: PTH100  # symlinks unresolved
        if not below or path.is_dir() or self._is_excluded(path):  # `errors` reports a folder
            return False
        real, inside = self.real_path(path), self.real_path(find_repository(folder) or folder)
        if not real.is_relative_to(inside):
            self._warn(f"skipped `{path}`: it is a symlink to `{real}`, outside of `{inside}`")
            return False
        return True

    def _is_excluded(self, path: Path) -> bool:
        config = self.config_for(path.parent)
        return bool(config.exclude and config.file and matches(path, config.exclude, config.file))

    def read(self, path: Path) -> Source:
        """Return the text of a Modelfile, read anew."""
        return read_source(str(path), self._stdin or sys.stdin.buffer)

    def memo(self, path: Path) -> Memo:
        """Return what is known of the Modelfile at a path, whatever it is called there."""
        return self._memo.get(("memo", str(path) if is_stream(str(path)) else absolute_text(path)), Memo)

    def stat(self, path: Path | str) -> os.stat_result:
        """Return the state of a file when it was first asked for."""
        return self._memo.get(("stat", str(path)), lambda: os.stat(path))  # noqa: PTH116  # quicker than a Path

    def real_path(self, path: Path) -> Path:
        """Return the absolute path of a file without symlinks, as it was when first asked for."""
        return self._memo.get(("real", str(path)), lambda: real_path(path))

    def find_lock(self, folder: Path) -> LockFile | None:
        """Return the nearest lock, from a folder upward to the root of its repository.

        Anything of that name counts, so that one that cannot be read is an error, not a project without a lock.
        """
        text = absolute_text(folder)
        key, possible = ("find lock", text), self._memo.get(("locks", text), lambda: possible_locks(Path(text)))
        if path := self._memo.get(key, lambda: next(filter(os.path.lexists, possible), None)):
            return self._lock_at(Path(path))
        self._memo.forget(key)  # it may be written later
        return None

    def lock_to_write(self, folder: Path) -> LockFile:
        """Return the lock of a folder, where it is or is to be.

        That is at the root of the repository, else beside the configuration, else in the folder.
        """
        if lock := self.find_lock(folder):
            return lock
        root = find_repository(folder)
        if root is None:
            configured = self.find_config(folder)
            root = configured.parent if configured else real_path(folder)
        return self._lock_at(root / LOCK_FILE)

    def _lock_at(self, path: Path) -> LockFile:
        from modelfile.lockfile.file import LockFile  # 2 ms that a project without a lock saves

        return self._memo.get(("lock", path), lambda: LockFile(path, self._warn))

    def base_of(self, target: Target) -> Target | None:
        """Return the configured model that a Modelfile is FROM, if the configuration nearest to it lists one."""
        file = self.find_config(target.folder)
        base = target.base if file else None
        model = self._listed(file).by_name.get(base.full.lower()) if file and base else None
        return self.at(model.modelfile, model.name, quantize=model.quantize or "") if model else None

    def quantizations(self, target: Target) -> frozenset[str]:
        """Return the types that models of a Modelfile are quantized to; empty for those that are not.

        A Modelfile that the configuration nearest to it does not list is taken to be built without quantization.
        """
        return frozenset(self._listed_types(target)) or frozenset({""})

    def quantize_setting(self, target: Target, kind: str) -> str:
        """Return the setting by which a Modelfile is quantized to a type, for messages; empty if there is none."""
        table, file = self._listed_types(target).get(kind, ""), self.find_config(target.folder)
        return f"`{_shortest(file)}`: `{table}.quantize`" if table and file else ""

    def _listed_types(self, target: Target) -> Mapping[str, str]:
        """Return the tables of the nearest configuration that list a Modelfile, by the type that they ask for."""
        file = self.find_config(target.folder)
        return self._listed(file).types.get(self.real_path(target.path), {}) if file else {}

    def _listed(self, file: Path) -> _ListedModels:
        return self._memo.get(("listed", file), lambda: _ListedModels(self.load_config(file).models, self.real_path))


class _ListedModels:
    """The models of a configuration, by name and by Modelfile."""

    def __init__(self, models: Iterable[ProjectModel], real_path: Callable[[Path], Path]) -> None:
        self.by_name: dict[str, ProjectModel] = {}
        self.types: dict[Path, dict[str, str]] = {}
        for model in models:
            self.by_name.setdefault(model.name.full.lower(), model)
            self.types.setdefault(real_path(model.modelfile), {}).setdefault(model.quantize or "", model.table)


def _shortest(path: Path) -> Path:
    """Return a path as short as a message wants it."""
    here = absolute_path(Path())
    return path.relative_to(here) if path.is_relative_to(here) else path
