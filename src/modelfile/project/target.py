"""A Modelfile of a project: read, parsed, resolved and hashed once."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from modelfile.catalog.versions import Version
from modelfile.errors import InputError, UsageError, not_allowed
from modelfile.events import Events, ignore
from modelfile.filesystem import changed_since_read, expand, home_folder, read_file, write_atomic
from modelfile.immutable import replace
from modelfile.names import ModelName, is_untagged
from modelfile.project.discovery import STDIN, is_stream
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.lockfile.file import LockFile
    from modelfile.lockfile.lock import Pin
    from modelfile.project.config import Config
    from modelfile.project.project import Project
    from modelfile.recipe.recipe import Recipe

_T = TypeVar("_T")
_PATHS = ("model", "adapter", "draft")
_HISTORY = "built"
"""Kind of the cache's entries that record which models were built from a Modelfile."""
_MAX_HISTORY = 8
"""Number of models to record of a Modelfile."""


class Memo:
    """Values that are computed once, whichever thread asks first."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._values: dict[Any, Any] = {}

    def get(self, key: Any, compute: Callable[[], _T]) -> _T:
        """Return the value of a key, computed at the first call."""
        with self._lock:
            if key not in self._values:
                self._values[key] = compute()
            value: _T = self._values[key]
            return value

    def forget(self, key: Any) -> None:
        """Compute the value of a key again at the next call."""
        with self._lock:
            self._values.pop(key, None)


class Target:
    """One Modelfile of a project and, if it is to be built, the name of its model."""

    def __init__(  # noqa: PLR0913  # each is a fact of its own
        self,
        project: Project,
        path: Path,
        *,
        name: ModelName | None = None,
        quantize: str = "",
        modelfile: Modelfile | None = None,
        table: str = "",
        is_stdin: bool = False,
        lock: LockFile | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            project: The project.
            path: The Modelfile.
            name: The name of the model.
            quantize: The type to quantize the weights to.
            modelfile: The content of the Modelfile, or what is to be written, if that is known.
            table: The table of the configuration that lists it, as in `models.my-bot`; empty if there is none.
            is_stdin: Whether its text is read from standard input, whatever is at its path.
            lock: The lock that it belongs to, if that is not the one on the disk.
        """
        self.project = project
        self.path = path
        self.name = name
        self.quantize = quantize
        self.table = table
        self._reads_stdin = is_stdin
        self.has_folder = not is_stream(str(path))
        """True if it is known where its text belongs, so that the paths in it can be looked up."""
        self.folder = path.parent if self.has_folder else Path()
        """The folder that paths in the Modelfile are relative to; that of the command for a stream without a path."""
        self._given, self._lock = modelfile, lock
        self._memo = project.memo(path) if modelfile is None else Memo()

    @property
    def named(self) -> ModelName:
        """The name of the model that is built of it."""
        if self.name is None:
            raise UsageError(f"`{self.path}` has no name to be built under")
        return self.name

    def setting(self, key: str) -> str:
        """Return the name of a setting in its table, with the file, for messages."""
        return f"`{self.project.config_name}`: `{self.table}.{key}`"

    @property
    def is_stdin(self) -> bool:
        """True for standard input, and for the output of a program that a shell passes as a path."""
        return self._reads_stdin or not self.has_folder

    @property
    def config(self) -> Config:
        """The configuration that it is subject to.

        Raises:
            UsageError: It cannot be read, or is not valid.
        """
        return self.project.config_for(self.folder)

    @property
    def source(self) -> Source:
        """Its text.

        Raises:
            InputError: It cannot be read.
        """
        if self._given:
            return self._given.source
        try:
            return self._memo.get("source", self._read)
        except InputError as error:
            if not self.table or os.path.lexists(self.path):
                raise
            hint = "correct the path, which is relative to the configuration, or delete the table"
            raise InputError(f"{self.setting('modelfile')}: {error.message}", hint=hint) from error

    def _read(self) -> Source:
        if self._reads_stdin:
            return replace(self.project.read(Path(STDIN)), path=str(self.path))
        return self.project.read(self.path)

    def recall(self, source: Source) -> None:
        """Take a text that another process has read, unless this one has read it, too."""
        self._memo.get("source", lambda: source)

    @property
    def modelfile(self) -> Modelfile:
        """The parsed Modelfile.

        Raises:
            InputError: It cannot be read.
        """
        return self._given or self._memo.get("modelfile", lambda: Modelfile.parse(self.source))

    def built_models(self) -> tuple[str, ...]:
        """Return the models that were built from its file on this machine, without their tags, the last one first.

        This is recorded in the cache, not in the lock: what one person calls a model must not change a shared file.
        """
        from modelfile.cache import read_entry  # 1 ms that a lint saves

        found = read_entry(_HISTORY, self._history_key)
        return tuple(filter(is_untagged, found[:_MAX_HISTORY])) if isinstance(found, list) else ()

    def record_build(self) -> None:
        """Record that its model was built from its file."""
        before, built = self.built_models(), self.named.untagged
        if not self.is_stdin and built not in before[:1]:
            from modelfile.cache import write_entry

            after = [built, *(model for model in before if model != built)]
            write_entry(_HISTORY, self._history_key, after[:_MAX_HISTORY])

    @property
    def _history_key(self) -> str:
        import hashlib

        return hashlib.sha256(os.fsencode(self.project.real_path(self.path))).hexdigest()

    def with_text(self, text: str) -> Target:
        """Return the target with another text in its Modelfile."""
        return self.with_modelfile(Modelfile.parse(replace(self.source, text=text)))

    def with_modelfile(self, modelfile: Modelfile) -> Target:
        """Return the target with another Modelfile in the place of its own."""
        return Target(
            self.project,
            self.path,
            name=self.name,
            quantize=self.quantize,
            modelfile=modelfile,
            is_stdin=self._reads_stdin,
        )

    def write(self, text: str) -> None:
        """Replace the text of its file, which is locked against other processes that do the same.

        Raises:
            InputError: Another program changed the file since it was read, or it cannot be written; it is unchanged.
        """
        from modelfile.locks import folder_lock

        before = self.source
        with folder_lock(self.project.real_path(self.path).parent, ignore, "change of a Modelfile"):
            current = read_file(self.path)
            if Source.decode(current, before.path) != before:
                raise changed_since_read(self.path)
            write_atomic(self.path, before.encode(text), expected=current)

    @property
    def text_digest(self) -> str:
        """The digest of the Modelfile's text, as the lock has it."""
        from modelfile.lockfile.drift import text_digest

        return self._memo.get("text", lambda: text_digest(self.modelfile))

    def recipe(self, version: Version | None = None) -> Recipe:
        """Return what the Modelfile asks of a version of Ollama, by default of the newest known.

        Raises:
            InputError: Ollama would refuse the Modelfile.
        """
        from modelfile.recipe.recipe import resolve

        by_version = version if self.names_folder else None  # all else means the same to every version
        recipe = self._memo.get(
            ("recipe", by_version), lambda: resolve(self.modelfile, self.folder, by_version, self.project.stat)
        )
        return replace(recipe, quantize=self.quantize) if self.quantize else recipe

    def check_quantization(
        self, kind: str, version: Version | None = None, *, base_type: str = "", here: bool = False
    ) -> None:
        """Reject a type that a version of Ollama cannot quantize its weights to; `weights.checks` has the arguments.

        Raises:
            UsageError: It is rejected; the message names the setting that asks for the type, if one does.
            InputError: Ollama would refuse the Modelfile.
        """
        from modelfile.weights.checks import check_quantization

        recipe = self.recipe(version)
        try:
            check_quantization(recipe.files, kind, version, base=recipe.base, base_type=base_type, here=here)
        except UsageError as error:
            setting = self.project.quantize_setting(self, kind)
            message = f"{setting}: {error.message}" if setting else error.message
            raise UsageError(message, hint=error.hint, rule=error.rule) from error

    @property
    def names_folder(self) -> bool:
        """True if it names a folder of weights, from which versions of Ollama take different files."""
        return self._memo.get("folder", lambda: any(map(self._is_folder, self.modelfile.commands)))

    def _is_folder(self, command: tuple[str, str]) -> bool:
        name, value = command
        if name not in _PATHS:
            return False
        try:
            return stat.S_ISDIR(self.project.stat(expand(value, self.folder)).st_mode)
        except (InputError, OSError, ValueError):
            return False

    def digests(self, version: Version | None = None, events: Events = ignore) -> Mapping[Path, str]:
        """Return the digests (`sha256:…`) of its local files, which are hashed once.

        Raises:
            InputError: A file cannot be read, changes while it is read, or is not of the type that its name says.
        """
        from modelfile.weights.digests import digests_of

        files = self.recipe(version).local_files
        return self._memo.get(("digests", files), lambda: digests_of(files, events, self.project.stat))

    def is_hashed(self, version: Version | None = None) -> bool:
        """Return whether the digests of all its local files are known from an earlier run."""
        from modelfile.weights.digests import are_cached

        return are_cached(self.recipe(version).local_files, self.project.stat)

    def start_hashing(self) -> None:
        """Begin to hash its local files, as far as the newest known Ollama would take them, beside other work."""
        from modelfile.weights.digests import hash_ahead

        with contextlib.suppress(InputError):  # reported when the digests are asked for
            hash_ahead(self.recipe().local_files, self.project.stat)

    @property
    def base(self) -> ModelName | None:
        """The name in its FROM; None for local files, and where the Modelfile cannot say."""
        with contextlib.suppress(InputError, UsageError):
            written = self._written_base() if self.names_folder else self.recipe().base
            return ModelName.parse(written) if written else None
        return None

    def check_registry(self, name: ModelName) -> None:
        """Reject a base from a host that the configuration does not allow.

        Raises:
            InputError: It is not in `registries`.
        """
        if not self.config.allows(name):
            raise not_allowed(f"`{self.path}`: base {name}", name.host, InputError)

    def _written_base(self) -> str | None:
        """Return the model that FROM names; folders are not searched, in which not every version finds weights."""
        written = (value for name, value in reversed(self.modelfile.commands) if name == "model")
        return next((value for value in written if not os.path.lexists(expand(value, self.folder))), None)

    @property
    def lock(self) -> LockFile | None:
        """The lock that it belongs to."""
        return self._lock or self.project.find_lock(self.folder)

    @property
    def key(self) -> str:
        """Its path in the lock, with `/`; empty where it is outside of the lock's folder."""
        return self._memo.get("key", lambda: (self._lock or self.project.lock_to_write(self.folder)).key(self.path))

    @property
    def pin(self) -> Pin | None:
        """Its entry in the lock.

        Raises:
            InputError: The lock is damaged, or of a later version.
        """
        return self.lock.lock.modelfiles.get(self.key) if self.lock else None

    def with_detected(self, recipe: Recipe, pin: Pin | None, digests: Mapping[Path, str]) -> Recipe:
        """Return its recipe with the template that an entry of the lock records, if that has the same weights."""
        if pin is None or pin.template is None:
            return recipe
        same = all(pin.files.get(self.portable(path)) == digests[path] for path in recipe.files)
        return replace(recipe, detected=pin.template) if same else recipe

    def portable(self, path: Path) -> str:
        """Return a local file's path as the lock has it: from the Modelfile's folder or from `~`, where it can be."""
        root = self.project.lock_to_write(self.folder).path.parent
        real = self.project.real_path
        for file in (path.absolute(), real(path)):
            if file.is_relative_to(root):
                return Path(os.path.relpath(file, real(self.path).parent)).as_posix()
        home = home_folder()
        return f"~/{path.relative_to(home).as_posix()}" if home and path.is_relative_to(home) else path.as_posix()

    def portable_digests(self, version: Version | None = None, events: Events = ignore) -> dict[str, str]:
        """Return the digests of its local files by their paths as the lock has them."""
        return {self.portable(path): digest for path, digest in self.digests(version, events).items()}
