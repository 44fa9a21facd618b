"""Weights whose chat template only a server can judge: pinned on the real 0.9.3 server, and built in a folder."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.test_created_models import executable_texts, manifest_of
from tests.support.cli import Ran, mf
from tests.support.real_ollama import serve
from tests.support.tiny_gguf import write_tiny_gguf

pytestmark = pytest.mark.live


QUANTIZER = f"""#!{sys.executable}
import sys
from pathlib import Path
key = b"general.file_type" + (4).to_bytes(4, "little")
old, new = (key + number.to_bytes(4, "little") for number in (1, 7))
Path(sys.argv[2]).write_bytes(Path(sys.argv[1]).read_bytes().replace(old, new))
"""
"""A program that writes weights which say that they are Q8_0."""


class Project:
    """A folder with weights and a Modelfile, a server with its folder, and a store without a server."""

    def __init__(self, folder: Path, url: str, root: Path) -> None:
        self.folder = folder
        self.url = url
        self.root = root
        self.store = folder / "store"

    def write(self, chat_template: str, text: str) -> None:
        """Write weights with a chat template, and a Modelfile."""
        (self.folder / "tiny.gguf").unlink(missing_ok=True)
        write_tiny_gguf(self.folder / "tiny.gguf", chat_template=chat_template)
        self.edit(text)

    def edit(self, text: str) -> None:
        """Write a Modelfile of the weights."""
        (self.folder / "Modelfile").write_text(f"# For tests.\nFROM ./tiny.gguf\nPARAMETER seed 1\n{text}")

    def build(self, *arguments: str) -> Ran:
        """Build the model into the store without a server."""
        return mf("build", "x:v1", "--store", str(self.store), *arguments, cwd=self.folder)

    def recorded(self) -> str | None:
        """Return the template that the lock has of the weights."""
        template: str | None = json.loads((self.folder / "mf.lock").read_text())["modelfiles"]["Modelfile"].get(
            "template"
        )
        return template


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder, root = tmp_path / "project", tmp_path / "models"
    (folder / ".git").mkdir(parents=True)
    with serve(models=root) as url:
        yield Project(folder, url, root)


def shuffled(text: str) -> str:
    return "".join(sorted(text))


@pytest.mark.parametrize(
    "more", ["", "TEMPLATE {{ .Prompt }}!\n", "SYSTEM Be brief.\nLICENSE MIT\nPARAMETER top_k 7\n"]
)
@pytest.mark.parametrize("kind", ["known", "near", "undecided"])
def test_a_pin_on_a_server_lets_a_folder_build_the_same_model(project: Project, kind: str, more: str) -> None:
    known = next(text for text in executable_texts() if len(text) > 400)
    project.write({"known": known, "near": f"{known}{'é' * 99}", "undecided": shuffled(known)}[kind], more)
    if kind != "known" or "TEMPLATE" not in more:
        refused = project.build()
        assert (refused.code, "mf pin` with `--host`" in refused.err) == (3, True)
    for command in (("pin",), ("build", "x:v1")):
        done = mf(*command, "--host", project.url, cwd=project.folder)
        assert done.code == 0, done.err
    built = project.build("--locked", "--ollama", "0.9.3")
    assert built.code == 0, built.err
    theirs, ours = (manifest_of(root, "x:v1") for root in (project.root, project.store))
    assert ours.replace(str(project.store), str(project.root)) == theirs
    needed = kind != "known" or "TEMPLATE" not in more
    assert (project.recorded() is not None, bool(project.recorded())) == (needed, needed and kind != "undecided")
    assert mf("store", "check", "--store", str(project.store)).code == 0
    assert project.build("--locked").code == 0  # as 0.24.0, which makes the same model


def test_an_edited_modelfile_is_pinned_and_built_without_the_server(project: Project) -> None:
    known = next(text for text in executable_texts() if len(text) > 400)
    project.write(f"{known}!", "")
    assert mf("pin", "--host", project.url, cwd=project.folder).code == 0
    template = project.recorded()
    for text in ("SYSTEM Be brief.\n", "TEMPLATE {{ .Prompt }}!\n", "SYSTEM Be kind.\n"):
        project.edit(text)
        assert mf("pin", "--store", str(project.store), cwd=project.folder).code == 0
        built = project.build("--locked", "--replace")
        assert built.code == 0, built.err
        assert project.recorded() == template
    shown = mf("show", "x:v1", "--store", str(project.store), "--json", cwd=project.folder)
    assert json.loads(shown.out)["template"] == template


def test_a_build_on_a_server_that_adds_to_the_lock_records_the_template(project: Project) -> None:
    known = next(text for text in executable_texts() if len(text) > 400)
    for number, more in enumerate(("", "TEMPLATE {{ .Prompt }}!\n")):
        (project.folder / "mf.lock").write_text('{"modelfiles": {}, "version": "1.1"}\n')
        project.write(f"{known}{'!' * number}!", more)
        assert mf("build", f"y:v{number}", "--host", project.url, cwd=project.folder).code == 0
        assert project.recorded()
        built = project.build("--locked", "--replace")
        assert built.code == 0, built.err


def test_other_weights_than_those_of_the_lock_are_not_judged_by_it(project: Project) -> None:
    known = next(text for text in executable_texts() if len(text) > 400)
    project.write(f"{known}!", "")
    assert mf("pin", "--host", project.url, cwd=project.folder).code == 0
    project.write(f"{known}?", "")
    done = mf("pin", "--store", str(project.store), cwd=project.folder)
    assert (done.code, "that only a server can compare" in done.err) == (3, True)
    assert project.build().code != 0


def test_weights_that_are_always_quantized(project: Project) -> None:
    known = next(text for text in executable_texts() if len(text) > 400)
    project.write(f"{known}!", "")
    (project.folder / "mf.toml").write_text('[models.x]\nmodelfile = "Modelfile"\ntag = "v1"\nquantize = "q8_0"\n')
    pinned = mf("pin", "--store", str(project.store), cwd=project.folder)
    assert (pinned.code, project.recorded(), [*project.store.glob("blobs/*")]) == (0, None, [])
    assert mf("pin", "--host", project.url, cwd=project.folder).code == 0
    template = project.recorded()
    assert template
    project.edit("SYSTEM Be brief.\n")
    assert mf("pin", "--store", str(project.store), cwd=project.folder).code == 0
    assert project.recorded() == template
    program = project.folder / "llama-quantize"
    program.write_text(QUANTIZER)
    program.chmod(0o755)
    for more in ((), ("--locked",)):
        built = project.build("--with", str(program), *more)
        assert built.code == 0, built.err
