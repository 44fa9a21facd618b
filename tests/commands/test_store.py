"""`mf store`: flags, streams, questions and exit codes; what it prints exactly is in cases/store.md."""

from __future__ import annotations

import io
import json
import os
from contextlib import nullcontext
from pathlib import Path
from threading import Thread

import pytest
from tests.support.cli import Ran, mf
from tests.support.folder import HOUR, add_blob, add_model, contents, digest_of, empty_store
from tests.support.paths import ROOT

from modelfile.cli.options import OpenRegistry
from modelfile.stores.disk.inventory import take_inventory
from modelfile.stores.disk.layout import Layout
from modelfile.stores.memory import MemoryRegistry

WEIGHTS = b"GGUF" + bytes(3000)
COMMANDS = (("du",), ("check",), ("prune",), ("save", "bot:v1", "-o", "x.tar"))


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Return the folder of MF_STORE, with two models and a blob that nobody names."""
    layout, project = empty_store(tmp_path / "store"), tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    monkeypatch.setenv("MF_STORE", str(layout.root))
    monkeypatch.chdir(project)
    add_model(layout, "base:v1", model=WEIGHTS)
    add_model(layout, "bot:v1", model=WEIGHTS, system=b"Be brief.")
    add_blob(layout, b"nobody's", age=2 * HOUR)
    return layout


def models(layout: Layout) -> list[str]:
    return [str(name) for name, _ in take_inventory(layout).models]


def registries(layout: Layout, *names: str) -> OpenRegistry:
    """Return a function that opens registries with some models of a folder."""
    registry = MemoryRegistry()
    for name, manifest in take_inventory(layout).models:
        if str(name) in names:
            for layer in (manifest.config, *manifest.layers):
                registry.upload(name, layer, layout.blob(layer.digest), lambda _: None)
            registry.publish(name, manifest.text)
    return lambda _: nullcontext(registry)


@pytest.mark.parametrize("command", COMMANDS)
def test_folder_is_that_of_the_option_the_environment_the_configuration_or_the_server(
    command: tuple[str, ...], layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*options: str) -> tuple[str, int]:
        ran = mf("store", *command, *options)
        return ran.out.replace(str(layout.root), "STORE"), ran.code

    expected = run()
    assert expected[1] in (0, 1)
    monkeypatch.delenv("MF_STORE")
    assert run("--store", str(layout.root)) == expected
    monkeypatch.setenv("OLLAMA_MODELS", str(layout.root))
    assert run() == expected
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "elsewhere"))
    assert run()[1] == 2
    Path("mf.toml").write_text(f'store = "{layout.root}"\n')
    assert run() == expected


def test_load_makes_a_store_of_a_folder_that_is_named_or_there(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mf("store", "save", "store:bot:v1", "-o", "x.tar").code == 0
    monkeypatch.delenv("MF_STORE")
    monkeypatch.setenv("HOME", str(tmp_path))
    ran = mf("store", "load", "x.tar")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: no folder of models was named")
    assert mf("store", "load", "x.tar", "--store", str(tmp_path / "new")).code == 0
    assert models(Layout(tmp_path / "new")) == ["bot:v1"]
    there = Layout(tmp_path / ".ollama" / "models")
    there.root.mkdir(parents=True)
    assert mf("store", "load", "x.tar").code == 0
    assert models(there) == ["bot:v1"]
    assert take_inventory(there).blobs.keys() < take_inventory(layout).blobs.keys()


@pytest.mark.parametrize(("answer", "is_removed"), [(b"y\n", True), (b"n\n", False), (b"", False)])
def test_prune_asks_on_a_terminal(answer: bytes, is_removed: bool, layout: Layout) -> None:  # a parameter of pytest
    ran = mf("store", "prune", stdin=answer, terminal=True)
    assert ran.code == (0 if is_removed else 1)
    assert "remove it? [y/N] " in ran.err
    assert ("nothing was removed" in ran.err) is not is_removed
    assert (take_inventory(layout).unnamed == {}) is is_removed


def test_prune_as_json_asks_nobody(layout: Layout) -> None:
    ran = mf("store", "prune", "--json", stdin=b"y\n", terminal=True)
    plan = json.loads(ran.out)
    assert (ran.code, ran.err, plan["pruned"], plan["size"]) == (1, "", False, 8)
    done = json.loads(mf("store", "prune", "--json", "--yes").out)
    assert (done["pruned"], done["size"], done["failed"], done["changed"]) == (True, 8, [], [])
    assert done["stale"] == plan["stale"]
    (item,) = plan["stale"]
    assert item.pop("modified")
    assert item == {
        "path": str(layout.blob(digest_of(b"nobody's"))),
        "name": None,
        "digest": digest_of(b"nobody's"),
        "reason": "unnamed-blob",
        "size": 8,
    }


def test_prune_reports_what_the_system_does_not_remove(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path), missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    ran = mf("store", "prune", "--yes")
    assert ran.code == 3
    assert "error: cannot remove sha256-" in ran.err
    assert "permission denied" in ran.err
    ran = mf("store", "prune", "--yes", "--json")
    assert ran.code == 3
    assert json.loads(ran.out)["failed"][0]["error"]["code"] == "input-error"
    assert take_inventory(layout).unnamed.keys() == {digest_of(b"nobody's")}


def test_prune_of_unlocked_models_leaves_what_a_lock_names(layout: Layout) -> None:
    add_model(layout, "other:v1", model=b"GGUF other")
    Path("Modelfile").write_text("# For tests.\nFROM base:v1\nSYSTEM hi\n")
    ran = mf("store", "prune", "--unlocked")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: no mf.lock names a model here")
    assert mf("pin", open_registry=registries(layout, "base:v1")).code == 0
    assert mf("build", "mine:v1").code == 0
    alias = next(name for name in models(layout) if ":sha256-" in name)
    assert mf("store", "prune", "--unlocked", "--yes").code == 0
    assert models(layout) == sorted(["base:v1", alias, "mine:v1"])
    assert mf("store", "check").code == 0


def test_keep_is_that_of_the_option_or_of_the_configuration(layout: Layout) -> None:
    for number in range(4):
        add_model(layout, f"bot:sha256-{number:064x}-v1", age=number, model=WEIGHTS, system=b"%d" % number)

    def pruned(*options: str) -> int:
        stale = json.loads(mf("store", "prune", "--json", *options).out)["stale"]
        return sum(item["reason"] == "old-backup" for item in stale)

    assert (pruned(), pruned("--keep", "1"), pruned("--keep", "0")) == (1, 3, 4)
    Path("mf.toml").write_text("keep = 2\n")
    assert (pruned(), pruned("--keep", "9")) == (2, 0)
    assert mf("store", "prune", "--keep", "-1").code == 2


def test_check_reads_all_bytes_unless_sizes_are_enough(layout: Layout) -> None:
    layout.blob(digest_of(WEIGHTS)).write_bytes(WEIGHTS[:-1] + b"x")
    assert mf("store", "check", "--sizes-only").code == 0
    ran = mf("store", "check", "--json")
    assert ran.code == 1
    (finding,) = json.loads(ran.out)["findings"]
    assert (finding["code"], finding["severity"], finding["repaired"]) == ("wrong-digest", "error", None)


def test_check_repairs_from_registries(layout: Layout) -> None:
    open_registry = registries(layout, "base:v1")
    layout.blob(digest_of(WEIGHTS)).write_bytes(b"damaged")
    layout.blob(digest_of(b"Be brief.")).unlink()
    ran = mf("store", "check", "--repair", "--json", open_registry=open_registry)
    assert ran.code == 1
    found = {finding["code"]: (finding["repaired"], finding["error"]) for finding in json.loads(ran.out)["findings"]}
    assert found["wrong-size"] == ("downloaded from https://registry.ollama.ai", None)
    assert found["missing-blob"][0] is None
    assert found["missing-blob"][1].startswith("https://registry.ollama.ai has no layer ")
    ran = mf("store", "check", "--repair", open_registry=registries(layout))
    assert ran.code == 1
    assert "  not repaired: https://registry.ollama.ai has no layer " in ran.out
    add_blob(layout, b"Be brief.")
    assert mf("store", "check", "--repair").code == 0


def test_foreign_folder_is_only_read(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mf("store", "save", "bot:v1", "-o", "x.tar").code == 0
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    before = contents(layout.root)
    for reading in COMMANDS:
        assert mf("store", *reading).code in (0, 1)
    for writing in (("prune", "--yes"), ("check", "--repair"), ("load", "x.tar")):
        ran = mf("store", *writing)
        assert ran.code == 3
        assert f"cannot write to the model store `{layout.root}`: it belongs to user root" in ran.err
    assert contents(layout.root) == before


def save_stream(*names: str) -> bytes:
    ran = mf("store", "save", *names, "-o", "-")
    assert (ran.code, ran.err) == (0, "")
    return ran.out.encode()


def test_stream_is_the_file(layout: Layout) -> None:
    assert mf("store", "save", "bot:v1", "-o", "x.tar").code == 0
    assert save_stream("bot:v1") == Path("x.tar").read_bytes()
    assert models(layout) == ["base:v1", "bot:v1"]


def test_stream_is_loaded_from_standard_input(layout: Layout, tmp_path: Path) -> None:
    stream, there = save_stream("bot:v1", "base:v1"), tmp_path / "there"
    assert mf("store", "load", "-", "--store", str(there), stdin=stream).code == 0
    assert models(Layout(there)) == models(layout)
    ran = mf("store", "load", "-", "--store", str(tmp_path / "other"), stdin=stream[:-1024])
    assert (ran.code, ran.err) == (
        3,
        (
            "error: cannot load `standard input`: it is truncated: it stops before its end\n"
            "help: load an archive as it was saved, whole; decompress a compressed one first, as with `zstd -d`\n"
        ),
    )
    assert models(Layout(tmp_path / "other")) == []
    assert [*(tmp_path / "other" / "blobs").iterdir()] == []


def test_pipe_is_a_stream(layout: Layout, tmp_path: Path) -> None:
    stream, pipe = save_stream("bot:v1"), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(stream,))
    writer.start()
    assert mf("store", "load", str(pipe), "--store", str(tmp_path / "there")).code == 0
    writer.join()
    assert models(Layout(tmp_path / "there")) == ["bot:v1"]
    assert models(layout)


def test_archive_is_not_written_to_a_terminal(layout: Layout) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    from modelfile.cli.app import main

    out, err = (Terminal(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    arguments = ["store", "save", "bot:v1", "-o", "-"]
    assert (
        main(arguments, io.TextIOWrapper(io.BytesIO()), out, err, {"MF_STORE": str(layout.root), "TERM": "dumb"}) == 2
    )
    out.seek(0)
    err.seek(0)
    assert out.read() == ""
    assert "error: cannot write an archive to a terminal" in err.read()


def test_full_disk_leaves_no_archive_and_the_old_one(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("x.tar").write_bytes(b"old")
    layout.blob(digest_of(WEIGHTS)).write_bytes(WEIGHTS[:-1] + b"x")
    ran = mf("store", "save", "bot:v1", "-o", "x.tar")
    assert ran.code == 3
    assert ran.err.endswith("has another digest\nhelp: run `mf store check --repair` to restore it\n")
    assert Path("x.tar").read_bytes() == b"old"
    monkeypatch.setattr("os.fsync", no_space)
    ran = mf("store", "save", "bot:v1", "-o", "x.tar")
    assert ran.code == 3
    assert sorted(path.name for path in Path().iterdir()) == [".git", "x.tar"]


def no_space(_: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 3)])
def test_load_asks_before_it_replaces_a_model(answer: bytes, code: int, layout: Layout) -> None:
    assert mf("store", "save", "bot:v1", "base:v1", "-o", "x.tar").code == 0
    add_model(layout, "bot:v1", model=WEIGHTS, system=b"Mine.")
    ran = mf("store", "load", "x.tar", stdin=answer, terminal=True)
    assert ran.code == code
    assert "replace it? [y/N] " in ran.err
    assert len(models(layout)) == (2 if code else 3)
    if code == 0:
        assert mf("rollback", "bot:v1", "--replace").code == 0
        assert "Mine." in mf("show", "bot:v1").out


def test_load_from_standard_input_cannot_ask(layout: Layout) -> None:
    stream = save_stream("bot:v1")
    add_model(layout, "bot:v1", model=WEIGHTS, system=b"Mine.")
    before = contents(layout.root)

    def load(*options: str) -> Ran:
        return mf("store", "load", "-", *options, stdin=stream, terminal=True)

    ran = load()
    assert ran.code == 3
    assert "is an immutable tag and has another model" in ran.err
    assert contents(layout.root) == before
    assert load("--replace").code == 0
    assert json.loads(load("--replace", "--json").out)[0]["backup"] is None  # it is there by now


def test_moving_tag_is_not_replaced_without_consent_either(layout: Layout) -> None:
    assert mf("cp", "bot:v1", "bot:latest").code == 0
    assert mf("store", "save", "bot", "-o", "x.tar").code == 0
    add_model(layout, "bot:latest", model=WEIGHTS, system=b"Mine.")
    ran = mf("store", "load", "x.tar")
    assert ran.code == 3
    assert "already has another model" in ran.err


def test_group_lists_its_commands() -> None:
    ran = mf("store")
    assert ran.code == 2
    assert all(f"\n  {name}  " in ran.err for name in ("du", "check", "prune", "save", "load"))
    assert mf("store", "-q", "du", "--nope").err.startswith("error: no such option: `--nope`\n")
    assert mf("store", "chek").err == "error: unknown command: `store chek`\nhelp: did you mean `mf store check`?\n"
    assert mf("store", "save", "bot:v1").err.startswith("error: missing option")
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert all(f"### mf store {name}\n" in page for name in ("du", "check", "prune", "save", "load"))


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("name", ["file:Modelfile", "registry:bot:v1", "lock:Modelfile"])
def test_name_that_is_none_of_a_folder_cannot_be_saved(name: str) -> None:
    assert mf("store", "save", name, "-o", "x.tar").code == 2
    assert not Path("x.tar").exists()
