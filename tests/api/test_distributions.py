"""The distributions: the sdist holds the declared sources, and the wheel the package and nothing else."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = f"{PROJECT['name']}-{PROJECT['version']}"
INCLUDED = ("src/", "tests/", "docs/", "examples/", "modelfiles/")
ADDED = {"PKG-INFO", "pyproject.toml", "hatch_build.py", "LICENSE", ".gitignore"}
"""Files of the sdist beside the folders and the pages; hatchling adds `.gitignore`, which keeps a build as it was."""
METADATA = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
GENERATED = {"gotemplate/template.tables.json", "syntax/modelfile.tables.json"}
"""Files of the package that hatch_build.py writes, from the package's folder."""

pytest.importorskip("hatchling", reason="the build backend is in the dependency group `test`")


def tracked() -> set[str]:
    """Return the files that git tracks or does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {path for path in listed.split("\0") if path and (ROOT / path).exists()}


def build(source: Path, target: str, folder: Path) -> Path:
    """Build one distribution as pip does, without downloads, and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def source(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the sdist."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / NAME


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the sdist, as a package manager does."""
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


def test_builds_are_reproducible(sdist: Path, wheel: Path, source: Path, tmp_path: Path) -> None:
    for first, target in ((sdist, "sdist"), (wheel, "wheel")):
        (tmp_path / target).mkdir()
        assert build(source, target, tmp_path / target).read_bytes() == first.read_bytes(), target


def test_the_hook_finds_lark_where_an_isolated_build_has_it(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, isolated = tmp_path / "log", tmp_path / "isolated"  # pip names its environment in PYTHONPATH
    isolated.mkdir()
    (isolated / "sitecustomize.py").write_text(f"import sys\nopen({str(log)!r}, 'a').write(f'{{sys.orig_argv}}\\n')\n")
    monkeypatch.setenv("PYTHONPATH", str(isolated))
    build(source, "wheel", tmp_path / "wheel")
    assert "'-m', 'modelfile.grammar'" in log.read_text()


def test_the_sdist_holds_the_declared_sources(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert all(member.isfile() for member in members)
    pages = {path for path in tracked() if path.endswith(".md") and "/" not in path}
    expected = {path for path in tracked() if path.startswith(INCLUDED)} | pages | ADDED
    assert {member.name for member in members} == {f"{NAME}/{path}" for path in expected}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {*archive.namelist()}
    package = {path.removeprefix("src/") for path in tracked() if path.startswith("src/modelfile/")}
    assert {Path(path).suffix for path in package} <= {".py", ".lark", ".txt", ".typed", ".json"}
    assert {"modelfile/py.typed", "modelfile/syntax/modelfile.lark"} <= package
    metadata = {f"{NAME}.dist-info/{name}" for name in METADATA}
    assert names == package | metadata | {f"modelfile/{name}" for name in GENERATED}


def test_the_wheel_says_what_pyproject_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = BytesParser().parsebytes(archive.read(f"{NAME}.dist-info/METADATA"))
        entry_points = archive.read(f"{NAME}.dist-info/entry_points.txt").decode()
        kind = archive.read(f"{NAME}.dist-info/WHEEL").decode()
    assert (metadata["Name"], metadata["Version"]) == (PROJECT["name"], PROJECT["version"])
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    required = {
        (text.split(";")[0].partition("<")[0].partition(">")[0].strip(), text.partition("extra == ")[2].strip("'\" "))
        for text in metadata.get_all("Requires-Dist", [])
    }
    extras = {**PROJECT["optional-dependencies"]} | {"": PROJECT["dependencies"]}
    assert required == {(text.partition(">")[0], extra) for extra, texts in extras.items() for text in texts}
    assert entry_points == "[console_scripts]\nmf = modelfile.__main__:main\nmodelfile = modelfile.__main__:main\n"
    assert "Tag: py3-none-any\n" in kind
