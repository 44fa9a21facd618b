"""Texts of `mf update` with words of a registry: they are no markup, mention nobody and close no issue."""

from dataclasses import replace

import pytest
from tests.support.scene import BASE, NAME, Scene

EVIL = ("@team closes #12", "</summary><b>", "![i](http://e/x.png)", "a\n::error::b", "x`y", "fixes GH-12")


def test_names_of_parameters_are_code_in_markdown(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    moved = replace(BASE, weights=(f"sha256:{'2' * 64}",), parameters={**dict.fromkeys(EVIL, 1.0), "num_ctx": 2.0})
    scene.registry.push(NAME, moved)
    lines = scene.mf("update", "--dry-run", "--format", "markdown").out.splitlines()
    row = next(line for line in lines if line.startswith("| `llama3.2:3b`"))
    outside = "".join(row.replace("``", "").split("`")[::2])
    for name in EVIL:
        shown = name.replace("\n", "<U+000A>")
        mark = "``" if "`" in name else "`"
        assert f"{mark}parameter {shown}{mark}" in row
        assert f"| {mark}{shown}{mark} | `(none)` | `1` |  |" in lines
        assert shown not in outside
    assert "weights, " in row
    assert "parameter num_ctx, " in row
    inherited = next(line for line in lines if "as its base: " in line)
    assert inherited.startswith("- ```as its base: ")
    assert inherited.endswith("parameter stop```")


def test_the_message_of_a_commit_has_no_words_of_a_registry(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    scene.registry.push(NAME, replace(BASE, parameters={**dict.fromkeys(EVIL, 1.0), "num_ctx": 2.0}))
    body = scene.mf("update", "--dry-run", "--message").out.splitlines()[2:]
    changed = "parameter, parameter num_ctx, parameter temperature, parameter stop"
    assert body[1] == f"  changed: {changed}"
    assert body[3] == f"  as its base: {changed}"


@pytest.mark.parametrize("said", ["@team closes #12", "fixes GH-12", "<img src=x>", "see www.e.com"])
def test_errors_of_a_registry_are_code_or_left_out(scene: Scene, said: str) -> None:
    assert scene.mf("pin", "-q").code == 0
    scene.registry.cached.clear()
    scene.registry.push(NAME, replace(BASE, template="{{ .Prompt }}!"))
    scene.registry.lost[BASE.template.encode()] = f"registry.ollama.ai rejects the request (HTTP 404: {said})"
    shown = scene.mf("update", "--dry-run", "--format", "markdown").out
    lines = [line for line in shown.splitlines() if said in line]
    assert len(lines) == 2
    assert all(line.startswith("- `") and line.endswith("`") and line.count("`") == 2 for line in lines)
    message = scene.mf("update", "--dry-run", "--message").out
    assert said not in message
    assert message.endswith("  not compared: its contents cannot be read\n")


def test_what_could_not_be_pinned_is_said_in_markdown(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    scene.registry.gone = True
    ran = scene.mf("update", "--format", "markdown")
    assert (ran.code, ran.out) == (3, "1 Modelfile could not be pinned: see the log.\n")


def test_a_summary_fits_into_a_pull_request(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    stop = {"stop": ("x" * 70_000,)}
    scene.registry.push(NAME, replace(BASE, parameters=stop, template="{{ .Prompt }}\n" * 9000, license="BSD"))
    shown = scene.mf("update", "--dry-run", "--format", "markdown").out
    assert len(shown) < 65_536
    assert "+BSD\n" in shown
    assert shown.endswith("would be too long for a pull request: see `mf update --dry-run`.\n")


def test_a_message_has_a_limit(scene: Scene) -> None:
    for number in range(200):
        (scene.folder / f"{number:03}.Modelfile").write_text(f"# A bot.\nFROM {NAME}\nSYSTEM {number}\n")
    assert scene.mf("pin", "-q").code == 0
    scene.registry.push(NAME, replace(BASE, weights=(f"sha256:{'2' * 64}",)))
    lines = scene.mf("update", "--dry-run", "--message").out.splitlines()
    assert (len(lines), lines[-1]) == (303, "- and 104 more lines")
