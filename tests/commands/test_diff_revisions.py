"""`mf diff` of revisions: the working tree, commits and branches as git reads them, and words with two meanings."""

import json
from pathlib import Path

import jsonschema
import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import LOCAL, edit
from tests.support.cli import mf
from tests.support.paths import ROOT
from tests.support.repository import git

SCHEMA = json.loads((ROOT / "docs/schema/diff.schema.json").read_text(encoding="utf-8"))
BOT = "FROM llama3.2:3b\nPARAMETER temperature 0.2\nSYSTEM Be brief.\n"
OTHER = "FROM llama3.2:3b\nPARAMETER top_k 3\nPARAMETER top_p 0.4\nSYSTEM Be kind.\n"


def commit(folder: Path, tag: str = "") -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    if tag:
        git(folder, "tag", tag)


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(text)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with two Modelfiles at the tag v1.0, without a server."""
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    write("bot/Modelfile", BOT)
    write("other.Modelfile", OTHER)
    commit(tmp_path, "v1.0")
    return tmp_path


def files(*arguments: str) -> list[tuple[str, str, str, list[str]]]:
    """Return the files that differ: their paths, both sides and the changes."""
    answer = json.loads(mf("diff", *arguments, "--json").out)
    jsonschema.validate(answer, SCHEMA)
    return [
        (
            each["path"],
            each["a"]["name"],
            each["b"]["name"],
            [f"{change['aspect']} {change['name']}".strip() for change in each["changes"]],
        )
        for each in answer["files"]
    ]


def said(*arguments: str) -> tuple[int, str, str]:
    ran = mf(*arguments)
    return ran.code, ran.out, ran.err


def test_nothing_has_changed(repository: Path) -> None:
    assert said("diff") == (0, "", "")
    assert json.loads(mf("diff", "--json").out) == {"version": 1, "same": True, "files": []}
    (repository / "new.txt").write_text("FROM x")
    assert said("diff", "HEAD") == (0, "", "")


def test_the_working_tree_against_the_last_commit(repository: Path) -> None:
    edit(repository / "bot/Modelfile", "0.2", "0.7")
    write("fresh/Modelfile", "FROM qwen3:8b\n")
    (repository / "other.Modelfile").rename(repository / "moved.Modelfile")
    edit(repository / "moved.Modelfile", "kind", "gentle")
    expected = [
        ("bot/Modelfile", "git:HEAD:bot/Modelfile", "bot/Modelfile", ["parameter temperature"]),
        ("fresh/Modelfile", "", "fresh/Modelfile", ["base"]),
        ("moved.Modelfile", "git:HEAD:other.Modelfile", "moved.Modelfile", ["system"]),
    ]
    assert files() == files("HEAD") == expected
    assert [each[1] for each in files("v1.0")] == [each[1].replace("HEAD", "v1.0") for each in expected]
    assert mf("diff", "--name-only").out == "bot/Modelfile\nfresh/Modelfile\nmoved.Modelfile\n"
    assert files("--only", "weights") == expected[1:2]
    assert files("bot/Modelfile") == files("./bot") == files("file:bot") == expected[:1]
    text = mf("diff")
    assert (text.code, text.err) == (1, "")
    assert text.out.startswith(
        "- git:HEAD:bot/Modelfile\n+ bot/Modelfile\nbehavior (may change answers)\n"
        "  temperature  0.2 -> 0.7  default 0.8\n\n+ fresh/Modelfile  (new)\n"
    )
    assert mf("diff", "--exit-zero").code == 0


def test_a_deleted_modelfile_and_one_that_moved_as_it_was(repository: Path) -> None:
    (repository / "bot/Modelfile").unlink()
    (repository / "other.Modelfile").rename(repository / "moved.Modelfile")
    ran = mf("diff")
    assert ran.out.startswith("- git:HEAD:bot/Modelfile  (deleted)\nweights (may change answers)\n")
    assert "moved.Modelfile" not in ran.out
    assert "`moved.Modelfile` differs only in its path, or in comments, order or notation: see `--all`" in ran.err
    assert [each[0] for each in files()] == ["bot/Modelfile", "moved.Modelfile"]


def test_branches_and_ranges_are_read_as_by_git(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "topic")
    edit(repository / "bot/Modelfile", "0.2", "0.7")
    commit(repository)
    git(repository, "checkout", "-q", "main")
    edit(repository / "other.Modelfile", "kind", "gentle")
    commit(repository)
    base = git(repository, "rev-parse", "v1.0")[:12]
    bot = ("bot/Modelfile", "git:main:bot/Modelfile", "git:topic:bot/Modelfile", ["parameter temperature"])
    other = ("other.Modelfile", "git:main:other.Modelfile", "git:topic:other.Modelfile", ["system"])
    assert files("main..topic") == files("main", "topic") == files("git:main", "git:topic") == [bot, other]
    assert [each[0] for each in files("..topic")] == ["bot/Modelfile", "other.Modelfile"]
    assert files("main...topic") == [(bot[0], f"git:{base}:bot/Modelfile", *bot[2:])]
    assert [each[0] for each in files("topic...")] == ["other.Modelfile"]
    assert files("v1.0") == [(other[0], "git:v1.0:other.Modelfile", "other.Modelfile", ["system"])]
    assert files("HEAD~1", "HEAD")[0][0] == "other.Modelfile"


def test_a_modelfile_at_a_revision(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(repository / "bot/Modelfile", "0.2", "0.7")
    commit(repository, "v1.1")
    sides = "- git:v1.0:bot/Modelfile\n+ {}\nbehavior (may change answers)\n  temperature  0.2 -> 0.7  default 0.8\n"
    now = (1, sides.format("bot/Modelfile"), "")
    for arguments in (("v1.0", "bot"), ("v1.0", "bot/Modelfile"), ("git:v1.0:bot/Modelfile",)):
        assert said("diff", *arguments) == now
    both = said("diff", "git:v1.0:bot/Modelfile", "git:v1.1:bot/Modelfile")
    assert both == (1, sides.format("git:v1.1:bot/Modelfile"), "")
    monkeypatch.chdir("bot")
    here = (1, sides.format("Modelfile"), "")
    assert said("diff", "v1.0", "Modelfile") == here
    assert [each[0] for each in files("v1.0")] == ["Modelfile"]
    (repository / "other.Modelfile").unlink()
    assert [each[0] for each in files()] == [str(repository / "other.Modelfile")]


def test_a_modelfile_that_ollama_would_reject_is_compared_by_line(repository: Path) -> None:
    write("other.Modelfile", OTHER + "FORMAT json\n")
    code, out, err = said("diff")
    assert (code, err) == (1, "")
    assert out == (
        "- git:HEAD:other.Modelfile\n+ other.Modelfile\n"
        "compared by line: Ollama would reject `other.Modelfile`: line 5: unknown instruction `FORMAT`\n"
        "file (may change answers)\n  text\n    @@ -2,3 +2,4 @@\n     PARAMETER top_k 3\n     PARAMETER top_p 0.4\n"
        "     SYSTEM Be kind.\n    +FORMAT json\n"
    )
    commit(repository)
    write("other.Modelfile", OTHER)
    assert said("diff", "HEAD", "other.Modelfile") == (
        3,
        "",
        (
            "error: Ollama would reject `git:HEAD:other.Modelfile`: line 5: unknown instruction `FORMAT`\n"
            "help: `git diff` compares it by line\n"
        ),
    )


def test_the_lock_is_compared_pin_by_pin(project: Path) -> None:
    (project / ".git").rmdir()
    git(project, "init", "-q")
    (project / "mf.toml").unlink()
    assert mf("pin").code == 0
    commit(project)
    edit(project / "Modelfile", "0.5", "0.7")
    write("other.Modelfile", LOCAL)
    assert mf("pin").code == 0
    name, old, new, changes = files()[-1]
    assert (name, old, new) == ("other.Modelfile", "", "other.Modelfile")
    found = {each[0]: each[3] for each in files()}
    assert found["mf.lock"] == ["pinned-fingerprint Modelfile", "pin other.Modelfile"]
    assert changes[0] == "base"
    lock = mf("diff", "--only", "lock").out
    assert "lock (may change answers)\n  Modelfile: fingerprint  mf1:" in lock
    assert said("diff", "mf.lock") == said("diff", "HEAD", "mf.lock") == (1, lock, "")
    old, new = lock.splitlines()[:2]
    code, mirrored, _ = said("diff", "mf.lock", "HEAD")
    assert (code, mirrored.splitlines()[:2]) == (1, [f"-{new[1:]}", f"+{old[1:]}"])
    edit(project / "Modelfile", "0.7", "0.5")
    (project / "other.Modelfile").unlink()
    assert mf("pin").code == 0
    assert said("diff") == (0, "", "")
    edit(project / "Modelfile", "FROM", "# More.\nFROM")
    assert mf("pin").code == 0
    assert mf("diff").code == 0
    assert files("--all")[-1] == ("mf.lock", "git:HEAD:mf.lock", "mf.lock", ["pin-record Modelfile"])
    (project / "mf.lock").write_text("{")
    ran = mf("diff", "--stat")
    assert (ran.code, ran.err.count("error")) == (1, 0)
    assert "compared by line: `" in ran.out


def test_local_files_are_those_of_the_lock_and_are_not_hashed(project: Path) -> None:
    (project / ".git").rmdir()
    git(project, "init", "-q")
    (project / "mf.toml").unlink()
    (project / ".gitignore").write_text("*.gguf\n")
    assert mf("pin").code == 0
    commit(project)
    (project / "weights.gguf").write_bytes(b"GGUF" + bytes(90))
    edit(project / "Modelfile", "0.5", "0.7")
    assert [each[3] for each in files()] == [["parameter temperature"]]
    assert mf("pin").code == 0
    found = {each[0]: each[3] for each in files()}
    assert found["Modelfile"] == ["base", "parameter temperature"]
    assert found["mf.lock"] == ["pinned-file Modelfile: weights.gguf", "pinned-fingerprint Modelfile"]


def test_a_model_against_its_modelfile(project: Path) -> None:
    (project / "mf.toml").unlink()
    folder = project / "my-bot"
    folder.mkdir()
    (project / "Modelfile").rename(folder / "Modelfile")
    (project / "weights.gguf").rename(folder / "weights.gguf")
    assert mf("build", "my-bot:v1", "-f", "my-bot/Modelfile").code == 0
    edit(folder / "Modelfile", "0.5", "0.7")
    ran = mf("diff", "my-bot")
    assert ran.err == "`my-bot` is my-bot:v1, which was built last\n"
    assert ran.out.splitlines()[-1] == "  temperature  0.5 -> 0.7  default 0.8"
    for arguments in (("my-bot:v1",), ("model:my-bot:v1",), ("-m", "my-bot", "v1"), ("v1",)):
        again = mf("diff", *arguments)
        assert (again.code, again.out.splitlines()[2:]) == (1, ran.out.splitlines()[2:])
    assert mf("cp", "my-bot:v1", "stray:v1").code == 0
    assert said("diff", "stray:v1") == (
        *(3, ""),
        "error: no Modelfile here builds stray:v1\nhelp: name two sides, as in `mf diff A B`\n",
    )
    (project / "mf.toml").write_text('[models.my-bot]\nmodelfile = "my-bot/Modelfile"\ntag = "v2"\n')
    assert mf("build").code == 0
    assert said("diff", "my-bot")[:2] == (0, mf("diff", "my-bot:v2").out)


def test_tags_with_the_name_of_their_model(project: Path) -> None:
    assert mf("build", "a:v1").code == 0
    edit(project / "Modelfile", "0.5", "0.7")
    assert mf("build", "a:v2").code == 0
    assert mf("cp", "a:v1", "b:v1").code == 0
    assert mf("diff", "-m", "a", "v1", "v2").out.startswith("- a:v1  mf1:")
    assert mf("diff", "-m", "a", "v1", "b:v1").code == 0
    assert mf("diff", "-m", "b", "v1", "v2").code == 3


def test_a_model_on_two_servers(fake: FakeOllama, project: Path) -> None:
    assert mf("build", "a:v1").code == 0
    with FakeOllama() as other:
        hosts = ("--host", fake.url, "--host", other.url)
        edit(project / "Modelfile", "0.5", "0.7")
        assert mf("build", "a:v1", "--host", other.url).code == 0
        for arguments in (("a:v1",), ("a:v1", "a:v1"), ("model:a:v1", "a:v1")):
            ran = mf("diff", *arguments, *hosts)
            assert ran.code == 1
            first, second = ran.out.splitlines()[:2]
            assert f"a:v1 on {fake.url}  mf1:" in first
            assert f"a:v1 on {other.url}  mf1:" in second
        assert mf("diff", "Modelfile", "a:v1", *hosts).code == 0
        assert mf("diff", "a:v1", "Modelfile", *hosts).code == 1
    assert said("diff", "a", *hosts, "--host", "x")[2].startswith("error: --host can be given twice: for A and for B")


def test_a_word_that_means_two_things_is_an_error_that_lists_them(project: Path) -> None:
    (project / ".git").rmdir()
    git(project, "init", "-q", "-b", "main")
    (project / "mf.toml").unlink()
    assert mf("build", "bot:v1").code == 0
    assert mf("cp", "bot:v1", "bot:latest").code == 0
    commit(project, "v1")
    assert said("diff", "v1", "bot:v1") == (
        *(2, ""),
        "error: `v1` is ambiguous: a model and a revision of git\nhelp: write `model:bot:v1` or `git:v1`\n",
    )
    write("bot/Modelfile", LOCAL.replace("./", "../"))
    git(project, "branch", "bot")
    assert said("diff", "bot", "bot:v1")[2] == (
        "error: `bot` is ambiguous: a Modelfile, a model and a revision of git\n"
        "help: write `file:bot`, `model:bot:latest` or `git:bot`\n"
    )
    assert mf("diff", "file:bot", "bot:v1").code == 0
    assert said("diff", "model:bot", "bot:v1")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ("nope",),
            "`nope` is no Modelfile and no revision of git, and no Ollama server answers at http://127.0.0.1:9",
        ),
        (("main..nope",), "unknown revision `nope`"),
        (("main~7",), "unknown revision `main~7`"),
        (("main~7", "main"), "unknown revision `main~7`"),
        (("main:bot/Modelfile", "bot"), "`main:bot/Modelfile` is written as for git"),
        (("a b",), "unknown revision `a b`"),
        (("bot",), "no Ollama server answers at http://127.0.0.1:9"),
        (("git:v9",), "unknown revision `v9`"),
        (("v1.0", "new.Modelfile"), "no Modelfile `new.Modelfile` at `v1.0`"),
        (("git:main:BOT/modelfile",), "no Modelfile `BOT/modelfile` at `main`"),
        (("-",), "`-` has no earlier version"),
    ],
)
def test_what_cannot_be_compared(repository: Path, arguments: tuple[str, ...], error: str) -> None:
    write("new.Modelfile", BOT)
    ran = mf("diff", *arguments, stdin=b"FROM a\n")
    assert (ran.out, ran.err.splitlines()[0]) == ("", f"error: {error}")
    assert ran.err.splitlines()[1].startswith("help: ")
    assert "Traceback" not in ran.err
    assert repository.exists()


def test_standard_input_is_a_side(repository: Path) -> None:
    ran = mf("diff", "bot/Modelfile", "-", stdin=BOT.replace("0.2", "0.7").encode())
    assert (ran.code, ran.out.splitlines()[:2]) == (1, ["- bot/Modelfile", "+ -"])
    assert mf("diff", "v1.0", "other.Modelfile").code == 0
    assert repository.exists()


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said("diff") == (
        *(3, ""),
        f"error: `{tmp_path}` is in no git repository\nhelp: name two sides, as in `mf diff my-bot:v1 Modelfile`\n",
    )
    assert said("diff", "git:HEAD:Modelfile", "x")[2].startswith("error: `git:HEAD:Modelfile` cannot be read: `")
    git(tmp_path, "init", "-q")
    assert said("diff")[2].startswith(f"error: `{tmp_path}` has no commit yet\n")


def test_every_format_has_all_files(repository: Path) -> None:
    edit(repository / "bot/Modelfile", "brief", "very <b>brief</b>")
    (repository / "other.Modelfile").unlink()
    markdown = mf("diff", "--format", "markdown").out
    assert [line for line in markdown.splitlines() if line.startswith("#")] == [
        "### `bot/Modelfile`",
        "### `other.Modelfile` (deleted)",
    ]
    html = mf("diff", "--format", "html").out
    assert '<h2 id="file-2"><code>other.Modelfile</code> <small class="impact">deleted</small></h2>' in html
    assert "<b>" not in html
    notices = mf("diff", "--format", "github").out.splitlines()
    assert notices[0].startswith("::notice file=bot/Modelfile,title=system%3A may change answers::")
    assert notices[1] == "::notice title=base%3A may change answers::base  llama3.2:3b -> (none)"
