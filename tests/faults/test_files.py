"""Pipes, devices, sockets, folders and loops in the place of files: an error that names them, and never a wait."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.paths import ROOT
from tests.support.tiny_safetensors import write_model

TIMEOUT = 60
"""Time after which commands count as hanging, in seconds."""
RUN_ALL = """
import json, sys
from tests.support.cli import mf
print(json.dumps([[(ran := mf(*command.split())).code, ran.err] for command in sys.argv[1:]]))
"""


def run(folder: Path, *commands: str, stdin: int = subprocess.DEVNULL) -> list[tuple[int, str]]:
    """Run commands of `mf` in another process, which may hang; return their exit codes and what they report."""
    ran = subprocess.run(
        [sys.executable, "-c", RUN_ALL, *commands],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    return [(code, error) for code, error in json.loads(ran.stdout)]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, chdir(path.parent):
        server.bind(path.name)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def chain(path: Path) -> None:
    """Make more symlinks in a row than Python calls functions; the system follows 40."""
    links = path.parent / f"{path.name}.links"
    links.mkdir()
    for number in range(1200):
        (links / str(number)).symlink_to(str(number + 1))
    path.symlink_to(f"{links.name}/0")


KINDS: dict[Callable[[Path], None], str] = {
    pipe: "it is a pipe, not a file",
    endless: "it is a device, not a file",
    listening: "it is a socket, not a file",
    loop: "too many levels of symbolic links",
    chain: "too many levels of symbolic links",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_named_file_that_is_none_is_an_error(tmp_path: Path, kind: Callable[[Path], None]) -> None:
    for name in ("x.Modelfile", "plan", "mf.lock"):
        kind(tmp_path / name)
    commands = ("lint x.Modelfile", "fmt x.Modelfile", "parse x.Modelfile", "build x:v1 --file x.Modelfile")
    for command, (code, error) in zip(commands, run(tmp_path, *commands), strict=True):
        assert (code, error.partition("\n")[0]) == (3, f"error: cannot read `x.Modelfile`: {KINDS[kind]}"), command
    (tmp_path / "y.Modelfile").write_text("# A bot.\nFROM ./w.gguf\n")
    for code, error in run(tmp_path, "lint .", "pin", "pin --check"):
        assert code == 3
        assert KINDS[kind] in error or "it is a symlink to `/dev/zero`, outside of" in error
        assert "internal error" not in error
    (tmp_path / "mf.lock").unlink()
    for code, error in run(tmp_path, "pin", "pin --check"):
        assert code in (1, 3), error
    ((code, error),) = run(tmp_path, "build --plan plan")
    assert (code, error) == (3, f"error: cannot read `plan`: {KINDS[kind]}\n")
    (tmp_path / "mf.toml").symlink_to("plan")
    ((code, error),) = run(tmp_path, "lint x.Modelfile")
    assert (code, error.partition("\n")[0]) == (2, f"error: cannot read `{tmp_path / 'mf.toml'}`: {KINDS[kind]}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.model"])
def test_weights_that_are_no_file_are_an_error(tmp_path: Path, name: str, kind: Callable[[Path], None]) -> None:
    weights = write_model(tmp_path / "w")
    (weights / name).unlink(missing_ok=True)
    kind(weights / name)
    (tmp_path / "Modelfile").write_text("# A bot.\nFROM ./w\n")
    lint, *others = run(tmp_path, "lint", "build x:v1", "pin", "diff Modelfile x:v1")
    assert lint[0] in (0, 1)
    for code, error in others:
        assert code in (1, 3)
        assert "Traceback" not in error


def test_a_rewrite_of_a_folder_does_not_leave_it(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "bashrc"
    outside.write_text("from  a:b\n")
    (tmp_path / "Modelfile").write_text("FROM a:b\n")
    (tmp_path / "x.Modelfile").symlink_to(outside)
    warning = f"warning: skipped `x.Modelfile`: it is a symlink to `{outside}`, outside of `{tmp_path}`\n"
    for command in ("fmt", "lint --fix --unsafe-fixes", "lint --add-ignore", "lint --fix ."):
        assert warning in mf(*command.split(), cwd=tmp_path).err
        assert outside.read_text() == "from  a:b\n"
    assert mf("fmt", "-q", cwd=tmp_path).err == ""
    mf("fmt", "x.Modelfile", cwd=tmp_path)
    assert outside.read_text() == "FROM a:b\n"
    assert (tmp_path / "x.Modelfile").is_symlink()


def test_the_output_of_a_program_is_a_modelfile(tmp_path: Path) -> None:
    command = f"{sys.executable} -m modelfile fmt <(echo 'from  a:b')"
    ran = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert (ran.stdout, ran.stderr) == ("FROM a:b\n", "")


STREAMS = (
    "-",
    "./-",
    "/dev/stdin",
    "/dev//stdin",
    "/dev/./stdin",
    "/dev/../dev/stdin",
    "/dev/fd/./0",
    "/proc//self/fd/0",
    "../../../../../../../../../../dev/stdin",
)
"""Paths that mean an open stream, or would if they were shortened."""
LINKS = ("link", "folder/stdin", "//dev/stdin")
PLAN = {"version": 1, "keep": 0, "replace": False, "plans": [{"name": "x:v1", "host": "http://127.0.0.1:1"}]}


@pytest.mark.parametrize("path", [*STREAMS, *LINKS])
def test_no_file_makes_a_command_read_standard_input(tmp_path: Path, path: str) -> None:
    (tmp_path / "link").symlink_to("/dev/stdin")
    (tmp_path / "folder").symlink_to("/dev")
    (tmp_path / "Modelfile").write_text("# A bot.\nFROM a:b\n")
    (tmp_path / "plan").write_text(json.dumps(PLAN | {"models": [{"name": "x:v1", "modelfile": path, "quantize": ""}]}))
    input_, output = os.pipe()  # nothing is written to it: a command that reads it hangs
    try:
        ((code, error),) = run(tmp_path, "build --plan plan", stdin=input_)
        assert code == 3
        assert error.startswith("error: `plan` is not a plan" if path in STREAMS else "error: cannot read")
        (tmp_path / "mf.toml").write_text(f'[models.x]\nmodelfile = "{path}"\ntag = "v1"\n')
        commands = ("lint .", "lint . --config mf.toml", "build", "pin --check")
        for code, error in run(tmp_path, *commands, stdin=input_):
            assert code in ((2,) if path in STREAMS else (1, 3)), error
            assert path in LINKS or "invalid value of `models.x.modelfile`" in error
    finally:
        os.close(input_)
        os.close(output)


COMMANDS = ("lint", "lint Modelfile", "lint -", "fmt", "parse x", "build", "build a:v1", "pin", "diff a b", "config")
MISSING = "error: the current folder does not exist any more\nhelp: change to another folder\n"


def test_a_deleted_current_folder_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    code = f"import os\nos.rmdir(os.getcwd())\n{RUN_ALL.replace('mf(', 'run(')}"
    code = code.replace(
        "from tests.support.cli import mf",
        "import io\nfrom modelfile.cli.app import main\n"
        "class Ran:\n    def __init__(self, code, err): self.code, self.err = code, err\n"
        "def run(*arguments):\n"
        "    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in '12')\n"
        "    code = main(arguments, io.TextIOWrapper(io.BytesIO(b'FROM  a:b')), out, err, {})\n"
        "    return Ran(int(code), err.buffer.getvalue().decode())\n",
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *COMMANDS, "fmt -"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    *answers, formatted = json.loads(ran.stdout)
    assert answers == [[3, MISSING]] * len(COMMANDS)
    assert formatted == [0, ""]
